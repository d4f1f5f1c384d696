//! Runs of many schedules, and what they add up to.

use std::fmt::{self, Write};
use std::time::Duration;

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

impl fmt::Display for Caught {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Violation { digest, promised, arrived, admitted } = self.violation;
        let ms = |time: u64| Duration::from_micros(time);
        let (promised, arrived, admitted) = (ms(promised), ms(arrived), ms(admitted));
        write!(
            f,
            "{:?}:{}: digest {digest}, ended at {promised:?}, arrived at {arrived:?}, was admitted at {admitted:?}",
            self.campaign, self.seed
        )
    }
}

/// What happened, in lines.
pub(super) fn table(counts: &Counts) -> String {
    let mut table = String::new();
    for (number, (name, count)) in counts.each().into_iter().enumerate() {
        let _ = write!(table, "{}{name} {count}", if number % 6 == 0 { "\n  " } else { ", " });
    }
    table
}
