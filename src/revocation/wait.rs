//! Whoever restricts a key waits: until every holder of a lease has applied the change, or until its lease must have ended.

use std::time::Duration;

use super::entry::At;
use super::footing::{Firmness, Footing, Level};
use super::obligation::{Keeps, Obligation};
use super::registry::{Holder, Registration};
use super::terms::Terms;
use crate::domain::time::BootTime;

/// What a change stands on, right after it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The log's head: of the change, or later.
    pub at: At,
    /// What it has reached: how durable everything up to there is.
    pub level: Level,
    pub footing: Footing,
    /// Everyone who held a lease, with what they had applied.
    pub holders: Vec<(Holder, Registration)>,
    /// The longest lease that this store ever granted, as far as it knows.
    pub longest: Duration,
}

/// The wait for one change.
#[derive(Debug, Clone)]
pub struct Wait {
    keeps: Keeps,
    /// Of the change.
    position: u64,
    /// The longest lease that anybody may hold.
    terms: Terms,
    firmness: Firmness,
    begun: BootTime,
    /// When the last lease that was granted without the change has ended, once the change is durable.
    until: Option<BootTime>,
    pending: Vec<Holder>,
    tally: Tally,
}

/// What became of those who held a lease when the change was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// So many have applied the change.
    pub acknowledged: u32,
    /// The leases of so many have ended without.
    pub expired: u32,
}

/// Whether the wait is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It may be over at any moment, and is at this one; not known before the change is durable.
    Wait {
        until: Option<BootTime>,
    },
    Over(Tally),
}

impl Wait {
    /// The wait for a change that was asked of the store at `begun`; `terms`: the longest lease that anybody may hold
    /// ([`Follower::longest`](super::Follower::longest)).
    #[must_use]
    pub fn new(keeps: Keeps, standing: &Standing, begun: BootTime, (firmness, terms): (Firmness, Terms)) -> Self {
        let pending = standing.holders.iter().map(|(holder, _)| holder.clone()).collect();
        let position = standing.at.position;
        let held = standing.holders.iter().map(|(_, registration)| registration.lease).max();
        let terms = Terms { lease: terms.lease.max(held.unwrap_or_default()) };
        let mut wait = Self { keeps, position, terms, firmness, begun, until: None, pending, tally: Tally::default() };
        wait.heard(&standing.holders);
        wait
    }

    /// The change is as durable as it has to be, since `now` at the latest.
    pub fn secured(&mut self, now: BootTime) {
        let from = if self.keeps.keeps(Obligation::WaitBeginsWithDurability) { now } else { self.begun };
        let long = if self.keeps.keeps(Obligation::WaitOutlastsTheLease) { self.terms.waited() } else { self.terms.lease / 2 };
        self.until.get_or_insert(BootTime(from.0 + long));
    }

    /// The ground is no longer what it was when the change was asked for: acknowledgements alone are not enough any more.
    pub fn shaken(&mut self) {
        self.firmness = Firmness::Shifting;
    }

    /// What the registry says now. A holder that is gone from it was dismissed after its lease had ended.
    pub fn heard(&mut self, registry: &[(Holder, Registration)]) {
        let Self { keeps, position, pending, tally, .. } = self;
        let incarnation_counts = keeps.keeps(Obligation::IncarnationsDiffer);
        let same = |one: &Holder, other: &Holder| one == other || (!incarnation_counts && one.replica == other.replica);
        pending.retain(|holder| match registry.iter().find(|(other, _)| same(holder, other)) {
            Some((_, entry)) if entry.applied >= *position => {
                tally.acknowledged += 1;
                false
            }
            Some(_) => true,
            None => {
                tally.expired += 1;
                false
            }
        });
    }

    /// Whether the call may return.
    #[must_use]
    pub fn verdict(&self, now: BootTime) -> Verdict {
        let Some(until) = self.until else { return Verdict::Wait { until: None } };
        let all_heard = self.pending.is_empty() && self.firmness == Firmness::Firm;
        if all_heard || now >= until {
            let expired = self.tally.expired + u32::try_from(self.pending.len()).unwrap_or(u32::MAX);
            return Verdict::Over(Tally { expired, ..self.tally });
        }
        Verdict::Wait { until: Some(until) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::entry::Mark;
    use super::super::footing::Whole;
    use super::*;

    const TERMS: Terms = Terms { lease: Duration::from_secs(5) };

    fn at(ms: u64) -> BootTime {
        BootTime(Duration::from_millis(ms))
    }

    fn holder(replica: &str, incarnation: u64, applied: u64) -> (Holder, Registration) {
        (Holder { replica: replica.into(), incarnation }, Registration { renewals: 1, applied, lease: TERMS.lease })
    }

    fn wait(holders: &[(Holder, Registration)], firmness: Firmness) -> Wait {
        let standing = Standing {
            at: At { position: 7, mark: Mark(7) },
            level: Level::Single,
            footing: Footing { primary: "p".into(), whole: Whole::Whole, level: Level::Single, vouched: Firmness::Shifting },
            holders: holders.to_vec(),
            longest: TERMS.lease,
        };
        Wait::new(Keeps::ALL, &standing, at(0), (firmness, TERMS))
    }

    #[test]
    fn it_is_over_when_every_holder_has_applied_the_change_and_it_is_durable() {
        let mut wait = wait(&[holder("a", 1, 6), holder("b", 1, 7)], Firmness::Firm);
        wait.heard(&[holder("a", 1, 8), holder("b", 1, 7)]);
        assert_eq!(wait.verdict(at(60_000)), Verdict::Wait { until: None }, "not durable yet, whatever the time");
        wait.secured(at(1));
        assert_eq!(wait.verdict(at(1)), Verdict::Over(Tally { acknowledged: 2, expired: 0 }));
    }

    #[test]
    fn it_is_over_when_the_leases_of_those_who_keep_silent_must_have_ended_counted_from_durability() {
        let mut wait = wait(&[holder("a", 1, 6), holder("b", 1, 7)], Firmness::Firm);
        wait.secured(at(2_000));
        assert_eq!(wait.verdict(at(7_099)), Verdict::Wait { until: Some(at(7_100)) });
        assert_eq!(wait.verdict(at(7_100)), Verdict::Over(Tally { acknowledged: 1, expired: 1 }));
    }

    #[test]
    fn a_holder_that_was_dismissed_has_no_lease_any_more() {
        let mut wait = wait(&[holder("a", 1, 6)], Firmness::Firm);
        wait.secured(at(0));
        wait.heard(&[]);
        assert_eq!(wait.verdict(at(1)), Verdict::Over(Tally { acknowledged: 0, expired: 1 }));
    }

    #[test]
    fn a_restarted_replica_does_not_speak_for_its_former_life() {
        let mut wait = wait(&[holder("a", 1, 6)], Firmness::Firm);
        wait.secured(at(0));
        wait.heard(&[holder("a", 1, 6), holder("a", 2, 9)]);
        assert_eq!(wait.verdict(at(1)), Verdict::Wait { until: Some(at(5_100)) });
    }

    #[test]
    fn on_shifting_ground_acknowledgements_are_not_enough() {
        let mut wait = wait(&[holder("a", 1, 7)], Firmness::Shifting);
        wait.secured(at(0));
        assert_eq!(wait.verdict(at(5_099)), Verdict::Wait { until: Some(at(5_100)) });
        assert_eq!(wait.verdict(at(5_100)), Verdict::Over(Tally { acknowledged: 1, expired: 0 }));
    }

    #[test]
    fn ground_that_begins_to_shift_while_they_are_waited_for_counts_as_shifting() {
        let mut wait = wait(&[holder("a", 1, 6)], Firmness::Firm);
        wait.secured(at(0));
        wait.shaken();
        wait.heard(&[holder("a", 1, 7)]);
        assert_eq!(wait.verdict(at(5_099)), Verdict::Wait { until: Some(at(5_100)) });
        assert_eq!(wait.verdict(at(5_100)), Verdict::Over(Tally { acknowledged: 1, expired: 0 }));
    }
}
