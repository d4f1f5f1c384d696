//! Who presents a key: what a check has to know of the key and of its owner, and whether that opens the gate. A replica remembers as many of
//! these as it can, so nothing is in it that no check asks for.

use std::net::IpAddr;
use std::sync::Arc;

use super::address::AddressList;
use super::key::Digest;
use super::limit::Override;
use super::name::{KeyId, Scope, Word};
use super::owner::Owner;
use super::reason::Reason;
use super::record::{Holder, KeptSecret};
use super::route::Demands;
use super::time::StoreTime;

/// A key as a check sees it that presents one of its secrets. An owner's keys share what is known of it.
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
    /// When the key ends, or the secret that was presented: whichever is first.
    pub expires: Option<StoreTime>,
    pub revoked: bool,
    /// The number of the secret that was presented.
    pub secret: u32,
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

/// What a key that was found has to stand up to, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    Revoked,
    Expired,
    /// It is not disabled.
    Owner,
    Tenant,
    /// There is one.
    Route,
    Environment,
    Kind,
    Scope,
    Address,
}

impl Bearer {
    /// Who presents a secret of which these are the digests, one for each live pepper. `None`: the record holds none of them.
    #[must_use]
    pub fn presenting(digests: &[Digest], Holder { record, owner }: Holder) -> Option<Self> {
        let KeptSecret { number, ends, .. } = record.secrets.iter().find(|kept| digests.contains(&kept.digest))?;
        let (secret, expires) = (*number, record.expires.into_iter().chain(*ends).min());
        Some(Self {
            key: record.id,
            environment: record.environment,
            kind: record.kind,
            plan: record.plan,
            tenant: record.tenant.map(Into::into),
            scopes: record.scopes.into(),
            special: Special::of(record.addresses, record.limits),
            expires,
            revoked: record.revoked.is_some(),
            secret,
            generation: record.generation,
            owner: Arc::new(owner),
        })
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
        self.judged(asked, |_, outcome| outcome)
    }

    /// Each rule in turn is told to a witness, who says whether to go on: whoever explains a refusal hears of the rules behind it too.
    pub fn judged(&self, asked: &Asked<'_>, mut witness: impl FnMut(Rule, Result<(), Reason>) -> Result<(), Reason>) -> Result<(), Reason> {
        witness(Rule::Revoked, require(!self.revoked, Reason::Revoked))?;
        witness(Rule::Expired, require(self.expires.is_none_or(|expires| expires > asked.now), Reason::Expired))?;
        witness(Rule::Owner, require(self.owner.disabled.is_none(), Reason::OwnerDisabled))?;
        let own = |tenant: &[u8]| self.tenant.as_ref().is_some_and(|own| own.as_bytes() == tenant);
        witness(Rule::Tenant, require(asked.tenant.is_none_or(own), Reason::Tenant))?;
        let demands = asked.demands;
        witness(Rule::Route, require(demands.is_some(), Reason::NoRoute))?;
        let environment = demands.is_none_or(|demands| allows(&demands.environments, self.environment.as_ref()));
        witness(Rule::Environment, require(environment, Reason::Environment))?;
        let kind = demands.is_none_or(|demands| allows(&demands.kinds, self.kind.as_ref()));
        witness(Rule::Kind, require(kind, Reason::Kind))?;
        let scope = demands.is_none_or(|demands| demands.scopes.iter().all(|scope| self.scopes.contains(scope)));
        witness(Rule::Scope, require(scope, Reason::Scope))?;
        witness(Rule::Address, require(self.may_come_from(asked.address), Reason::Address))
    }
}

fn require(condition: bool, otherwise: Reason) -> Result<(), Reason> {
    condition.then_some(()).ok_or(otherwise)
}

fn allows(list: &[Word], own: Option<&Word>) -> bool {
    list.is_empty() || own.is_some_and(|own| list.contains(own))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::key::Scheme;
    use super::super::name::{OwnerId, RealmId};
    use super::super::record::{Cause, Record};
    use super::*;

    const END: StoreTime = StoreTime(1_000);

    fn digest(number: u8) -> Digest {
        Digest([number; 32])
    }

    /// A key whose first secret ends at [`END`], and whose second one ends with the key.
    fn rotated(expires: Option<StoreTime>) -> Holder {
        let (realm, owner, created) = (RealmId::parse("r").unwrap(), OwnerId::parse("o").unwrap(), StoreTime(1));
        let record = Record {
            realm: realm.clone(),
            id: KeyId::parse("k").unwrap(),
            owner: owner.clone(),
            label: String::new(),
            environment: None,
            kind: None,
            plan: None,
            limits: Vec::new(),
            tenant: None,
            scopes: Vec::new(),
            addresses: AddressList::default(),
            created,
            expires,
            revoked: None,
            cause: Cause::Asked,
            metadata: BTreeMap::new(),
            binding: None,
            secrets: vec![kept(2, None), kept(1, Some(END))],
            revision: 1,
            generation: 0,
        };
        let (name, limits) = (String::new(), Box::default());
        let owner = Owner { realm, id: owner, name, plan: None, limits, created, disabled: None, revision: 1, generation: 0 };
        Holder { record, owner }
    }

    fn kept(number: u8, ends: Option<StoreTime>) -> KeptSecret {
        let (digest, pepper, prefix, last_four) = (digest(number), Word::parse("1").unwrap(), String::new(), String::new());
        KeptSecret { digest, pepper, prefix, last_four, created: StoreTime(1), number: number.into(), ends, scheme: Scheme::Secret }
    }

    fn presents(number: u8, expires: Option<StoreTime>) -> Bearer {
        // the newest pepper's digest is no secret's; this is the other one's
        Bearer::presenting(&[digest(9), digest(number)], rotated(expires)).unwrap()
    }

    fn opens_at(bearer: &Bearer, now: i64) -> Result<(), Reason> {
        bearer.opens(&Asked { now: StoreTime(now), demands: Some(&Demands::default()), tenant: None, address: None })
    }

    #[test]
    fn a_secret_opens_until_it_ends_and_the_other_one_goes_on() {
        let (old, new) = (presents(1, None), presents(2, None));
        assert_eq!((old.secret, new.secret), (1, 2));
        assert_eq!(opens_at(&old, END.0 - 1), Ok(()));
        assert_eq!(opens_at(&old, END.0), Err(Reason::Expired));
        assert_eq!(opens_at(&new, END.0), Ok(()), "control: nothing but its own end is over");
    }

    #[test]
    fn a_key_that_ends_sooner_than_its_secret_ends_all_of_them() {
        for (number, until) in [(1, 500), (2, 500)] {
            assert_eq!(presents(number, Some(StoreTime(500))).expires, Some(StoreTime(until)));
        }
        assert_eq!(presents(1, Some(StoreTime(2_000))).expires, Some(END));
        assert_eq!(presents(2, Some(StoreTime(2_000))).expires, Some(StoreTime(2_000)));
    }

    #[test]
    fn a_secret_that_the_record_does_not_hold_presents_nobody() {
        assert_eq!(Bearer::presenting(&[digest(3)], rotated(None)), None);
    }
}
