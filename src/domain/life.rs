//! A key's life: how long a realm lets it be, when its secret is to be changed, and what state it is in.

use std::time::Duration;

use super::owner::Owner;
use super::record::Record;
use super::time::StoreTime;

/// What a realm says of the life of its keys. Both spans count from when the key's newest secret was made, so that only another secret buys a
/// key more time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KeyLife {
    /// No key may be made to end later than so long after; `None`: it need not end.
    pub longest: Option<Duration>,
    /// Advice: so long after, another secret should take over.
    pub rotate_after: Option<Duration>,
}

/// Whether a key opens anything, and if it does not, what stands in its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    Active,
    Revoked,
    Expired,
    OwnerDisabled,
}

impl KeyLife {
    /// The latest end of a key whose newest secret was made then; `None`: there is none.
    #[must_use]
    pub fn latest_end(&self, newest: StoreTime) -> Option<StoreTime> {
        self.longest.map(|longest| after(newest, longest))
    }

    /// When another secret should have taken over; `None`: the realm advises nothing, or the key is revoked.
    #[must_use]
    pub fn rotates(&self, record: &Record) -> Option<StoreTime> {
        self.rotate_after.filter(|_| record.revoked.is_none()).map(|span| after(newest(record), span))
    }
}

impl State {
    /// The state of a key at an instant, in the gate's order: what is final stands first. `None`: that hangs on the owner, who is not known.
    #[must_use]
    pub fn of(record: &Record, owner: Option<&Owner>, now: StoreTime) -> Option<Self> {
        match (record.revoked, record.expires, owner) {
            (Some(_), _, _) => Some(Self::Revoked),
            (None, Some(expires), _) if expires <= now => Some(Self::Expired),
            (None, _, Some(owner)) if owner.disabled.is_some() => Some(Self::OwnerDisabled),
            (None, _, Some(_)) => Some(Self::Active),
            (None, _, None) => None,
        }
    }
}

/// When the newest of a key's secrets was made.
#[must_use]
pub fn newest(record: &Record) -> StoreTime {
    record.secrets.iter().map(|secret| secret.created).max().unwrap_or(record.created)
}

fn after(at: StoreTime, span: Duration) -> StoreTime {
    StoreTime(at.0.saturating_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::domain::address::AddressList;
    use crate::domain::key::{Digest, Scheme};
    use crate::domain::name::{KeyId, OwnerId, RealmId, Word};
    use crate::domain::record::{Cause, KeptSecret};

    const NOW: StoreTime = StoreTime(1_000);

    fn owner(disabled: Option<i64>) -> Owner {
        Owner {
            realm: RealmId::parse("otesse").unwrap(),
            id: OwnerId::parse("acme").unwrap(),
            name: String::new(),
            plan: None,
            limits: [].into(),
            created: StoreTime(1),
            disabled: disabled.map(StoreTime),
            revision: 1,
            generation: 0,
        }
    }

    pub(crate) fn key(revoked: Option<i64>, expires: Option<i64>) -> Record {
        let secret = |created| KeptSecret {
            digest: Digest([1; 32]),
            pepper: Word::parse("1").unwrap(),
            prefix: String::new(),
            last_four: String::new(),
            created: StoreTime(created),
            number: 1,
            ends: None,
            scheme: Scheme::Secret,
        };
        Record {
            realm: RealmId::parse("otesse").unwrap(),
            id: KeyId::parse("key_1").unwrap(),
            owner: OwnerId::parse("acme").unwrap(),
            label: String::new(),
            environment: None,
            kind: None,
            plan: None,
            limits: Vec::new(),
            tenant: None,
            scopes: Vec::new(),
            addresses: AddressList::default(),
            created: StoreTime(5),
            expires: expires.map(StoreTime),
            revoked: revoked.map(StoreTime),
            cause: Cause::Asked,
            metadata: BTreeMap::new(),
            binding: None,
            secrets: [7, 9, 8].map(secret).into(),
            revision: 1,
            generation: 0,
        }
    }

    #[test]
    fn the_state_of_a_key_is_that_of_the_table() {
        use State::{Active, Expired, OwnerDisabled, Revoked};
        for (revoked, expires, disabled, state) in [
            (None, None, None, Active),
            (None, Some(1_001), None, Active),
            (None, Some(1_000), None, Expired),
            (None, None, Some(1), OwnerDisabled),
            (None, Some(999), Some(1), Expired),
            (Some(1), None, None, Revoked),
            (Some(1), Some(999), Some(1), Revoked),
        ] {
            let (key, owner) = (key(revoked, expires), owner(disabled));
            assert_eq!(State::of(&key, Some(&owner), NOW), Some(state), "{revoked:?} {expires:?} {disabled:?}");
            let hangs_on_the_owner = matches!(state, Active | OwnerDisabled);
            assert_eq!(State::of(&key, None, NOW), (!hangs_on_the_owner).then_some(state));
        }
    }

    #[test]
    fn spans_count_from_the_newest_secret_and_advice_ends_with_the_key() {
        let life = KeyLife { longest: Some(Duration::from_secs(1)), rotate_after: Some(Duration::from_millis(1)) };
        assert_eq!(newest(&key(None, None)), StoreTime(9));
        assert_eq!(newest(&Record { secrets: Vec::new(), ..key(None, None) }), StoreTime(5));
        assert_eq!((life.latest_end(StoreTime(9)), life.rotates(&key(None, None))), (Some(StoreTime(1_009)), Some(StoreTime(10))));
        assert_eq!(life.rotates(&key(Some(1), None)), None);
        let says_nothing = KeyLife::default();
        assert_eq!((says_nothing.latest_end(NOW), says_nothing.rotates(&key(None, None))), (None, None));
        let for_ever = KeyLife { longest: Some(Duration::MAX), rotate_after: None };
        assert_eq!(for_ever.latest_end(NOW), Some(StoreTime(i64::MAX)));
    }
}
