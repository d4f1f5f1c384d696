//! What a mutation writes.

use ipnet::IpNet;

use super::audit::AuditNote;
use crate::domain::actor::Actor;
use crate::domain::address::AddressList;
use crate::domain::audit::Head;
use crate::domain::key::Digest;
use crate::domain::name::{KeyId, OwnerId, RealmId};
use crate::domain::owner::Owner;
use crate::domain::record::{KeptSecret, Record};
use crate::domain::time::StoreTime;
use crate::revocation::Standing;

/// Changes that are made together, or not at all.
#[derive(Debug, Clone)]
pub struct Commit {
    pub changes: Vec<Change>,
    pub audit: AuditNote,
    pub request: Option<RequestId>,
    pub needs: Needs,
    /// A mark that no other commit may carry after this one: SHA-256 of a one-time secret.
    pub once: Option<[u8; 32]>,
}

/// What must be so for a commit, beside what its changes expect; each of a realm.
#[derive(Debug, Clone, Default)]
pub struct Needs {
    /// Digests that no key may have: those of a secret under other peppers, or of other schemes, where a key gets it.
    pub free: Vec<(RealmId, Digest)>,
    /// Owners that must be there, whose keys it makes. Those that it makes itself are not meant.
    pub owners: Vec<(RealmId, OwnerId)>,
}

/// A record in place of another, or of none.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "nearly all are of the largest")]
pub enum Change {
    Key {
        record: Record,
        expect: Expect,
    },
    Owner {
        owner: Owner,
        expect: Expect,
    },
    /// There is no such key any more.
    Removed {
        realm: RealmId,
        id: KeyId,
        expect: Expect,
    },
}

impl Change {
    /// Where its record is.
    #[must_use]
    pub fn realm(&self) -> &RealmId {
        match self {
            Self::Key { record, .. } => &record.realm,
            Self::Owner { owner, .. } => &owner.realm,
            Self::Removed { realm, .. } => realm,
        }
    }

    /// What kind of record, and its id.
    #[must_use]
    pub fn named(&self) -> (&'static str, &str) {
        match self {
            Self::Key { record, .. } => ("key", record.id.as_str()),
            Self::Owner { owner, .. } => ("owner", owner.id.as_str()),
            Self::Removed { id, .. } => ("key", id.as_str()),
        }
    }

    /// Those of its secrets, where it is a key.
    pub fn digests(&self) -> impl Iterator<Item = Digest> {
        let secrets = if let Self::Key { record, .. } = self { &record.secrets[..] } else { &[] };
        secrets.iter().map(|secret| secret.digest)
    }

    /// What must be there before.
    #[must_use]
    pub fn expects(&self) -> Expect {
        let (Self::Key { expect, .. } | Self::Owner { expect, .. } | Self::Removed { expect, .. }) = self;
        *expect
    }
}

/// What must be there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    Absent,
    Revision(u64),
}

/// An id that makes a mutation idempotent, for 24 hours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId {
    /// Ids of different callers never meet.
    pub caller: Actor,
    pub id: String,
    /// SHA-256 of what was asked.
    pub fingerprint: [u8; 32],
}

/// A commit that was made, now or under the same request id before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// Of the last of its changes.
    pub position: u64,
    /// What it stands on now.
    pub standing: Standing,
    /// The first subject of the commit that was made before, where this is a replay.
    pub replayed: Option<String>,
    /// Where the audit log ends with its entry; where this is a replay, nothing was appended.
    pub audit: Option<Head>,
}

/// Whether a change may refuse what passed before. A record that was not there let nothing pass.
#[must_use]
pub fn is_restricting(before: Option<&Change>, after: &Change) -> bool {
    match (before, after) {
        (Some(Change::Key { record: before, .. }), Change::Key { record: after, .. }) => restricts_key(before, after),
        (Some(Change::Owner { owner: before, .. }), Change::Owner { owner: after, .. }) => restricts_owner(before, after),
        (Some(_), Change::Removed { .. }) => true,
        _ => false,
    }
}

impl Change {
    /// Whether it leaves behind what may do nothing any more, or nothing at all, whatever there was.
    #[must_use]
    pub fn takes_away(&self) -> bool {
        match self {
            Self::Key { record, expect } => record.revoked.is_some() && *expect != Expect::Absent,
            Self::Owner { owner, expect } => owner.disabled.is_some() && *expect != Expect::Absent,
            Self::Removed { .. } => true,
        }
    }
}

/// Whether the key may do less than before, so that nobody may go on with what they remember of it. In doubt, it restricts.
#[must_use]
pub fn restricts_key(before: &Record, after: &Record) -> bool {
    let kept = |secret: &KeptSecret| after.secrets.iter().find(|kept| is_same(secret, kept));
    let lost = |secret: &KeptSecret| kept(secret).is_none_or(|kept| ends_sooner(secret.ends, kept.ends));
    let other = (&before.owner, &before.environment, &before.kind, &before.tenant)
        != (&after.owner, &after.environment, &after.kind, &after.tenant);
    (after.revoked.is_some() && before.revoked.is_none())
        || ends_sooner(before.expires, after.expires)
        || before.scopes.iter().any(|scope| !after.scopes.contains(scope))
        || narrows(&before.addresses, &after.addresses)
        || before.secrets.iter().any(lost)
        || other
        || after.generation > before.generation
}

/// Whether the owner's keys may do less than before.
#[must_use]
pub fn restricts_owner(before: &Owner, after: &Owner) -> bool {
    (after.disabled.is_some() && before.disabled.is_none()) || after.generation > before.generation
}

/// One whose digest was made anew, under another pepper or of another scheme, is still the same.
fn is_same(before: &KeptSecret, after: &KeptSecret) -> bool {
    let made_anew = (&before.pepper, before.scheme) != (&after.pepper, after.scheme);
    before.number == after.number && (before.digest == after.digest || made_anew)
}

fn ends_sooner(before: Option<StoreTime>, after: Option<StoreTime>) -> bool {
    after.is_some_and(|end| before.is_none_or(|before| end < before))
}

/// An empty list is any address.
fn narrows(before: &AddressList, after: &AddressList) -> bool {
    let covered = |block: &IpNet| after.0.iter().any(|wider| wider.contains(block));
    !after.0.is_empty() && (before.0.is_empty() || !before.0.iter().all(covered))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::domain::key::Scheme;
    use crate::domain::name::{OwnerId, Scope, Word};
    use crate::domain::record::Cause;

    fn record() -> Record {
        let word = |text| Word::parse(text).unwrap();
        let secret = |byte: u8| KeptSecret {
            digest: Digest([byte; 32]),
            pepper: word("1"),
            prefix: "k_".into(),
            last_four: "abcd".into(),
            created: StoreTime(1),
            number: byte.into(),
            ends: None,
            scheme: Scheme::Secret,
        };
        Record {
            realm: RealmId::parse("otesse").unwrap(),
            id: KeyId::parse("key_1").unwrap(),
            owner: OwnerId::parse("acme").unwrap(),
            label: String::new(),
            environment: Some(word("live")),
            kind: None,
            plan: None,
            limits: Vec::new(),
            tenant: None,
            scopes: ["a:read", "a:write"].map(|scope| Scope::parse(scope).unwrap()).into(),
            addresses: AddressList(vec!["192.0.2.0/24".parse().unwrap()]),
            created: StoreTime(1),
            expires: Some(StoreTime(100)),
            revoked: None,
            cause: Cause::Asked,
            metadata: BTreeMap::new(),
            binding: None,
            secrets: vec![secret(1), secret(2)],
            revision: 1,
            generation: 1,
        }
    }

    #[test]
    fn whatever_takes_something_from_a_key_restricts() {
        let changes: [fn(&mut Record); 12] = [
            |key| key.revoked = Some(StoreTime(5)),
            |key| key.expires = Some(StoreTime(99)),
            |key| drop(key.scopes.pop()),
            |key| key.addresses = AddressList(vec!["192.0.2.0/25".parse().unwrap()]),
            |key| key.addresses = AddressList(vec!["198.51.100.0/24".parse().unwrap()]),
            |key| drop(key.secrets.pop()),
            |key| key.secrets[0].digest = Digest([9; 32]),
            |key| key.secrets[0].ends = Some(StoreTime(99)),
            |key| key.owner = OwnerId::parse("other").unwrap(),
            |key| key.environment = None,
            |key| key.tenant = Some("t".into()),
            |key| key.generation = 2,
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let mut after = record();
            change(&mut after);
            assert!(restricts_key(&record(), &after), "change {number}");
        }
        let unlimited = Record { expires: None, addresses: AddressList::default(), ..record() };
        assert!(restricts_key(&unlimited, &Record { expires: Some(StoreTime(100)), ..unlimited.clone() }));
        assert!(restricts_key(&unlimited, &Record { addresses: record().addresses, ..unlimited.clone() }));
    }

    #[test]
    fn what_only_gives_or_renames_does_not_restrict() {
        let changes: [fn(&mut Record); 8] = [
            |key| key.label = "new".into(),
            |key| (key.secrets[0].digest, key.secrets[0].pepper) = (Digest([9; 32]), Word::parse("2").unwrap()),
            |key| key.revision = 2,
            |key| key.expires = None,
            |key| key.expires = Some(StoreTime(101)),
            |key| key.scopes.push(Scope::parse("b:read").unwrap()),
            |key| key.addresses = AddressList(vec!["192.0.0.0/16".parse().unwrap(), "198.51.100.0/24".parse().unwrap()]),
            |key| key.addresses = AddressList::default(),
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let mut after = record();
            change(&mut after);
            assert!(!restricts_key(&record(), &after), "change {number}");
        }
        let revoked = Record { revoked: Some(StoreTime(5)), ..record() };
        assert!(!restricts_key(&revoked, &record()));
    }

    #[test]
    fn an_owner_is_restricted_by_being_disabled_or_limited_and_not_by_a_name() {
        let owner = Owner {
            realm: record().realm,
            id: record().owner,
            name: "Acme".into(),
            plan: None,
            limits: [].into(),
            created: StoreTime(1),
            disabled: None,
            revision: 1,
            generation: 1,
        };
        let disabled = Owner { disabled: Some(StoreTime(5)), ..owner.clone() };
        assert!(restricts_owner(&owner, &disabled));
        assert!(restricts_owner(&owner, &Owner { generation: 2, ..owner.clone() }));
        assert!(!restricts_owner(&disabled, &owner));
        assert!(!restricts_owner(&owner, &Owner { name: "Acme Ltd".into(), revision: 2, ..owner.clone() }));
    }
}
