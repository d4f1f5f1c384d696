//! The scripts of leases and the log in Redis against a plain model of the same rules, which rests on the pure registry: a long random walk of
//! commits, renewals, acknowledgements, dismissals, trims, backups that are restored, and resumptions.
//!
//! The control: each rule of the scripts, turned into its neighbour, is caught.

mod both;
mod model;
mod walk;

use keyward::store::redis::lease::{ACKNOWLEDGEMENT, DISMISSAL, RENEWAL};

use self::both::{Both, Scripts};
use crate::support::redis::RedisServer;

/// Steps of the walk; `KEYWARD_WALK_STEPS` asks for more, `KEYWARD_WALK_SEED` for others.
const STEPS: u64 = 5_000;
/// What a control may take to be caught.
const STEPS_OF_A_CONTROL: u64 = 3_000;

/// Rules of the scripts, and their neighbours.
const BROKEN: [(&str, &str); 19] = [
    ("if place == head then return 'here' end", "if place == head then return 'gone' end"),
    ("position >= position_of(head)", "position > position_of(head)"),
    ("first[1] == '1-0'", "first[1] ~= '0-0'"),
    ("if not entry then return 'gone' end", "if not entry then return 'elsewhere' end"),
    ("and 'here' or 'elsewhere'\nend", "and 'here' or 'here'\nend"),
    ("and stands(LOG, head, applied) or 'gone'", "and stands(LOG, head, applied) or 'here'"),
    ("if place == 'here' then reached", "if place ~= 'gone' then reached"),
    ("reached = math.max(reached, math.min(", "reached = math.min(reached, math.min("),
    ("math.min(position_of(applied), position_of(secured))", "position_of(applied)"),
    ("math.min(position_of(applied), position_of(secured))", "position_of(secured)"),
    ("math.max(renewals, number)", "renewals"),
    ("tonumber(lease) > tonumber(redis", "tonumber(lease) < tonumber(redis"),
    ("stands(LOG, head, secured) == 'elsewhere'", "stands(LOG, head, secured) ~= 'here'"),
    ("redis.call('SISMEMBER', ABANDONED, secured) == 0", "redis.call('SISMEMBER', ABANDONED, secured) >= 0"),
    ("what = 'lost'", "what = 'jump'"),
    ("'(%.0f-0'", "'%.0f-0'"),
    ("if not renewals or", "renewals, reached, lease = renewals or 0, reached or 0, lease or 1; if"),
    ("~= 'here' then return end", "== 'elsewhere' then return end"),
    ("if renewals == ARGV[2]", "if renewals"),
];

#[test]
fn the_scripts_and_the_model_walk_together() {
    let server = RedisServer::start();
    let number = |name: &str, other| std::env::var(name).map_or(other, |text| text.parse().unwrap());
    let (seed, steps) = (number("KEYWARD_WALK_SEED", 1), number("KEYWARD_WALK_STEPS", STEPS));
    let seen = walk::run(&mut Both::new(&server, shipped()), seed, steps).unwrap();
    assert!(seen.is_balanced(steps), "the walk saw too little of something: {seen:?}");
}

#[test]
fn every_rule_that_is_broken_in_a_script_is_caught() {
    let server = RedisServer::start();
    for (whole, broken) in BROKEN {
        let mut scripts = shipped();
        let changed =
            scripts.all().into_iter().filter(|script| script.contains(whole)).map(|script| *script = script.replace(whole, broken));
        assert!(changed.count() > 0, "«{whole}» stands in no script");
        let caught = (1..=3).find_map(|seed| walk::run(&mut Both::new(&server, scripts.clone()), seed, STEPS_OF_A_CONTROL).err());
        assert!(caught.is_some(), "«{broken}» is not caught");
    }
}

fn shipped() -> Scripts {
    Scripts { renewal: RENEWAL.into(), acknowledgement: ACKNOWLEDGEMENT.into(), dismissal: DISMISSAL.into() }
}
