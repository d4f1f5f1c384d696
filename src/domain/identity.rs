//! What the upstream sees: identity headers that no client can send, and no credential.

use super::bearer::Bearer;
use super::credential::{Place, QueryRemoval, without_cookies};
use super::name::{RealmId, Scope, Word};
use super::path::{Target, without_parameters};
use super::request::Request;
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
    pub bearer: &'a Bearer,
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

    fn of(self, realm: &RealmId, who: &Who<'_>) -> Option<String> {
        let bearer = who.bearer;
        match self {
            Self::KeyId => Some(bearer.key.to_string()),
            Self::OwnerId => Some(bearer.owner.id.to_string()),
            Self::Realm => Some(realm.to_string()),
            Self::Environment => bearer.environment.as_ref().map(ToString::to_string),
            Self::Kind => bearer.kind.as_ref().map(ToString::to_string),
            Self::Tenant => bearer.tenant.as_deref().map(ToOwned::to_owned),
            Self::Scopes => (!bearer.scopes.is_empty()).then(|| bearer.scopes.iter().map(Scope::as_str).collect::<Vec<_>>().join(" ")),
            Self::Plan => who.plan.map(ToString::to_string),
        }
    }
}

impl Onward {
    /// Sets the identity headers that have a value and removes the others, in every spelling that an upstream might take for them. Of nobody
    /// none is set: an upstream may take any of them for a sign that a key was checked.
    pub fn identify(&mut self, headers: &[IdentityHeader], request: &Request<'_>, realm: &RealmId, who: Option<&Who<'_>>) {
        for header in headers {
            let value = who.and_then(|who| header.value.render(|known| known.of(realm, who)));
            match value.filter(|value| visible(value)) {
                Some(value) => self.set.push((header.name.to_string(), value)),
                None => self.remove.push(header.name.to_string()),
            }
            self.remove_look_alikes(&header.name, request);
        }
    }

    /// Takes away what stands in these places. What is not UTF-8 cannot be set through Envoy: then parameters are left to Envoy to remove,
    /// and the cookies go as a whole.
    pub fn strip(&mut self, places: &[&Place], request: &Request<'_>, target: &Target<'_>) {
        let (mut exact, mut cookies) = (Vec::new(), Vec::new());
        for place in places {
            match place {
                Place::Header { name, .. } => self.remove.push(name.to_string()),
                Place::Query { name, removal: QueryRemoval::Exact } => exact.push(&**name),
                Place::Query { name, .. } => self.remove_parameters(name, target),
                Place::Cookie { name } => cookies.push(&**name),
            }
        }
        if !exact.is_empty() {
            match String::from_utf8(without_parameters(request.path, &exact)) {
                Ok(path) => self.set.push((":path".into(), path)),
                Err(_) => exact.iter().for_each(|name| self.remove_parameters(name, target)),
            }
        }
        if !cookies.is_empty() {
            match without_cookies(request, &cookies).map(String::from_utf8) {
                Some(Ok(rest)) => self.set.push(("cookie".into(), rest)),
                _ => self.remove.push("cookie".into()),
            }
        }
    }

    /// Removes a header in the spellings that an upstream might take for it, and leaves the header itself.
    pub fn remove_look_alikes(&mut self, name: &str, request: &Request<'_>) {
        self.remove.extend(look_alikes(name, request));
    }

    fn remove_parameters(&mut self, name: &str, target: &Target<'_>) {
        self.remove_parameters.extend(target.spellings(name).into_iter().map(text));
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
