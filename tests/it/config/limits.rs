//! Limits of a realm's file: windows and zones, what counts, shadows, and who is told of them.

use keyward::config;
use keyward::domain::calendar::Unit;
use keyward::domain::limit::{Length, Limit};
use keyward::domain::outcome::Outcome;
use keyward::domain::realm::LimitHeaders;
use keyward::domain::realms::Realms;
use keyward::domain::window::Force;

use super::{VALID, read, refused, refused_at, with};

const HOUR: &str = "{limit: hour, per: owner, most: 100, window: 1h}";

/// The hour's limit, with this instead of its window.
fn hour(rest: &str) -> String {
    format!("{{limit: hour, per: owner, most: 100, {rest}}}")
}

fn limit(rest: &str) -> Limit {
    read(&with(HOUR, &hour(rest))).plans.remove(0).limits.remove(1)
}

fn wrong(rest: &str, key: &str, says: &str) {
    let at = if key.is_empty() { "plans.small[1]".to_owned() } else { format!("plans.small[1].{key}") };
    refused(HOUR, &hour(rest), &at, says);
}

#[test]
fn a_window_slides_or_is_a_period_of_the_calendar_in_its_zone() {
    assert_eq!(limit("window: 24h").length, Length::Sliding(86_400_000));
    for (text, unit) in [("day", Unit::Day), ("week", Unit::Week), ("month", Unit::Month)] {
        for (rest, name) in [("", "UTC"), (", zone: Europe/Berlin", "Europe/Berlin"), (", zone: UTC", "UTC")] {
            match limit(&format!("window: {text}{rest}")).length {
                Length::Calendar(found, zone) => assert_eq!((found, zone.iana_name()), (unit, Some(name)), "{text}{rest}"),
                Length::Sliding(_) => panic!("{text} slides"),
            }
        }
    }
    wrong("window: 1h, zone: Europe/Berlin", "window", "slides: a zone is for the windows `day`, `week` and `month`");
    for zone in ["Europe/Berlyn", "''", "CET/CEST", "+01:00"] {
        wrong(&format!("window: day, zone: {zone}"), "zone", "there is no time zone");
        wrong(&format!("window: 1h, zone: {zone}"), "zone", "there is no time zone");
    }
    wrong("window: day, zone: 1", "zone", "must be text");
    for window in ["1d", "Day", "year", "30d", "25h", "''"] {
        wrong(
            &format!("window: {window}"),
            "window",
            "must be a time from 1s to 24h, such as 30s, 1m or 1h, or one of `day`, `week` and `month`",
        );
    }
}

#[test]
fn a_plan_has_one_limit_of_each_window_shadow_or_not() {
    let second = |limit: &str| format!("{HOUR}\n    - {limit}");
    let same = |limit: &str| refused(HOUR, &second(limit), "plans.small[2]", "counts in the window of the limit");
    same("{limit: tried, per: key, most: 3, window: 60s, shadow: true}");
    same("{limit: fewer, per: owner, most: 3, window: 60m, counts: {only: [2xx]}}");
    read(&with(HOUR, &second("{limit: tried, per: owner, most: 3, window: 1m, shadow: true}")));
    read(&with(HOUR, &second("{limit: quota, per: owner, most: 9, window: day}")));
    let days = "{limit: here, per: key, most: 9, window: day}\n    - {limit: there, per: key, most: 9, window: day, zone: Asia/Tokyo}";
    let days = with(HOUR, days);
    let line = 1 + days.lines().position(|line| line.contains("Asia/Tokyo")).unwrap();
    refused_at(&days, line, "plans.small[2]", "counts in the window of the limit here");
}

#[test]
fn what_counts_is_all_or_some_outcomes_or_all_but_some() {
    let counts = |text: &str, outcomes: &[Outcome]| {
        let counts = limit(&format!("window: 1h, counts: {text}")).counts;
        outcomes.iter().map(|outcome| counts.counts(*outcome)).collect::<Vec<_>>()
    };
    let some = [Outcome::Status(204), Outcome::Status(404), Outcome::Status(500), Outcome::Reset, Outcome::Timeout, Outcome::Disconnect];
    assert_eq!(counts("all", &some), [true; 6]);
    assert_eq!(counts("{only: [2xx, 404, reset]}", &some), [true, true, false, true, false, false]);
    assert_eq!(counts("{except: [500, timeout, disconnect]}", &some), [true, true, false, true, false, false]);
    let wrong = |text: &str, key: &str, says: &str| wrong(&format!("window: 1h, counts: {text}"), &format!("counts{key}"), says);
    wrong("some", "", "must be `all`, or a map such as {only: [2xx]} or {except: [401, 5xx]}");
    wrong("[2xx]", "", "must be `all`, or a map");
    wrong("{}", "", "must have `only` or `except`");
    wrong("{only: [2xx], except: [404]}", ".except", "is one too many");
    wrong("{onyl: [2xx]}", ".onyl", "did you mean `only`?");
    wrong("{only: []}", ".only", "is empty");
    wrong("{only: 2xx}", ".only", "must be a list");
    wrong("{only: [2xx, 2xx]}", ".only[1]", "stands here twice");
    wrong("{except: [404, 4xx]}", ".except", "names 404 beside its class 4xx");
    for odd in ["6xx", "2XX", "99", "600", "'404'", "resets", "true", "[404]"] {
        wrong(
            &format!("{{only: [2xx, {odd}]}}"),
            ".only[1]",
            "must be a status such as 404, a class such as 4xx, `reset`, `timeout` or `disconnect`",
        );
    }
}

#[test]
fn a_shadow_refuses_nothing_so_a_route_may_cost_more_than_it() {
    assert_eq!((limit("window: 1h").force, limit("window: 1h, shadow: true").force), (Force::Enforced, Force::Shadow));
    wrong("window: 1h, shadow: yes", "shadow", "must be true or false");
    let tight = |shadow: &str| with("most: 5, window: 1m", &format!("most: 4, window: 1m{shadow}"));
    read(&tight(", shadow: true"));
    let text = tight(", shadow: false");
    let line = 1 + text.lines().position(|line| line.contains("cost: 5")).unwrap();
    refused_at(&text, line, "routes[0].cost", "is more than the limit minute");
}

#[test]
fn callers_are_told_in_the_headers_that_the_realm_names_and_no_denial_sets_them() {
    assert_eq!(read(VALID).limit_headers, []);
    let told = |text: &str| with("default_plan: small\n", &format!("default_plan: small\nlimit_headers: {text}\n"));
    assert_eq!(read(&told("[]")).limit_headers, []);
    assert_eq!(read(&told("[x-ratelimit, ratelimit]")).limit_headers, [LimitHeaders::XRateLimit, LimitHeaders::RateLimit]);
    let wrong = |text: &str, key: &str, says: &str| {
        refused("default_plan: small\n", &format!("default_plan: small\nlimit_headers: {text}\n"), key, says);
    };
    wrong("ratelimit", "limit_headers", "must be a list");
    wrong("[X-RateLimit]", "limit_headers[0]", "must be `x-ratelimit` or `ratelimit`");
    wrong("[ratelimit, ratelimit]", "limit_headers[1]", "stands here twice");
    let by_hand = "x-wait: \"${retry_after}\", X-RateLimit-Reset: \"${retry_after}\"";
    read(&with("x-wait: \"${retry_after}\"", by_hand));
    let both = told("[x-ratelimit]").replace("x-wait: \"${retry_after}\"", by_hand);
    let line = 1 + both.lines().position(|line| line.contains("X-RateLimit-Reset")).unwrap();
    refused_at(&both, line, "denials.limited.headers.X-RateLimit-Reset", "is set by keyward, because of limit_headers");
}

#[test]
fn envoy_is_fed_limits_that_there_are_with_windows_that_it_has_a_unit_for() {
    let fed = |text: &str| with("default_plan: small\n", &format!("default_plan: small\nfeed_envoy: {text}\n"));
    assert_eq!(read(&fed("[minute, hour]")).feed_envoy.iter().map(ToString::to_string).collect::<Vec<_>>(), ["minute", "hour"]);
    let wrong = |text: &str, key: &str, says: &str| {
        refused("default_plan: small\n", &format!("default_plan: small\nfeed_envoy: {text}\n"), key, says);
    };
    wrong("[second]", "feed_envoy[0]", "there is no limit second in any plan");
    wrong("[minute, minute]", "feed_envoy[1]", "stands here twice");
    for (window, has) in [("1s", true), ("24h", true), ("day", true), ("month", true), ("week", false), ("10s", false), ("2h", false)] {
        let text = fed("[hour]").replace("window: 1h", &format!("window: {window}"));
        if has {
            read(&text);
        } else {
            let line = 1 + text.lines().position(|line| line.starts_with("feed_envoy")).unwrap();
            refused_at(&text, line, "feed_envoy[0]", "Envoy has no unit for a window of hour: it has 1s, 1m, 1h, 24h, `day` and `month`");
        }
    }
}

#[test]
fn failures_that_can_be_farmed_are_a_doubt_and_no_problem() {
    let doubts = |limits: &[&str]| {
        let (before, rest) = VALID.split_once("    - {limit: minute").unwrap();
        let (_, after) = rest.split_once("default_plan").unwrap();
        let limits = limits.iter().map(|limit| format!("    - {limit}\n")).collect::<Vec<_>>().concat();
        let realm = read(&format!("{before}{limits}default_plan{after}"));
        config::doubts(&Realms::new([realm]).unwrap())
    };
    let wins = "{limit: wins, per: key, most: 100, window: 1h, counts: {only: [2xx]}}";
    let [doubt] = &doubts(&[wins])[..] else { panic!("one doubt") };
    assert!(doubt.starts_with("realm example: plans.small: the limit wins does not count everything"), "{doubt}");
    assert_eq!(doubts(&[wins, "{limit: all, per: key, most: 20, window: 1m}"]), [""; 0], "control: all of it is bounded");
    for beside in [
        "{limit: all, per: owner, most: 20, window: 1m}",
        "{limit: all, per: key, most: 10, window: 1m, shadow: true}",
        "{limit: more, per: key, most: 10, window: 1m, counts: {except: [5xx]}}",
    ] {
        assert!(!doubts(&[wins, beside]).is_empty(), "{beside} bounds nothing of it");
    }
    let tried = "{limit: wins, per: key, most: 100, window: 1h, counts: {only: [2xx]}, shadow: true}";
    assert_eq!(doubts(&[tried]), [""; 0], "a shadow refuses nothing in any case");
}

#[test]
fn limits_that_never_apply_plans_that_nothing_names_and_limits_that_are_dear_are_doubts() {
    let doubts = |plan: &str, default: &str, limits: &str| {
        let realm = format!(
            "realm: d\nhosts: [d.test]\ncredentials: [{{header: x-api-key}}]\nkeys: [{{alphabet: hex, length: 32{plan}}}]\nroutes: [{{}}]\n\
             plans: {{few: [{limits}]}}\n{default}"
        );
        config::doubts(&Realms::new([read(&realm)]).unwrap())
    };
    let (of_key, of_owner) = ("{limit: one, per: key, most: 100, window: 1m}", "{limit: one, per: owner, most: 100, window: 1m}");
    let says = |found: Vec<String>, what: &str| assert!(matches!(&found[..], [one] if one.contains(what)), "{found:?}");
    says(doubts(", plan: few", "", of_owner), "realm d: plans.few: the limit one is per owner, which a format's plan says nothing of");
    says(doubts("", "", of_key), "realm d: plans: neither `default_plan` nor a format names one");
    let (default, log) = ("default_plan: few", "{limit: one, per: key, most: 16, window: 1m}");
    says(doubts("", default, log), "realm d: plans.few: the limit one allows so few that each of them is remembered by itself");
    let shadow = "{limit: one, per: key, most: 16, window: 1m, shadow: true}";
    for (plan, default, limits) in
        [(", plan: few", "", of_key), (", plan: few", default, of_owner), ("", default, of_owner), ("", default, shadow)]
    {
        assert_eq!(doubts(plan, default, limits), [""; 0], "control: {plan} {default} {limits}");
    }
}
