//! How one limit stands for whoever has just asked: what headers and metadata tell.

use std::time::Duration;

use super::limit::{Length, Per};
use super::name::Word;

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
    let told = allowances.iter().filter(|allowance| allowance.state != State::WouldRefuse);
    // left / most, compared without a fraction
    let by = |a: &&Allowance, b: &&Allowance| {
        let exceeded = |of: &Allowance| of.state != State::Exceeded;
        let share = |of: &Allowance, other: &Allowance| u64::from(of.left) * u64::from(other.most);
        exceeded(a).cmp(&exceeded(b)).then(share(a, b).cmp(&share(b, a))).then(b.more_in.cmp(&a.more_in))
    };
    told.min_by(by)
}
