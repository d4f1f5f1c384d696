//! What the upstream sees: identity headers that no client can send, and no credential.

use super::credential::{Place, QueryRemoval, without_cookie};
use super::name::{RealmId, Scope};
use super::path::{Target, without_parameter};
use super::record::Holder;
use super::request::{Occurs, Request};
use super::template::Template;

/// A header that tells the upstream who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityHeader {
    /// Lower case.
    pub name: Box<str>,
    pub value: Template<Known>,
}

/// A value that an identity header may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    KeyId,
    OwnerId,
    Realm,
    Environment,
    Kind,
    Tenant,
    /// Separated by spaces.
    Scopes,
    Plan,
}

/// What changes in a request before the upstream sees it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Onward {
    /// Set, overwriting what came.
    pub set: Vec<(String, String)>,
    /// Removed, after setting. Never one that is set.
    pub remove: Vec<String>,
    pub remove_parameters: Vec<String>,
}

impl Known {
    /// The value that is written `${name}`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "key.id" => Self::KeyId,
            "owner.id" => Self::OwnerId,
            "realm" => Self::Realm,
            "key.environment" => Self::Environment,
            "key.kind" => Self::Kind,
            "key.tenant" => Self::Tenant,
            "key.scopes" => Self::Scopes,
            "key.plan" => Self::Plan,
            _ => return None,
        })
    }

    fn text(self, realm: &RealmId, holder: &Holder) -> Option<String> {
        let record = &holder.record;
        match self {
            Self::KeyId => Some(record.id.to_string()),
            Self::OwnerId => Some(holder.owner.id.to_string()),
            Self::Realm => Some(realm.to_string()),
            Self::Environment => record.environment.as_ref().map(ToString::to_string),
            Self::Kind => record.kind.as_ref().map(ToString::to_string),
            Self::Tenant => record.tenant.clone(),
            Self::Scopes => Some(record.scopes.iter().map(Scope::as_str).collect::<Vec<_>>().join(" ")),
            Self::Plan => record.plan.as_ref().or(holder.owner.plan.as_ref()).map(ToString::to_string),
        }
    }
}

impl Onward {
    /// Sets the identity headers that have a value and removes the others, in every spelling that an upstream might take for them.
    pub fn identify(&mut self, headers: &[IdentityHeader], request: &Request<'_>, realm: &RealmId, holder: Option<&Holder>) {
        for header in headers {
            let value = holder.and_then(|holder| header.value.render(|known| known.text(realm, holder)));
            match value.filter(|value| visible(value)) {
                Some(value) => self.set.push((header.name.to_string(), value)),
                None => self.remove.push(header.name.to_string()),
            }
            self.remove.extend(look_alikes(&header.name, request));
        }
    }

    /// Takes the credential away from a place. What is not UTF-8 cannot be set through Envoy: then the parameter is left to Envoy to
    /// remove, and the cookies go as a whole.
    pub fn strip(&mut self, place: &Place, request: &Request<'_>) {
        match place {
            Place::Header { name, .. } => self.remove.push(name.to_string()),
            Place::Query { name, removal } => match String::from_utf8(without_parameter(request.path, name)) {
                Ok(rest) if *removal == QueryRemoval::Exact => self.set.push((":path".into(), rest)),
                _ => self.remove_parameters.push(name.to_string()),
            },
            Place::Cookie { name } => match without_cookie(request, name).map(String::from_utf8) {
                Some(Ok(rest)) => self.set.push(("cookie".into(), rest)),
                _ => self.remove.push("cookie".into()),
            },
        }
    }
}

/// Whether a place of the realm that this route does not read holds something that looks like a secret all the same: it is taken away too.
#[must_use]
pub fn leaks(place: &Place, request: &Request<'_>, target: &Target<'_>, looks_secret: impl Fn(&[u8]) -> bool) -> bool {
    match place.read(request, target) {
        Occurs::Never => false,
        Occurs::Once(value) => looks_secret(&value.0),
        Occurs::Often => true,
    }
}

/// Visible ASCII and spaces: nothing that could end a header or begin another.
fn visible(value: &str) -> bool {
    value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
}

/// The names of headers that came and differ from `name` by `_` for `-` alone: some upstreams read both as one.
fn look_alikes(name: &str, request: &Request<'_>) -> Vec<String> {
    let like = |key: &[u8]| {
        key.len() == name.len() && !key.eq_ignore_ascii_case(name.as_bytes()) && {
            let dashed = key.iter().map(|byte| if *byte == b'_' { b'-' } else { byte.to_ascii_lowercase() });
            dashed.eq(name.bytes().map(|byte| if byte == b'_' { b'-' } else { byte }))
        }
    };
    let keys = request.headers.0.iter().map(|(key, _)| *key).filter(|key| like(key));
    keys.map(|key| String::from_utf8_lossy(key).to_ascii_lowercase()).collect()
}
