//! Who presents a key: what a check has to know of the key and of its owner, and whether that opens the gate. A replica remembers as many of
//! these as it can, so nothing is in it that no check asks for.

use std::net::IpAddr;
use std::sync::Arc;

use super::address::AddressList;
use super::limit::Override;
use super::name::{KeyId, Scope, Word};
use super::owner::Owner;
use super::reason::Reason;
use super::record::Holder;
use super::route::Demands;
use super::time::StoreTime;

/// A key as a check sees it. An owner's keys share what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bearer {
    pub key: KeyId,
    pub environment: Option<Word>,
    pub kind: Option<Word>,
    pub plan: Option<Word>,
    pub tenant: Option<Box<str>>,
    pub scopes: Arc<[Scope]>,
    /// What few keys have.
    pub special: Option<Box<Special>>,
    pub expires: Option<StoreTime>,
    pub revoked: bool,
    /// Goes up when one of the key's limits is lowered.
    pub generation: u64,
    pub owner: Arc<Owner>,
}

/// What few keys have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Special {
    /// Empty: any address.
    pub addresses: AddressList,
    /// Numbers of the key's own for limits of its plan.
    pub limits: Box<[Override]>,
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

impl From<Holder> for Bearer {
    fn from(Holder { record, owner }: Holder) -> Self {
        Self {
            key: record.id,
            environment: record.environment,
            kind: record.kind,
            plan: record.plan,
            tenant: record.tenant.map(Into::into),
            scopes: record.scopes.into(),
            special: Special::of(record.addresses, record.limits),
            expires: record.expires,
            revoked: record.revoked.is_some(),
            generation: record.generation,
            owner: Arc::new(owner),
        }
    }
}

impl Special {
    fn of(addresses: AddressList, limits: Vec<Override>) -> Option<Box<Self>> {
        let is_special = !(addresses.0.is_empty() && limits.is_empty());
        is_special.then(|| Box::new(Self { addresses, limits: limits.into() }))
    }
}

impl Bearer {
    /// Numbers of the key's own for limits of its plan.
    #[must_use]
    pub fn limits(&self) -> &[Override] {
        self.special.as_ref().map_or(&[], |special| &special.limits)
    }

    /// Whether a request may come from this address.
    fn may_come_from(&self, address: Option<IpAddr>) -> bool {
        self.special.as_ref().is_none_or(|special| special.addresses.0.is_empty() || special.addresses.holds(address))
    }

    /// Whether the key, found, opens the gate for what is asked. What ends a key stands before what it may not do, so that a dead key
    /// learns nothing of the routes.
    pub fn opens(&self, asked: &Asked<'_>) -> Result<(), Reason> {
        require(!self.revoked, Reason::Revoked)?;
        require(self.expires.is_none_or(|expires| expires > asked.now), Reason::Expired)?;
        require(self.owner.disabled.is_none(), Reason::OwnerDisabled)?;
        let own = |tenant: &[u8]| self.tenant.as_ref().is_some_and(|own| own.as_bytes() == tenant);
        require(asked.tenant.is_none_or(own), Reason::Tenant)?;
        let demands = asked.demands.ok_or(Reason::NoRoute)?;
        require(allows(&demands.environments, self.environment.as_ref()), Reason::Environment)?;
        require(allows(&demands.kinds, self.kind.as_ref()), Reason::Kind)?;
        require(demands.scopes.iter().all(|scope| self.scopes.contains(scope)), Reason::Scope)?;
        require(self.may_come_from(asked.address), Reason::Address)
    }
}

fn require(condition: bool, otherwise: Reason) -> Result<(), Reason> {
    condition.then_some(()).ok_or(otherwise)
}

fn allows(list: &[Word], own: Option<&Word>) -> bool {
    list.is_empty() || own.is_some_and(|own| list.contains(own))
}
