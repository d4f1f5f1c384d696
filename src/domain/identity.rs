//! What the upstream sees: identity headers that no client can send, and no credential.

use super::credential::{Place, QueryRemoval, without_cookie};
use super::name::{RealmId, Scope, Word};
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

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Who<'a> {
    pub holder: &'a Holder,
    /// The plan in force for the key, whoever gave it.
    pub plan: Option<&'a Word>,
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

    fn text(self, realm: &RealmId, who: Option<&Who<'_>>) -> Option<String> {
        match (self, who) {
            (Self::Realm, _) => Some(realm.to_string()),
            (known, Some(who)) => known.of(who),
            (_, None) => None,
        }
    }

    fn of(self, who: &Who<'_>) -> Option<String> {
        let record = &who.holder.record;
        match self {
            Self::KeyId => Some(record.id.to_string()),
            Self::OwnerId => Some(who.holder.owner.id.to_string()),
            Self::Realm => Some(record.realm.to_string()),
            Self::Environment => record.environment.as_ref().map(ToString::to_string),
            Self::Kind => record.kind.as_ref().map(ToString::to_string),
            Self::Tenant => record.tenant.clone(),
            Self::Scopes => (!record.scopes.is_empty()).then(|| record.scopes.iter().map(Scope::as_str).collect::<Vec<_>>().join(" ")),
            Self::Plan => who.plan.map(ToString::to_string),
        }
    }
}

impl Onward {
    /// Sets the identity headers that have a value and removes the others, in every spelling that an upstream might take for them.
    pub fn identify(&mut self, headers: &[IdentityHeader], request: &Request<'_>, realm: &RealmId, who: Option<&Who<'_>>) {
        for header in headers {
            let value = header.value.render(|known| known.text(realm, who));
            match value.filter(|value| visible(value)) {
                Some(value) => self.set.push((header.name.to_string(), value)),
                None => self.remove.push(header.name.to_string()),
            }
            self.remove.extend(look_alikes(&header.name, request));
        }
    }

    /// Takes the credential away from a place. What is not UTF-8 cannot be set through Envoy: then the parameter is left to Envoy to
    /// remove, and the cookies go as a whole.
    pub fn strip(&mut self, place: &Place, request: &Request<'_>, target: &Target<'_>) {
        match place {
            Place::Header { name, .. } => self.remove.push(name.to_string()),
            Place::Query { name, removal } => match String::from_utf8(without_parameter(request.path, name)) {
                Ok(rest) if *removal == QueryRemoval::Exact => self.set.push((":path".into(), rest)),
                _ => self.remove_parameters.extend(target.spellings(name).into_iter().map(text)),
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
    keys.map(|key| text(key).to_ascii_lowercase()).collect()
}

/// A name as Envoy takes it. One that is not UTF-8 spells none of ours.
fn text(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}
