//! Which keys and owners are listed: predicates of what is known of one.

use super::seen::Seen;
use crate::domain::life::State;
use crate::domain::name::{Scope, Word};
use crate::domain::owner::Owner;
use crate::domain::record::Record;
use crate::domain::time::StoreTime;
use crate::domain::usage::LastUse;

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
    /// It was made before, and not presented since. Not longer ago than uses are kept.
    pub unused_since: Option<StoreTime>,
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

    /// Whether it says which keys are to end. That they work says nothing: others have ended.
    #[must_use]
    pub fn says_which(&self) -> bool {
        let state = self.state.filter(|state| *state == State::Active);
        *self != Self { state, ..Self::default() }
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
            && self.unused_since.is_none_or(|since| record.created < since)
    }

    /// Whether the key is listed, by what is known of it at this time.
    #[must_use]
    pub fn takes(&self, seen: &Seen, now: StoreTime) -> bool {
        let is_due = || seen.rotates.is_some_and(|at| at <= now) && seen.state != Some(State::Expired);
        self.may_take(&seen.record) && self.state.is_none_or(|state| seen.state == Some(state)) && (!self.rotation_due || is_due())
    }
}

/// Whether a key whose last use this is was not presented since. `None`: it was not for as long as uses are kept, or never.
pub(super) fn is_unused(last: Option<LastUse>, since: StoreTime) -> bool {
    last.is_none_or(|last| last.at < since)
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::domain::address::AddressList;
    use crate::domain::name::{KeyId, OwnerId, RealmId};
    use crate::domain::record::Cause;

    const NOW: StoreTime = StoreTime(1_000);

    fn seen() -> Seen {
        let record = Record {
            realm: RealmId::parse("otesse").unwrap(),
            id: KeyId::parse("key_1").unwrap(),
            owner: OwnerId::parse("acme").unwrap(),
            label: "build-7".into(),
            environment: Some(Word::parse("live").unwrap()),
            kind: None,
            plan: Some(Word::parse("gold").unwrap()),
            limits: Vec::new(),
            tenant: None,
            scopes: ["a:read", "a:write"].map(|scope| Scope::parse(scope).unwrap()).into(),
            addresses: AddressList::default(),
            created: StoreTime(1),
            expires: Some(StoreTime(2_000)),
            revoked: None,
            cause: Cause::Asked,
            metadata: BTreeMap::new(),
            binding: None,
            secrets: Vec::new(),
            revision: 1,
            generation: 0,
        };
        Seen { record, state: Some(State::Active), rotates: Some(NOW) }
    }

    #[test]
    fn each_part_of_a_filter_takes_what_it_says_and_nothing_else() {
        let (word, scope) = (|text| Some(Word::parse(text).unwrap()), |text| Some(Scope::parse(text).unwrap()));
        let any = KeyFilter::default;
        for (number, (takes, other)) in [
            (KeyFilter { label: Some("build-7".into()), ..any() }, KeyFilter { label: Some("build".into()), ..any() }),
            (KeyFilter { label_prefix: Some("build".into()), ..any() }, KeyFilter { label_prefix: Some("uild".into()), ..any() }),
            (KeyFilter { environment: word("live"), ..any() }, KeyFilter { environment: word("test"), ..any() }),
            (KeyFilter { plan: word("gold"), ..any() }, KeyFilter { plan: word("go"), ..any() }),
            (KeyFilter { scope: scope("a:write"), ..any() }, KeyFilter { scope: scope("a"), ..any() }),
            (KeyFilter { state: Some(State::Active), ..any() }, KeyFilter { state: Some(State::Expired), ..any() }),
            (
                KeyFilter { expiring_before: Some(StoreTime(2_001)), ..any() },
                KeyFilter { expiring_before: Some(StoreTime(2_000)), ..any() },
            ),
            (KeyFilter { unused_since: Some(StoreTime(2)), ..any() }, KeyFilter { unused_since: Some(StoreTime(1)), ..any() }),
        ]
        .into_iter()
        .enumerate()
        {
            assert!(takes.takes(&seen(), NOW) && !other.takes(&seen(), NOW), "part {number}");
            assert!(!takes.takes_all() && !other.takes_all(), "part {number}");
        }
        assert!(any().takes_all() && any().takes(&seen(), NOW));
        let without = Record { environment: None, plan: None, expires: None, scopes: Vec::new(), ..seen().record };
        for filter in [
            KeyFilter { environment: word("live"), ..any() },
            KeyFilter { plan: word("gold"), ..any() },
            KeyFilter { scope: scope("a:read"), ..any() },
            KeyFilter { expiring_before: Some(StoreTime(i64::MAX)), ..any() },
        ] {
            assert!(!filter.may_take(&without), "what a key has not is not what is asked for: {filter:?}");
        }
    }

    #[test]
    fn rotation_is_due_from_its_time_on_until_the_key_has_ended() {
        let due = KeyFilter { rotation_due: true, ..KeyFilter::default() };
        assert!(due.takes(&seen(), NOW) && !due.takes(&seen(), StoreTime(999)));
        assert!(!due.takes(&Seen { rotates: None, ..seen() }, NOW));
        assert!(!due.takes(&Seen { state: Some(State::Expired), ..seen() }, NOW));
        assert!(due.takes(&Seen { state: Some(State::OwnerDisabled), ..seen() }, NOW));
    }

    #[test]
    fn a_key_is_unused_since_an_instant_if_nobody_presented_it_from_then_on() {
        let last = |at| Some(LastUse { at: StoreTime(at), address: None });
        assert!(is_unused(None, NOW) && is_unused(last(999), NOW));
        assert!(!is_unused(last(1_000), NOW) && !is_unused(last(1_001), NOW));
    }

    #[test]
    fn a_state_that_is_not_known_is_none_that_is_asked_for() {
        let active = KeyFilter { state: Some(State::Active), ..KeyFilter::default() };
        assert!(!active.takes(&Seen { state: None, ..seen() }, NOW));
    }
}
