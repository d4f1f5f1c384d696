//! The protocol as it is: no schedule breaks the promise, and the schedules are not idle.

use super::campaign::{run, table};
use super::counts::Counts;
use super::mix::Campaign;
use super::mutant::Protocol;
use super::world::World;

/// Schedules of each campaign by default, and in a long run.
const SOME: u64 = 400;
const MANY: u64 = 150_000;

/// A seed of a long run is none of the short one's.
const LONG_RUN: u64 = 1 << 32;

#[test]
fn no_schedule_breaks_the_promise() {
    if let Ok(seed) = std::env::var("KEYWARD_SEED") {
        return again(&seed);
    }
    let long = std::env::var_os("KEYWARD_SOAK").is_some();
    let (from, most) = if long { (LONG_RUN, MANY) } else { (0, SOME) };
    let halves = |half: u64| {
        let mut all = (Vec::new(), Counts::default());
        for campaign in Campaign::ALL {
            let (caught, counts) = run(campaign, (from..from + most).filter(|seed| seed % 2 == half));
            all.0.extend(caught);
            all.1.add(&counts);
        }
        all
    };
    let ((mut caught, mut counts), other) = std::thread::scope(|scope| {
        let other = scope.spawn(|| halves(1));
        (halves(0), other.join().unwrap())
    });
    caught.extend(other.0);
    counts.add(&other.1);
    eprintln!("{} schedules:{}", counts.schedules, table(&counts));
    assert!(caught.is_empty(), "{} broken promises; look at one with KEYWARD_SEED=campaign:seed: {}", caught.len(), caught[0]);
    let idle: Vec<_> = counts.each().into_iter().filter(|(_, count)| *count == 0).collect();
    assert!(idle.is_empty(), "never happened: {idle:?}");
}

/// What was promised is on every node: a log that goes backwards in a failover would be one of a store that breaks its own word, here or in these
/// simulated nodes.
#[test]
fn no_failover_alone_rolls_the_log_back() {
    for campaign in [Campaign::Failovers, Campaign::Slow] {
        let (_, counts) = run(campaign, 0..SOME);
        assert!(counts.failovers > 0 && counts.lost > 0);
        assert_eq!((counts.rolled_back, counts.restores), (0, 0), "{campaign:?}");
    }
}

/// One schedule, told event by event.
fn again(text: &str) {
    let (name, seed) = text.split_once(':').unwrap_or(("Mixed", text));
    let campaign = Campaign::ALL.into_iter().find(|campaign| format!("{campaign:?}") == name).expect("a campaign's name");
    let (outcome, counts) = World::play(seed.parse().unwrap(), campaign, Protocol(None), true);
    eprintln!("{}", table(&counts));
    assert_eq!(outcome, Ok(()));
}

#[test]
fn the_same_seed_is_the_same_schedule() {
    for campaign in Campaign::ALL {
        assert_eq!(run(campaign, 0..20).1, run(campaign, 0..20).1);
    }
}
