//! What is known of a key, and whether that opens the gate.

use std::net::IpAddr;
use std::sync::Arc;

use super::address::AddressList;
use super::key::Digest;
use super::name::{KeyId, OwnerId, RealmId, Scope, Word};
use super::owner::Owner;
use super::reason::Reason;
use super::route::Demands;
use super::time::StoreTime;

/// A key's record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub realm: RealmId,
    pub id: KeyId,
    pub owner: OwnerId,
    /// For people.
    pub label: String,
    pub environment: Option<Word>,
    pub kind: Option<Word>,
    pub plan: Option<Word>,
    pub tenant: Option<String>,
    pub scopes: Vec<Scope>,
    /// Empty: any address.
    pub addresses: AddressList,
    pub created: StoreTime,
    pub expires: Option<StoreTime>,
    pub revoked: Option<StoreTime>,
    pub secrets: Vec<KeptSecret>,
    /// Goes up by one with every write.
    pub revision: u64,
    /// Goes up when one of its limits is lowered.
    pub generation: u64,
}

/// A key with its owner: whose request it is. An owner's keys share what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    pub record: Record,
    pub owner: Arc<Owner>,
}

/// What is kept of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptSecret {
    pub digest: Digest,
    /// The version of the pepper that the digest is under.
    pub pepper: Word,
    /// To recognise it by.
    pub prefix: String,
    pub last_four: String,
    pub created: StoreTime,
}

/// What a request asks of a key.
#[derive(Debug, Clone)]
pub struct Asked<'a> {
    pub now: StoreTime,
    /// `None`: no route of the realm is the request's.
    pub demands: Option<&'a Demands>,
    /// The tenant that the request names, in realms that have tenants.
    pub tenant: Option<&'a [u8]>,
    pub address: Option<IpAddr>,
}

impl Record {
    /// Whether the key, found, opens the gate for what is asked. What ends a key stands before what it may not do, so that a dead key
    /// learns nothing of the routes.
    pub fn opens(&self, owner: &Owner, asked: &Asked<'_>) -> Result<(), Reason> {
        require(self.revoked.is_none(), Reason::Revoked)?;
        require(self.expires.is_none_or(|expires| expires > asked.now), Reason::Expired)?;
        require(owner.disabled.is_none(), Reason::OwnerDisabled)?;
        let own = |tenant: &[u8]| self.tenant.as_ref().is_some_and(|own| own.as_bytes() == tenant);
        require(asked.tenant.is_none_or(own), Reason::Tenant)?;
        let demands = asked.demands.ok_or(Reason::NoRoute)?;
        require(allows(&demands.environments, self.environment.as_ref()), Reason::Environment)?;
        require(allows(&demands.kinds, self.kind.as_ref()), Reason::Kind)?;
        require(demands.scopes.iter().all(|scope| self.scopes.contains(scope)), Reason::Scope)?;
        require(self.addresses.0.is_empty() || self.addresses.holds(asked.address), Reason::Address)
    }
}

fn require(condition: bool, otherwise: Reason) -> Result<(), Reason> {
    condition.then_some(()).ok_or(otherwise)
}

fn allows(list: &[Word], own: Option<&Word>) -> bool {
    list.is_empty() || own.is_some_and(|own| list.contains(own))
}
