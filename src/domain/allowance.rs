//! How one limit stands for whoever has just asked: what headers and metadata tell.

use std::time::Duration;

use super::limit::{Length, Per};
use super::name::Word;
use super::window::Force;

/// A limit after a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowance {
    pub limit: Word,
    pub per: Per,
    pub most: u32,
    pub length: Length,
    /// What this replica knows to be left: never more than was left when the store was asked.
    pub left: u32,
    /// When some of what is counted is forgotten; zero where nothing is counted.
    pub more_in: Duration,
    pub force: Force,
    pub state: State,
}

/// What the limit said of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It let the request pass, and counts it.
    Counted,
    /// It refused it.
    Exceeded,
    /// It would have refused it, were it enforced.
    WouldRefuse,
    /// It had nothing against it; another one refused.
    Spared,
}

/// The one that ends first: the least that is left in proportion, and of those the one that takes longest to have more. Shadows are nobody's
/// business but the operator's.
#[must_use]
pub fn tightest(allowances: &[Allowance]) -> Option<&Allowance> {
    let told = allowances.iter().filter(|allowance| allowance.force == Force::Enforced);
    // left / most, compared without a fraction
    let by = |a: &&Allowance, b: &&Allowance| {
        let exceeded = |of: &Allowance| of.state != State::Exceeded;
        let share = |of: &Allowance, other: &Allowance| u64::from(of.left) * u64::from(other.most);
        exceeded(a).cmp(&exceeded(b)).then(share(a, b).cmp(&share(b, a))).then(b.more_in.cmp(&a.more_in))
    };
    told.min_by(by)
}

/// The shadows that would have refused the request.
pub fn would_refuse(allowances: &[Allowance]) -> impl Iterator<Item = &Word> {
    allowances.iter().filter(|allowance| allowance.state == State::WouldRefuse).map(|allowance| &allowance.limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowance(limit: &str, left: u32, most: u32, more_in: u64, state: State) -> Allowance {
        Allowance {
            limit: Word::parse(limit).unwrap(),
            per: Per::Key,
            most,
            length: Length::Sliding(60_000),
            left,
            more_in: Duration::from_secs(more_in),
            force: Force::Enforced,
            state,
        }
    }

    fn name(allowances: &[Allowance]) -> &str {
        tightest(allowances).unwrap().limit.as_str()
    }

    #[test]
    fn the_tightest_has_the_least_left_in_proportion_and_then_the_longest_wait() {
        let [minute, hour] = [allowance("minute", 5, 10, 3, State::Counted), allowance("hour", 10, 100, 900, State::Counted)];
        assert_eq!(name(&[minute.clone(), hour.clone()]), "hour");
        let full = Allowance { left: 50, ..hour.clone() };
        assert_eq!(name(&[minute.clone(), full]), "hour", "as little is left, and it takes longer to have more");
        let refused = Allowance { state: State::Exceeded, ..minute };
        let empty = Allowance { left: 0, ..hour };
        assert_eq!(name(&[empty, refused]), "minute", "what refused goes before all that did not");
        assert_eq!(tightest(&[]), None);
    }

    #[test]
    fn a_shadow_is_told_to_no_caller_whether_it_would_refuse_or_not() {
        let tight = Allowance { force: Force::Shadow, ..allowance("tried", 1, 10, 3, State::Counted) };
        let over = Allowance { state: State::WouldRefuse, left: 0, ..tight.clone() };
        let loose = allowance("minute", 9, 10, 3, State::Counted);
        for shadow in [tight, over.clone()] {
            assert_eq!(name(&[shadow.clone(), loose.clone()]), "minute");
            assert_eq!(tightest(&[shadow]), None);
        }
        assert_eq!(would_refuse(&[over, loose]).map(Word::as_str).collect::<Vec<_>>(), ["tried"]);
    }
}
