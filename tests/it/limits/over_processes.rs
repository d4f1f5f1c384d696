//! The promise over four real processes and one Redis whose replies come 5 to 100 ms late: no true window holds more than its limit.

use std::time::Duration;

use super::attack;
use super::clients::Manners;
use super::records::Answer;
use super::table::{BOUNDED, FULL, Plan};
use super::world::{Outcome, Run, Troubles, World};
use crate::support::campaign::{figure, is_full, share};
use crate::support::member::Launch;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_true_window_is_above_its_limit_whatever_breaks() {
    let delays: &[&[_]] = if is_full() { &[&[5..=100], &[90..=100, 5..=10, 40..=60, 5..=100]] } else { &[&[5..=100]] };
    for delays in delays {
        let mut world = World::start(plans(), &Launch::Binary, delays).await;
        let length = Duration::from_secs(share(12, 300) as u64);
        let run = Run { patterns: &attack::ALL, length, manners: Manners::Hasty(8), troubles: Troubles::All };
        let outcome = world.hammer(&run).await;
        report(&format!("4 replicas, replies late by {delays:?} ms, {length:?}"), &outcome);
        assert!(outcome.worst_ratio() <= 1.0, "a window is above its limit: {:#?}", outcome.worst);
        shows_something(&outcome);
    }
}

fn plans() -> &'static [Plan] {
    if is_full() { FULL } else { BOUNDED }
}

fn report(what: &str, outcome: &Outcome) {
    outcome.print(what);
    let admitted = outcome.count(Answer::Admitted) + outcome.count(Answer::Refunded);
    let found = format!("{:.3}; {admitted} of {}", outcome.worst_ratio(), outcome.records.len());
    figure("1", &format!("{what}: worst window ÷ limit; admitted of asked"), &found);
}

/// A replica that admits nobody keeps every limit.
fn shows_something(outcome: &Outcome) {
    for plan in plans() {
        assert!(outcome.worst_of(plan.name) >= 0.5, "{} was hardly used: {:#?}", plan.name, outcome.worst);
    }
    assert!(outcome.met.kills > 0 && outcome.met.pauses > 0 && outcome.met.flushes > 2, "{:?}", outcome.met);
    assert!(outcome.count(Answer::Cancelled) > 0 && outcome.count(Answer::Refunded) > 0, "{}", outcome.tally());
}
