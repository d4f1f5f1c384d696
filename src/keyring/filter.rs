//! Which keys and owners are listed: predicates of what is known of one.

use super::seen::Seen;
use crate::domain::life::State;
use crate::domain::name::{Scope, Word};
use crate::domain::owner::Owner;
use crate::domain::record::Record;
use crate::domain::time::StoreTime;

/// What keys must be to be listed: all that is said here. What is not said, any may be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeyFilter {
    /// The whole label.
    pub label: Option<String>,
    /// What the label begins with.
    pub label_prefix: Option<String>,
    pub environment: Option<Word>,
    /// The key's own plan, not one that it has from elsewhere.
    pub plan: Option<Word>,
    /// One of its scopes.
    pub scope: Option<Scope>,
    pub state: Option<State>,
    /// It ends before, or has ended.
    pub expiring_before: Option<StoreTime>,
    /// Another secret should have taken over by now, and the key has not ended.
    pub rotation_due: bool,
}

/// What owners must be to be listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OwnerFilter {
    #[default]
    Any,
    Active,
    Disabled,
}

impl KeyFilter {
    /// Whether it takes every key.
    #[must_use]
    pub fn takes_all(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the record alone speaks against the key: what else is known of it need not be looked up then.
    #[must_use]
    pub fn may_take(&self, record: &Record) -> bool {
        is(self.label.as_ref(), Some(&record.label))
            && self.label_prefix.as_ref().is_none_or(|prefix| record.label.starts_with(prefix.as_str()))
            && is(self.environment.as_ref(), record.environment.as_ref())
            && is(self.plan.as_ref(), record.plan.as_ref())
            && self.scope.as_ref().is_none_or(|scope| record.scopes.contains(scope))
            && self.expiring_before.is_none_or(|end| record.expires.is_some_and(|expires| expires < end))
    }

    /// Whether the key is listed, by what is known of it at this time.
    #[must_use]
    pub fn takes(&self, seen: &Seen, now: StoreTime) -> bool {
        let is_due = || seen.rotates.is_some_and(|at| at <= now) && seen.state != Some(State::Expired);
        self.may_take(&seen.record) && self.state.is_none_or(|state| seen.state == Some(state)) && (!self.rotation_due || is_due())
    }
}

impl OwnerFilter {
    #[must_use]
    pub fn takes(self, owner: &Owner) -> bool {
        match self {
            Self::Any => true,
            Self::Active => owner.disabled.is_none(),
            Self::Disabled => owner.disabled.is_some(),
        }
    }
}

/// Nothing that is asked for is whatever there is.
fn is<T: PartialEq>(asked: Option<&T>, own: Option<&T>) -> bool {
    asked.is_none() || asked == own
}
