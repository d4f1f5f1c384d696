//! All realms, and which of them a request is in.

use std::collections::HashMap;
use std::sync::Arc;

use super::name::{RealmId, admin_realm};
use super::realm::Realm;
use super::reason::Reason;
use super::request::Request;

/// The realms of one configuration. No two of them share a host.
#[derive(Debug, Clone, Default)]
pub struct Realms {
    by_id: HashMap<RealmId, Arc<Realm>>,
    by_host: HashMap<Box<str>, Arc<Realm>>,
}

/// Two realms with one id or one host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Clash {
    #[error("two realms are called {0}")]
    Id(RealmId),
    #[error("the realms {0} and {1} both have the host {2}")]
    Host(RealmId, RealmId, Box<str>),
}

impl Realms {
    /// All of them, or the first clash.
    pub fn new(realms: impl IntoIterator<Item = Realm>) -> Result<Self, Clash> {
        let mut all = Self::default();
        for realm in realms {
            let realm = Arc::new(realm);
            for host in &realm.hosts {
                if let Some(other) = all.by_host.insert(host.clone(), realm.clone()) {
                    return Err(Clash::Host(other.id.clone(), realm.id.clone(), host.clone()));
                }
            }
            if all.by_id.insert(realm.id.clone(), realm.clone()).is_some() {
                return Err(Clash::Id(realm.id.clone()));
            }
        }
        Ok(all)
    }

    /// The request's realm: the proxy's word, else the host's. Where both name one, it must be the same. The realm of the admin tokens
    /// is no request's.
    pub fn of(&self, request: &Request<'_>) -> Result<&Arc<Realm>, Reason> {
        let by_host = self.by_host(request.host);
        let realm = match request.extension("realm") {
            None => by_host,
            Some(named) => {
                let named = std::str::from_utf8(named).ok().and_then(|named| RealmId::parse(named).ok()).ok_or(Reason::NoRealm)?;
                let named = self.by_id.get(&named).ok_or(Reason::NoRealm)?;
                by_host.is_none_or(|host| host.id == named.id).then_some(named)
            }
        };
        realm.filter(|realm| realm.id != admin_realm()).ok_or(Reason::NoRealm)
    }

    /// A realm by its id.
    #[must_use]
    pub fn get(&self, id: &RealmId) -> Option<&Arc<Realm>> {
        self.by_id.get(id)
    }

    /// All of them, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Realm>> {
        self.by_id.values()
    }

    /// The realm that a host is one of.
    #[must_use]
    pub fn by_host(&self, host: &[u8]) -> Option<&Arc<Realm>> {
        let host = name_of(host)?;
        if let Some(realm) = self.by_host.get(host.as_str()) {
            return Some(realm);
        }
        let mut rest = host.as_str();
        while let Some((_, parent)) = rest.split_once('.') {
            let below = host.len() > parent.len() + 1;
            if let Some(realm) = self.by_host.get(format!("*.{parent}").as_str()).filter(|_| below) {
                return Some(realm);
            }
            rest = parent;
        }
        None
    }
}

/// The name in `:authority`: lower case, without port and without a closing dot.
fn name_of(host: &[u8]) -> Option<String> {
    let host = std::str::from_utf8(host).ok()?;
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    Some(name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase())
}
