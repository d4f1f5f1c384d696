//! Who acts on the admin API: an admin token, by its key, or a client certificate, by a name that is in it.

use std::fmt;
use std::sync::Arc;

use super::name::{KeyId, Scope};
use super::record::Binding;

/// Who has done something. Two of them are never written alike: the id of a key has neither a colon nor a slash, and a certificate's name has a colon.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Actor {
    /// The key of an admin token.
    Key(KeyId),
    /// Whoever shows a certificate with this name.
    Certificate(San),
    /// Whoever shows a secret of a key that is no admin token, to have it ended: the key's resource name.
    Holder(Box<str>),
}

/// A name that a certificate gives its holder (RFC 5280, 4.2.1.6), with its kind: `uri:spiffe://mesh/ns/ops/sa/portal`,
/// `dns:portal.example.com`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct San(Arc<str>);

/// A client certificate's name that is let in to the admin API, and what its holder may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certified {
    pub san: San,
    /// Of the realm `keyward`: its roles.
    pub scopes: Vec<Scope>,
    /// All that it may touch; `None`: everything.
    pub binding: Option<Binding>,
}

/// Why a text is not such a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SanError {
    #[error("must be a URI of at most 2048 visible ASCII characters, such as spiffe://example.org/ns/ops/sa/portal")]
    Uri,
    #[error("must be a DNS name of at most 253 characters, without a wildcard, such as portal.example.com")]
    Dns,
}

/// As long as a SPIFFE id may be.
const LONGEST_URI: usize = 2048;
const LONGEST_DNS: usize = 253;

impl Actor {
    /// As it stands in the audit log.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Key(key) => key.as_str(),
            Self::Certificate(san) => san.as_str(),
            Self::Holder(key) => key,
        }
    }
}

impl San {
    /// A URI, letter by letter.
    pub fn uri(text: &str) -> Result<Self, SanError> {
        let is_visible = |byte: u8| byte.is_ascii_graphic() && !b"{}\"\\<>^`|".contains(&byte);
        let scheme = text.split_once("://").map_or("", |(scheme, _)| scheme);
        let fits = !scheme.is_empty() && text.len() <= LONGEST_URI && text.bytes().all(is_visible);
        if fits { Ok(Self(format!("uri:{text}").into())) } else { Err(SanError::Uri) }
    }

    /// A DNS name, in whatever case. One with a wildcard names nobody.
    pub fn dns(text: &str) -> Result<Self, SanError> {
        let is_label = |label: &str| !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        let fits = text.len() <= LONGEST_DNS && text.split('.').all(is_label);
        if fits { Ok(Self(format!("dns:{}", text.to_ascii_lowercase()).into())) } else { Err(SanError::Dns) }
    }

    /// Either of the two, as people write it.
    pub fn parse(text: &str) -> Result<Self, SanError> {
        if text.contains("://") { Self::uri(text) } else { Self::dns(text) }
    }

    /// With its kind.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<KeyId> for Actor {
    fn from(key: KeyId) -> Self {
        Self::Key(key)
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for San {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for San {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_uri_or_a_dns_name_and_keeps_its_kind() {
        let said = |text: &str| San::parse(text).map(|san| san.to_string());
        assert_eq!(said("spiffe://mesh/ns/ops/sa/Portal").unwrap(), "uri:spiffe://mesh/ns/ops/sa/Portal");
        assert_eq!(said("Portal.Example.com").unwrap(), "dns:portal.example.com");
        assert_eq!(said("localhost").unwrap(), "dns:localhost");
        for bad in ["", ".", "a..b", "*.example.com", "a b", "user@example.com", &"a".repeat(254)] {
            assert_eq!(said(bad), Err(SanError::Dns), "{bad:?}");
        }
        for bad in ["://x", "spiffe://a b", "spiffe://a\n", "spiffe://{kw}", &format!("spiffe://{}", "x".repeat(2048))] {
            assert_eq!(said(bad), Err(SanError::Uri), "{bad:?}");
        }
    }

    #[test]
    fn a_key_and_a_certificate_are_never_written_alike() {
        let san = San::parse("key_1").unwrap();
        assert_ne!(Actor::Certificate(san).as_str(), Actor::Key(KeyId::parse("key_1").unwrap()).as_str());
    }
}
