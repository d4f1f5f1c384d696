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
