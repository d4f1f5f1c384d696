//! Runs of many schedules, and what they add up to.

use std::fmt::Write;

use super::counts::Counts;
use super::mix::Campaign;
use super::mutant::{Mutant, Protocol};
use super::promise::Violation;
use super::world::World;

/// The first broken promise of a run.
#[derive(Debug, Clone)]
pub(super) struct Caught {
    pub(super) campaign: Campaign,
    pub(super) seed: u64,
    pub(super) violation: Violation,
}

/// Runs the protocol as it is.
pub(super) fn run(campaign: Campaign, seeds: impl Iterator<Item = u64>) -> (Vec<Caught>, Counts) {
    let (mut caught, mut counts) = (Vec::new(), Counts::default());
    for seed in seeds {
        let (outcome, of_one) = World::run(seed, campaign, Protocol(None));
        counts.add(&of_one);
        if let Err(violation) = outcome {
            caught.push(Caught { campaign, seed, violation });
        }
    }
    (caught, counts)
}

/// Runs a mutant until it is caught. The control are the same schedules with nothing left out.
pub(super) fn catch(mutant: Mutant, campaign: Campaign, most: u64) -> Option<Caught> {
    (0..most).find_map(|seed| {
        let violation = World::run(seed, campaign, Protocol(Some(mutant))).0.err()?;
        let control = World::run(seed, campaign, Protocol(None)).0;
        assert_eq!(control, Ok(()), "{campaign:?} {seed} catches the protocol itself");
        Some(Caught { campaign, seed, violation })
    })
}

/// What happened, in lines.
pub(super) fn table(counts: &Counts) -> String {
    let mut table = String::new();
    for (number, (name, count)) in counts.each().into_iter().enumerate() {
        let _ = write!(table, "{}{name} {count}", if number % 6 == 0 { "\n  " } else { ", " });
    }
    table
}
