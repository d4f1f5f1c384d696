//! What a store's word is worth: which nodes stand behind it, and for how long already.

use std::fmt;

use super::obligation::{Keeps, Obligation};
use super::terms::Terms;
use crate::domain::time::BootTime;

/// How much may break before an acknowledged change is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// It is in the memory of one node, or on its disk within a second: a power loss may forget it.
    Volatile,
    /// It is on the disk of one node.
    Single,
    /// It is on every node that may become the primary.
    Replicated,
}

/// Which nodes stand behind an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Footing {
    /// What changes whenever another node becomes the primary, or a node that followed another one comes back.
    pub primary: Box<str>,
    /// Whether every node that may be promoted follows it.
    pub whole: Whole,
    /// What a change can reach on it.
    pub level: Level,
    /// Firm: some replica has seen this same primary for a whole lease, and has said so to it. That stays true for as long as it is the same.
    pub vouched: Firmness,
}

/// Whether all are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whole {
    Whole,
    Missing,
}

/// Since when a replica has seen the same footing.
#[derive(Debug, Clone)]
pub struct Ground {
    keeps: Keeps,
    seen: Option<(Footing, BootTime)>,
}

/// Whether the registry names everyone who may hold a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Firmness {
    Firm,
    /// Another primary may have granted leases that this one knows nothing of, and they may not have ended yet.
    Shifting,
}

impl Ground {
    #[must_use]
    pub fn new(keeps: Keeps) -> Self {
        Self { keeps, seen: None }
    }

    /// Takes note of the footing of an answer that came at `now`.
    pub fn observe(&mut self, footing: &Footing, now: BootTime) {
        let same = self.seen.as_ref().is_some_and(|(seen, _)| seen.is_the_same_as(footing));
        if !same {
            self.seen = Some((footing.clone(), now));
        }
    }

    /// What the registry is worth in an answer on this footing, asked for at `asked`. It may be asked again while others are waited for: an
    /// answer that came since, on another footing, makes it shift, for the registry is another one by now.
    #[must_use]
    pub fn under(&self, footing: &Footing, asked: BootTime, terms: Terms) -> Firmness {
        let for_long =
            |(seen, since): &(Footing, BootTime)| seen.is_the_same_as(footing) && asked.0.saturating_sub(since.0) >= terms.waited();
        let known = footing.vouched == Firmness::Firm || self.seen.as_ref().is_some_and(for_long);
        let left = self.seen.as_ref().is_some_and(|(seen, since)| *since > asked && !seen.is_the_same_as(footing));
        if known && !left && footing.whole == Whole::Whole { Firmness::Firm } else { self.unless_dropped(Firmness::Shifting) }
    }

    fn unless_dropped(&self, firmness: Firmness) -> Firmness {
        if self.keeps.keeps(Obligation::FirmGround) { firmness } else { Firmness::Firm }
    }
}

impl Footing {
    fn is_the_same_as(&self, other: &Self) -> bool {
        (&self.primary, self.whole, self.level) == (&other.primary, other.whole, other.level)
    }
}

/// Whether a change that so many followers have acknowledged is on all nodes that may be promoted.
#[must_use]
pub fn is_everywhere(keeps: Keeps, acknowledged: u32, promotable: u32) -> bool {
    let enough = if keeps.keeps(Obligation::AllPromotable) { promotable } else { promotable.min(1) };
    acknowledged >= enough
}

/// As configuration, metrics and messages say it.
impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Volatile => "volatile",
            Self::Single => "single",
            Self::Replicated => "replicated",
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const TERMS: Terms = Terms { lease: Duration::from_secs(5) };

    fn at(ms: u64) -> BootTime {
        BootTime(Duration::from_millis(ms))
    }

    fn footing(primary: &str, whole: Whole) -> Footing {
        Footing { primary: primary.into(), whole, level: Level::Single, vouched: Firmness::Shifting }
    }

    #[test]
    fn ground_is_firm_once_the_same_whole_footing_was_seen_for_a_lease_and_its_drift() {
        let mut ground = Ground::new(Keeps::ALL);
        let whole = footing("a", Whole::Whole);
        assert_eq!(ground.under(&whole, at(9_000), TERMS), Firmness::Shifting, "never seen");
        ground.observe(&whole, at(1_000));
        ground.observe(&whole, at(3_000));
        assert_eq!(ground.under(&whole, at(6_099), TERMS), Firmness::Shifting);
        assert_eq!(ground.under(&whole, at(6_100), TERMS), Firmness::Firm);
        assert_eq!(ground.under(&footing("b", Whole::Whole), at(9_000), TERMS), Firmness::Shifting, "the commit's own footing is another");
    }

    #[test]
    fn a_change_of_footing_begins_anew_and_one_that_is_not_whole_is_never_firm() {
        let mut ground = Ground::new(Keeps::ALL);
        ground.observe(&footing("a", Whole::Whole), at(0));
        ground.observe(&footing("b", Whole::Whole), at(10_000));
        ground.observe(&footing("a", Whole::Whole), at(11_000));
        assert_eq!(ground.under(&footing("a", Whole::Whole), at(16_000), TERMS), Firmness::Shifting);
        ground.observe(&footing("a", Whole::Missing), at(20_000));
        assert_eq!(ground.under(&footing("a", Whole::Missing), at(99_000), TERMS), Firmness::Shifting);
    }

    #[test]
    fn what_another_replica_has_seen_for_a_lease_is_firm_at_once_while_it_is_whole() {
        let ground = Ground::new(Keeps::ALL);
        let vouched = |whole| Footing { vouched: Firmness::Firm, ..footing("a", whole) };
        assert_eq!(ground.under(&vouched(Whole::Whole), at(0), TERMS), Firmness::Firm);
        assert_eq!(ground.under(&vouched(Whole::Missing), at(0), TERMS), Firmness::Shifting);
    }

    #[test]
    fn what_was_vouched_for_shifts_once_an_answer_came_on_another_footing() {
        let mut ground = Ground::new(Keeps::ALL);
        let vouched = Footing { vouched: Firmness::Firm, ..footing("a", Whole::Whole) };
        ground.observe(&footing("before", Whole::Whole), at(1_000));
        assert_eq!(ground.under(&vouched, at(1_000), TERMS), Firmness::Firm, "that was before it was asked");
        ground.observe(&footing("b", Whole::Whole), at(1_001));
        assert_eq!(ground.under(&vouched, at(1_000), TERMS), Firmness::Shifting);
    }

    #[test]
    fn everywhere_is_every_promotable_node() {
        assert!(is_everywhere(Keeps::ALL, 0, 0) && is_everywhere(Keeps::ALL, 2, 2));
        assert!(!is_everywhere(Keeps::ALL, 1, 2));
    }
}
