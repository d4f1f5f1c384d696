//! What the lease of tokens costs in admissions, and saves in calls.

use super::central::{exact_log, fixed_window, two_buckets, worst};
use super::load::arrivals;
use super::mix::{Mix, Pattern, SECOND, calendar, limit, sliding};
use super::world::World;
use crate::domain::limit::{Limit, Per};
use crate::domain::window::Force;
use crate::revocation::simulation::dice::Dice;

/// A run is so many lengths of its window, so that what is lost in each shows.
const LENGTHS: u64 = 24;

/// One key and one limit, replies within five milliseconds, nothing wrong.
fn plain(replicas: usize, most: u32, length_ms: u32, pattern: Pattern) -> Mix {
    Mix {
        seed: 1,
        replicas,
        owners: 1,
        keys_each: 1,
        limits: vec![limit("only", Per::Key, most, length_ms)],
        lowered: None,
        pattern,
        costs: vec![1],
        length: u64::from(length_ms) * LENGTHS * 1_000,
        most_checks: 1_000_000,
        delay: 2_500,
        long_delay: 2_500,
        once_ms: 50,
        late: 0,
        lost: 0,
        cancelled: 0,
        uncounted: 0,
        crashes: 0,
    }
}

struct Measured {
    /// Beside an exact log.
    admitted: f64,
    /// Of the store, for each check.
    calls: f64,
}

fn measured(what: &str, mix: &Mix) -> Measured {
    let length = u64::from(sliding(&mix.limits[0]).unwrap()) * 1000;
    let world = World::new(mix, None).run();
    assert!(world.truth.violations(mix.base()).is_empty());
    let exact = exact_log(&world.checks, mix.limits[0].most as usize, length).len();
    let measured =
        Measured { admitted: world.truth.tokens as f64 / exact as f64, calls: world.store.calls as f64 / world.checks.len() as f64 };
    println!("{what}: {:.3} of an exact log, {:.5} calls a check, {} checks", measured.admitted, measured.calls, world.checks.len());
    measured
}

#[test]
fn what_is_admitted_is_nearly_what_an_exact_log_admits() {
    for (replicas, most, length, saturated) in [
        (4, 300, 60_000, 0.94),
        (4, 1_000, 10_000, 0.94),
        (1, 300, 60_000, 0.94),
        (4, 500, 120_000, 0.96),
        (6, 600, 600_000, 0.96),
        // what a call takes is a twentieth of it
        (3, 1_000, 1_000, 0.9),
    ] {
        for (factor, least) in [(3.0, saturated), (0.8, 0.99)] {
            let what = format!("{replicas} replicas, {most} in {length} ms, at {factor} times the limit");
            let found = measured(&what, &plain(replicas, most, length, Pattern::Rate(factor)));
            assert!(found.admitted >= least, "{what}: {}", found.admitted);
        }
    }
}

#[test]
fn a_hot_key_costs_few_calls() {
    for (replicas, rate, length, most) in [(1, 1, 10_000, 0.01), (1, 8, 10_000, 0.002), (1, 1, 60_000, 0.01), (4, 8, 10_000, 0.01)] {
        let mix = Mix { length: 20 * SECOND, ..plain(replicas, rate * length * 5 / 4, length, Pattern::Rate(0.8)) };
        let found = measured(&format!("{replicas} replicas, {rate} thousand checks a second, a window of {length} ms"), &mix);
        assert!(found.calls <= most, "{}", found.calls);
    }
}

#[test]
fn a_short_window_with_plenty_left_and_a_shadow_of_any_kind_leave_a_key_hot_and_an_exact_log_does_not() {
    let second = limit("second", Per::Key, 5_000, 1_000);
    let shadow = Limit { force: Force::Shadow, ..limit("small", Per::Key, 10, 60_000) };
    let busy = Mix { length: 20 * SECOND, once_ms: 250, ..plain(1, 5_000, 1_000, Pattern::Rate(170.0 / 5_000.0)) };
    let beside_a_shadow = Mix { limits: vec![second, shadow], ..busy.clone() };
    for (what, mix) in [("a window of a second", &busy), ("beside a shadow", &beside_a_shadow)] {
        let found = measured(&format!("170 checks a second, {what}"), mix);
        assert!(found.calls <= 0.05, "{what}: {} calls a check", found.calls);
    }
    // the exact log is enforced now, and never full: as dear as it was
    let log = Mix { limits: vec![limit("small", Per::Key, 16, 1_000)], ..plain(1, 16, 1_000, Pattern::Rate(0.3)) };
    let found = measured("control: an exact log", &Mix { length: 20 * SECOND, ..log });
    assert!(found.calls > 0.8, "{} calls a check", found.calls);
}

#[test]
fn a_flood_on_an_exhausted_key_costs_next_to_no_calls() {
    for (most, length) in [(10, 10_000), (100, 60_000)] {
        let factor = f64::from(length) / f64::from(most);
        let mix = Mix { length: u64::from(length) * 1_000, ..plain(1, most, length, Pattern::Rate(factor)) };
        let found = measured(&format!("a thousand checks a second of {most} in {length} ms"), &mix);
        let filled = f64::from(most) / (f64::from(length));
        assert!(found.calls - filled <= 0.002, "{}", found.calls);
    }
}

#[test]
fn a_key_that_is_seen_once_costs_one_call_and_one_token() {
    let mix = Mix { most_checks: 1, ..plain(4, 100, 10_000, Pattern::Rate(1.0)) };
    let world = World::new(&mix, None).run();
    assert_eq!((world.store.calls, world.store.granted, world.truth.tokens), (1, 1, 1));
}

#[test]
fn other_ways_to_count_admit_more_than_their_limit() {
    let mix = plain(1, 100, 10_000, Pattern::Boundary);
    let attack = arrivals(&mix, &mut Dice::new(1));
    let (most, length) = (100, 10 * SECOND);
    let held = |admitted: Vec<u64>| worst(&admitted, length) as f64 / most as f64;
    let (fixed, two) = (held(fixed_window(&attack, most, length)), held(two_buckets(&attack, most, length)));
    println!(
        "control: a fixed window holds {fixed:.2} of its limit, two buckets {two:.2}, an exact log {:.2}",
        held(exact_log(&attack, most, length))
    );
    assert!(fixed > 1.5 && two > 1.5, "{fixed} {two}");
}

#[test]
fn what_was_not_spent_is_back_when_all_is_quiet() {
    for seed in 0..40 {
        let quota = calendar(200);
        let mix = Mix { lost: 0, crashes: 0, uncounted: 0, lowered: None, limits: vec![quota], ..Mix::random(seed) };
        let world = World::new(&mix, None).run();
        for window in world.truth.windows() {
            let (kept, spent) = (world.store.count(&window.0, window.1), world.truth.total_of_the_last_day(window, mix.base()));
            assert_eq!(u64::from(kept), spent, "configuration {seed}");
        }
    }
}
