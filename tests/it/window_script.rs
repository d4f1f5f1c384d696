//! The rule of `domain/window.rs` against the script that holds it in Redis: fixed cases, exact to the millisecond, and a long random walk
//! that steps in multiples of slots and windows. Both are needed: a walk alone has missed an error of one that fixed cases caught.
//!
//! The control: each comparison of the script, turned into its neighbour, is caught by one of the two.

mod both;
mod fixed;
mod walk;

use keyward::store::redis::take::SCRIPT;

use self::both::Both;
use crate::support::redis::RedisServer;

/// Steps of the walk; `KEYWARD_WALK_STEPS` asks for more, `KEYWARD_WALK_SEED` for others.
const STEPS: u64 = 6_000;
/// What a control may take to be caught.
const STEPS_OF_A_CONTROL: u64 = 3_000;

/// Comparisons of the script, and their neighbours.
const BROKEN: [(&str, &str); 14] = [
    ("last > now - window.length", "last >= now - window.length"),
    ("count > 0 and last", "count >= 0 and last"),
    ("now - window[#window - 2] < math.max(limit.slot, 1)", "now - window[#window - 2] <= math.max(limit.slot, 1)"),
    ("window[at + 1] = math.max(window[at + 1], last)", "window[at + 1] = last"),
    ("left[i] >= cost", "left[i] > cost"),
    ("subject.asked < subject.generation", "subject.asked <= subject.generation"),
    ("if subject.asked > subject.generation", "if subject.asked > subject.generation + 1"),
    ("if over <= 0 then return now end", "if over < 0 then return now end"),
    ("if over <= 0 then return slot.last", "if over < 0 then return slot.last"),
    ("a.last < b.last", "a.last > b.last"),
    ("math.floor(room / math.max(share, 1))", "math.ceil(room / math.max(share, 1))"),
    ("math.floor(room / math.max(share, 1))", "math.floor(room / math.max(share, 2))"),
    ("now = math.max(now, subject.latest)", "now = math.max(now, 0)"),
    ("window[i] == start and", "window[i] >= start and"),
];

#[test]
fn the_script_answers_fixed_cases_as_the_rule_does() {
    let server = RedisServer::start();
    fixed::run(&mut Both::new(&server, SCRIPT)).unwrap();
}

#[test]
fn the_script_and_the_rule_walk_together() {
    let server = RedisServer::start();
    let number = |name: &str, other| std::env::var(name).map_or(other, |text| text.parse().unwrap());
    let (seed, steps) = (number("KEYWARD_WALK_SEED", 1), number("KEYWARD_WALK_STEPS", STEPS));
    let answers = walk::run(&mut Both::new(&server, SCRIPT), seed, steps).unwrap();
    assert!(answers.are_balanced(steps), "the walk saw too little of something: {answers:?}");
}

#[test]
fn every_comparison_that_is_broken_in_the_script_is_caught() {
    let server = RedisServer::start();
    for (whole, broken) in BROKEN {
        assert_eq!(SCRIPT.matches(whole).count(), 1, "«{whole}» stands once in the script");
        let mut both = Both::new(&server, &SCRIPT.replace(whole, broken));
        let caught = fixed::run(&mut both).err().or_else(|| walk::run(&mut both, 1, STEPS_OF_A_CONTROL).err());
        assert!(caught.is_some(), "«{broken}» is not caught");
    }
}

#[test]
fn windows_are_kept_until_nothing_of_them_counts() {
    let server = RedisServer::start();
    let mut both = Both::new(&server, SCRIPT);
    fixed::a_grant_of_a_day(&mut both).unwrap();
    let left: i64 = server.ask("PTTL kw:1:{ocus/acme}key_1");
    let (day, ttl) = (86_400_000, 5_000);
    assert!((day..=day + ttl).contains(&(left - both::KEPT_LONGER)), "{left}");
}

#[test]
fn a_lease_that_outlasts_what_the_script_can_write_down_is_refused() {
    let server = RedisServer::start();
    let told = fixed::a_lease_of_five_hours(&mut Both::new(&server, SCRIPT)).unwrap_err();
    assert!(told.contains("four hours at most"), "{told}");
}
