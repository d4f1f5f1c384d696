//! Whether a change of a key or an owner may lower a limit. The plans are not asked: they stand in a file of which another replica may have
//! another version.

use super::limit::Override;
use super::name::Word;

/// What a key or an owner says of its limits.
#[derive(Debug, Clone, Copy)]
pub struct Says<'a> {
    pub plan: Option<&'a Word>,
    pub limits: &'a [Override],
}

/// Whether some limit may be lower after the change than it was before. In doubt it may: it surely is not where the plan stays, and so do the
/// names of the overrides, and none of their numbers is lower. An override that comes or goes stands against a plan's number, which may be
/// the higher one.
#[must_use]
pub fn may_lower(before: Says<'_>, after: Says<'_>) -> bool {
    let raised = |one: &Override| after.number(&one.limit).is_some_and(|most| most >= one.most);
    let known = |one: &Override| before.number(&one.limit).is_some();
    before.plan != after.plan || !before.limits.iter().all(raised) || !after.limits.iter().all(known)
}

impl Says<'_> {
    /// The one that counts, should a limit have two.
    fn number(&self, limit: &Word) -> Option<u32> {
        self.limits.iter().find(|one| one.limit == *limit).map(|one| one.most)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::address::AddressList;
    use crate::domain::bearer::{Bearer, Special};
    use crate::domain::limit::{self, Length, Limit, Per, Plan};
    use crate::domain::name::{KeyId, OwnerId, RealmId};
    use crate::domain::outcome::Counts;
    use crate::domain::owner::Owner;
    use crate::domain::time::StoreTime;
    use crate::domain::window::Force;

    fn word(text: &str) -> Word {
        Word::parse(text).unwrap()
    }

    fn numbers(of: &[(&str, u32)]) -> Vec<Override> {
        of.iter().map(|(limit, most)| Override { limit: word(limit), most: *most }).collect()
    }

    type Said<'a> = (Option<&'a str>, &'a [(&'a str, u32)]);

    fn lowers(before: Said<'_>, after: Said<'_>) -> bool {
        let (plans, limits) = ((before.0.map(word), after.0.map(word)), (numbers(before.1), numbers(after.1)));
        may_lower(Says { plan: plans.0.as_ref(), limits: &limits.0 }, Says { plan: plans.1.as_ref(), limits: &limits.1 })
    }

    #[test]
    fn the_same_overrides_with_numbers_that_are_no_lower_lower_nothing() {
        for (before, after) in [
            (&[][..], &[][..]),
            (&[("minute", 5)], &[("minute", 5)]),
            (&[("minute", 5)], &[("minute", 6)]),
            (&[("minute", 5), ("hour", 7)], &[("hour", 7), ("minute", u32::MAX)]),
        ] {
            assert!(!lowers((Some("live"), before), (Some("live"), after)), "{before:?} {after:?}");
        }
    }

    #[test]
    fn a_lower_number_an_override_more_or_less_and_another_plan_may_lower() {
        for (before, after) in [
            (&[("minute", 5)][..], &[("minute", 4)][..]),
            (&[("minute", 5), ("hour", 7)], &[("minute", 9), ("hour", 6)]),
            (&[], &[("minute", u32::MAX)]),
            (&[("minute", 1)], &[]),
            (&[("minute", 5)], &[("hour", 5)]),
            (&[("minute", 5), ("minute", 9)], &[("minute", 9), ("hour", 1)]),
        ] {
            assert!(lowers((None, before), (None, after)), "{before:?} {after:?}");
        }
        for (before, after) in [(None, Some("live")), (Some("live"), None), (Some("live"), Some("test"))] {
            assert!(lowers((before, &[]), (after, &[])), "{before:?} {after:?}");
        }
    }

    const LIMITS: [&str; 4] = ["second", "minute", "hour", "day"];
    const PLANS: [&str; 3] = ["free", "live", "large"];

    /// Numbers below a bound, one after the other.
    struct Dice(u64);

    impl Dice {
        fn below(&mut self, bound: u32) -> u32 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            u32::try_from((self.0 >> 33) % u64::from(bound)).unwrap()
        }

        fn plans(&mut self) -> Vec<Plan> {
            let mut plan = |name: &&str| Plan { name: word(name), limits: LIMITS.iter().filter_map(|limit| self.limit(limit)).collect() };
            PLANS.iter().map(&mut plan).collect()
        }

        fn limit(&mut self, name: &str) -> Option<Limit> {
            let per = [Per::Key, Per::Owner][self.below(2) as usize];
            let limit = Limit {
                name: word(name),
                per,
                most: 1 + self.below(9),
                length: Length::Sliding(1000),
                counts: Counts::All,
                force: Force::Enforced,
            };
            (self.below(4) > 0).then_some(limit)
        }

        fn plan(&mut self) -> Option<Word> {
            PLANS.get(self.below(4) as usize).map(|plan| word(plan))
        }

        fn overrides(&mut self) -> Vec<Override> {
            let some: Vec<&str> = LIMITS.into_iter().filter(|_| self.below(2) > 0).collect();
            some.into_iter().map(|limit| Override { limit: word(limit), most: 1 + self.below(9) }).collect()
        }

        /// Mostly the same numbers, a little up or down; now and then others.
        fn changed(&mut self, overrides: &[Override]) -> Vec<Override> {
            if self.below(8) == 0 {
                return self.overrides();
            }
            let up = |dice: &mut Self, one: &Override| Override {
                most: (one.most + dice.below(4)).saturating_sub(dice.below(2)).max(1),
                ..one.clone()
            };
            overrides.iter().map(|one| up(self, one)).collect()
        }

        fn bearer(&mut self) -> Bearer {
            let owner = Owner {
                realm: RealmId::parse("r").unwrap(),
                id: OwnerId::parse("o").unwrap(),
                name: String::new(),
                plan: self.plan(),
                limits: self.overrides().into(),
                created: StoreTime(0),
                disabled: None,
                revision: 1,
                generation: 0,
            };
            Bearer {
                key: KeyId::parse("k").unwrap(),
                environment: None,
                kind: None,
                plan: self.plan(),
                tenant: None,
                scopes: [].into(),
                special: special(self.overrides()),
                expires: None,
                revoked: false,
                secret: 1,
                generation: 0,
                owner: Arc::new(owner),
            }
        }
    }

    #[allow(clippy::unnecessary_wraps, reason = "a field of bearers")]
    fn special(limits: Vec<Override>) -> Option<Box<Special>> {
        Some(Box::new(Special { addresses: AddressList::default(), limits: limits.into() }))
    }

    fn of_key(bearer: &Bearer) -> Says<'_> {
        Says { plan: bearer.plan.as_ref(), limits: bearer.limits() }
    }

    fn of_owner(bearer: &Bearer) -> Says<'_> {
        Says { plan: bearer.owner.plan.as_ref(), limits: &bearer.owner.limits }
    }

    /// Of a hundred thousand changes of a key or its owner under plans of every kind, those that are said to raise only do.
    #[test]
    fn whatever_the_plans_say_what_lowers_nothing_leaves_every_number_or_raises_it() {
        let mut dice = Dice(4);
        let (mut raising, mut higher, mut lower) = (0, 0, 0);
        for _ in 0..100_000 {
            let (plans, before) = (dice.plans(), dice.bearer());
            let mut after = before.clone();
            if dice.below(2) == 0 {
                after.special = special(dice.changed(before.limits()));
                after.plan = if dice.below(8) == 0 { dice.plan() } else { after.plan };
            } else {
                let limits = dice.changed(&before.owner.limits).into();
                let plan = if dice.below(8) == 0 { dice.plan() } else { before.owner.plan.clone() };
                after.owner = Arc::new(Owner { plan, limits, ..(*before.owner).clone() });
            }
            let (format, default) = (dice.plan(), dice.plan());
            let [was, is] = [&before, &after].map(|bearer| limit::of(&plans, bearer, format.as_ref(), default.as_ref()));
            let all_kept = was.len() == is.len() && was.iter().zip(&is).all(|(was, is)| was.limit == is.limit && was.most <= is.most);
            if may_lower(of_key(&before), of_key(&after)) || may_lower(of_owner(&before), of_owner(&after)) {
                lower += u32::from(!all_kept);
                continue;
            }
            assert!(all_kept, "{before:?} {after:?} {plans:?}");
            raising += 1;
            higher += u32::from(was.iter().zip(&is).any(|(was, is)| was.most < is.most));
        }
        assert!(raising > 10_000 && higher > 1_000, "few of them raise: {raising}, {higher}");
        assert!(lower > 10_000, "the control: what may lower does: {lower}");
    }
}
