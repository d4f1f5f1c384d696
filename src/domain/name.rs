//! Ids that people choose or copy: one type each, so that one is never taken for another. All are short, printable and free of the
//! characters that names in a store are joined with.

use std::fmt;
use std::sync::Arc;

/// Why a text is not an id. The text is not told again: it may be a secret, put there by mistake.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} must be 1 to 64 of {alphabet}")]
pub struct NameError {
    what: &'static str,
    alphabet: &'static str,
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $alphabet:literal, $allowed:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks length and alphabet.
            pub fn parse(text: &str) -> Result<Self, NameError> {
                let allowed: fn(u8) -> bool = $allowed;
                if (1..=64).contains(&text.len()) && text.bytes().all(allowed) {
                    return Ok(Self(text.into()));
                }
                Err(NameError { what: $what, alphabet: $alphabet })
            }

            /// The id's text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }
    };
}

name!(
    /// A realm's id: one API's contract.
    RealmId,
    "a realm's id",
    "a-z 0-9 -",
    |b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'
);
name!(
    /// An owner's id within its realm; what upstreams see as stable.
    OwnerId,
    "an owner's id",
    "A-Z a-z 0-9 . _ -",
    |b| b.is_ascii_alphanumeric() || b"._-".contains(&b)
);
name!(
    /// A key's public id; survives rotation; never a secret.
    KeyId,
    "a key's id",
    "a-z 0-9 _",
    |b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'
);
name!(
    /// What a key may do, such as `bookings:read`.
    Scope,
    "a scope",
    "A-Z a-z 0-9 . _ - : /",
    |b| b.is_ascii_alphanumeric() || b"._-:/".contains(&b)
);
name!(
    /// A word of a realm's own: an environment, a kind, a plan, a limit.
    Word,
    "a name",
    "A-Z a-z 0-9 . _ -",
    |b| b.is_ascii_alphanumeric() || b"._-".contains(&b)
);

/// The realm that admin tokens are keys of. It has no hosts and no request is ever checked in it.
#[must_use]
pub fn admin_realm() -> RealmId {
    RealmId("keyward".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_never_holds_a_character_that_store_names_are_joined_with() {
        for bad in ["", "a/b", "a{b", "a}b", "a b", "a\n", "é", &"x".repeat(65)] {
            assert!(OwnerId::parse(bad).is_err(), "{bad:?}");
            assert!(RealmId::parse(bad).is_err(), "{bad:?}");
        }
        assert_eq!(OwnerId::parse("acme.Corp_1").unwrap().as_str(), "acme.Corp_1");
    }
}
