//! The rule of `domain/window.rs` against the scripts that hold it in Redis: fixed cases, exact to the millisecond, and a long random walk
//! that steps in multiples of slots, windows and periods. Both are needed: a walk alone has missed an error of one that fixed cases caught.
//!
//! The control: each comparison of the scripts, turned into its neighbour, is caught by one of the two. Not in the list are those whose
//! neighbour says the same: no window's number is the one that calendars' are above of.

mod both;
mod fixed;
mod walk;

use keyward::store::redis::{settle, take};

use self::both::{Both, Scripts};
use crate::support::campaign::{figure, share};
use crate::support::redis::RedisServer;

/// Steps of the walk, bounded and full; `KEYWARD_WALK_STEPS` asks for more, `KEYWARD_WALK_SEED` for others.
const STEPS: [usize; 2] = [6_000, 200_000];
/// What a control may take to be caught.
const STEPS_OF_A_CONTROL: u64 = 3_000;

/// Comparisons of the scripts, and their neighbours.
const BROKEN: [(&str, &str); 42] = [
    ("last > now - window.length", "last >= now - window.length"),
    ("count > 0 and last", "count >= 0 and last"),
    ("window[i] == start and", "window[i] >= start and"),
    ("and tokens > 0 then", "and tokens >= 0 then"),
    ("    if #window > 0 then", "    if #window > 3 then"),
    ("if over == 0 then", "if over == 1 then"),
    ("#window > 0 and now", "#window > 3 and now"),
    ("now - window[#window - 2] < math.max(limit.slot, 1)", "now - window[#window - 2] <= math.max(limit.slot, 1)"),
    ("window[at + 1] = math.max(window[at + 1], last)", "window[at + 1] = last"),
    ("window[i] == limit.from then", "window[i] >= limit.from then"),
    ("if limit.from then last = limit.till end", ""),
    ("math.min(last, limit.till)", "math.max(last, limit.till)"),
    ("now >= limit.till then", "now > limit.till then"),
    ("behind or now >= limit.next_till", "behind or now > limit.next_till"),
    ("subject.asked < heard_of", "subject.asked <= heard_of"),
    ("math.max(heard_of, subject.asked)", "math.min(heard_of, subject.asked)"),
    ("if newest ~= subject.generation", "if newest > subject.generation"),
    ("is_confirmed and 0 or subject.generation", "subject.generation"),
    ("is_confirmed = number() == 1", "is_confirmed = number() >= 0"),
    ("math.max(limit.most - limit.window.sum, 0)", "limit.most - limit.window.sum"),
    ("left[i] >= cost", "left[i] > cost"),
    ("if limit.has_room then room = math.min(room, left[i]) end", "room = math.min(room, left[i])"),
    ("if limit.has_room then room = math.min(room, left[i]) end", "if limit.has_room then room = math.max(room, left[i]) end"),
    ("not (limit.has_room or limit.is_shadow)", "not limit.has_room"),
    ("if not limit.is_shadow then", "if true then"),
    ("  if limit.has_room then\n", "  if true then\n"),
    ("math.max(retry_at, fits)", "math.min(retry_at, fits)"),
    ("retry_at - clock", "retry_at - now"),
    ("if over <= 0 then return now end", "if over < 0 then return now end"),
    ("if over <= 0 then return slot.last", "if over < 0 then return slot.last"),
    ("a.last < b.last", "a.last > b.last"),
    ("math.min(oldest or", "math.max(oldest or"),
    ("math.floor(room / math.max(share, 1))", "math.ceil(room / math.max(share, 1))"),
    ("math.floor(room / math.max(share, 1))", "math.floor(room / math.max(share, 2))"),
    ("math.min(want, math.max(cost", "math.max(want, math.max(cost"),
    ("if tokens == 0 then", "if want == 0 then"),
    ("  now = math.max(now, subject.latest)", "  now = math.max(now, 0)"),
    ("is_shadow = number() == 1", "is_shadow = number() >= 0"),
    ("subjects[i - 1], now = subject, math.max(now, subject.latest)", "subjects[i - 1] = subject"),
    ("now - minted >= lives", "now - minted > lives"),
    ("== 0 then return 'replayed'", "== 2 then return 'replayed'"),
    ("window[i] / 1000, (window[i + 1] - window[i]) / 1000", "window[i] / 1000, (window[i + 1] - window[i]) / 1000 + 1"),
];

fn scripts() -> Scripts {
    Scripts { take: take::SCRIPT.into(), settle: settle::SCRIPT.into() }
}

#[test]
fn the_script_answers_fixed_cases_as_the_rule_does() {
    let server = RedisServer::start();
    fixed::run(&mut Both::new(&server, &scripts())).unwrap();
}

#[test]
fn the_script_and_the_rule_walk_together() {
    let server = RedisServer::start();
    let number = |name: &str, other| std::env::var(name).map_or(other, |text| text.parse().unwrap());
    let (seed, steps) = (number("KEYWARD_WALK_SEED", 1), number("KEYWARD_WALK_STEPS", share(STEPS[0], STEPS[1]) as u64));
    let answers = walk::run(&mut Both::new(&server, &scripts()), seed, steps).unwrap();
    figure("walk", "steps that the rule and the scripts of Redis went together without a difference", &steps.to_string());
    println!("{answers:?}");
    assert!(answers.are_balanced(steps), "the walk saw too little of something: {answers:?}");
}

#[test]
fn every_comparison_that_is_broken_in_the_script_is_caught() {
    let server = RedisServer::start();
    let mut missed = Vec::new();
    for (whole, broken) in BROKEN {
        let all = scripts();
        assert!(all.take.matches(whole).count().max(all.settle.matches(whole).count()) == 1, "«{whole}» stands once in a script");
        let all = Scripts { take: all.take.replace(whole, broken), settle: all.settle.replace(whole, broken) };
        let mut both = Both::new(&server, &all);
        let caught = fixed::run(&mut both).err().or_else(|| walk::run(&mut both, 1, STEPS_OF_A_CONTROL).err());
        if caught.is_none() {
            missed.push(broken);
        }
    }
    assert!(missed.is_empty(), "not caught: {missed:#?}");
    println!("{} broken comparisons, all of them caught", BROKEN.len());
}

#[test]
fn windows_are_kept_until_nothing_of_them_counts() {
    let server = RedisServer::start();
    let mut both = Both::new(&server, &scripts());
    fixed::a_lease_of(&mut both, 5_000).unwrap();
    let left: i64 = server.ask("PTTL kw:1:{ocus/acme}key_1");
    let (day, ttl) = (86_400_000, 5_000);
    assert!((day..=day + ttl).contains(&(left - both::KEPT_LONGER)), "{left}");
}

/// A slot of a day lasts for half an hour.
#[test]
fn a_lease_that_outlasts_what_the_script_can_write_down_is_refused() {
    let server = RedisServer::start();
    let longest = (1 << 24) - 1 - 1_800_000;
    fixed::a_lease_of(&mut Both::new(&server, &scripts()), longest).unwrap();
    let told = fixed::a_lease_of(&mut Both::new(&server, &scripts()), longest + 1).unwrap_err();
    assert!(told.contains("four hours at most"), "{told}");
}
