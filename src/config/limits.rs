//! Plans and their limits, and who is told of them.

use std::time::Duration;

use jiff::tz::TimeZone;

use super::document::{At, Read};
use super::duration::{parse, show};
use super::names::word;
use super::yaml::Value;
use crate::domain::calendar::Unit;
use crate::domain::limit::{Length, Limit, Per, Plan};
use crate::domain::name::Word;
use crate::domain::outcome::{Counts, Kind, Outcomes};
use crate::domain::realm::LimitHeaders;
use crate::domain::window::Force;

const UNITS: [(&str, Unit); 3] = [("day", Unit::Day), ("week", Unit::Week), ("month", Unit::Month)];
const KINDS: [(&str, Kind); 8] = [
    ("1xx", Kind::Class(1)),
    ("2xx", Kind::Class(2)),
    ("3xx", Kind::Class(3)),
    ("4xx", Kind::Class(4)),
    ("5xx", Kind::Class(5)),
    ("reset", Kind::Reset),
    ("timeout", Kind::Timeout),
    ("disconnect", Kind::Disconnect),
];
/// A ticket carries them.
const MOST_CODES: usize = 64;
const PERS: [(&str, Per); 2] = [("key", Per::Key), ("owner", Per::Owner)];
const HEADERS: [(&str, LimitHeaders); 2] = [("x-ratelimit", LimitHeaders::XRateLimit), ("ratelimit", LimitHeaders::RateLimit)];
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_hours(24);

pub(super) fn plans(at: &At<'_>) -> Read<Vec<Plan>> {
    let plans = at.pairs(word, |_, at| limits(at))?;
    Ok(plans.into_iter().map(|(name, limits)| Plan { name, limits }).collect())
}

/// The name of a plan of this realm. `plans`: those there are, where they could be read.
pub(super) fn plan_of(at: &At<'_>, plans: Option<&[Plan]>) -> Read<Word> {
    let name = word(at)?;
    let unknown = plans.is_some_and(|plans| plans.iter().all(|plan| plan.name != name));
    if unknown { at.problem(format_args!("there is no plan {name}")) } else { Ok(name) }
}

/// A window is known by whose it is and how long it is: a plan has one limit for it.
fn limits(at: &At<'_>) -> Read<Vec<Limit>> {
    at.list_in_order(|at, before: &[Read<Limit>]| {
        let limit = limit(at)?;
        let mut before = before.iter().flatten();
        if before.clone().any(|other| other.name == limit.name) {
            return at.problem(format_args!("has the name of another limit of its plan, {}", limit.name));
        }
        match before.find(|other| other.per == limit.per && other.window() == limit.window()) {
            Some(other) => at.problem(format_args!(
                "counts in the window of the limit {}: a plan has one limit of each `per` and window, whatever it counts and whether it is a shadow",
                other.name
            )),
            None => Ok(limit),
        }
    })
}

fn limit(at: &At<'_>) -> Read<Limit> {
    let mut map = at.map()?;
    let name = map.required("limit", word);
    let per = map.required("per", |at| at.one_of(&PERS));
    let most = map.required("most", |at| at.number(1..=u32::MAX));
    let zone = map.optional("zone", zone);
    let length = map.required("window", |at| window(at, zone.as_ref().ok().and_then(Option::as_ref)));
    let counts = map.or_default("counts", counts);
    let shadow = map.or("shadow", false, At::flag);
    map.finish()?;
    zone?;
    let force = if shadow? { Force::Shadow } else { Force::Enforced };
    Ok(Limit { name: name?, per: per?, most: most?, length: length?, counts: counts?, force })
}

/// The families of headers that callers are told in.
pub(super) fn headers(at: &At<'_>) -> Read<Vec<LimitHeaders>> {
    at.distinct(|at| at.one_of(&HEADERS))
}

/// The limits that Envoy's own rate limit filter is told of: those there are, with windows that it has a unit for. `plans`: where they could
/// be read.
pub(super) fn fed(at: &At<'_>, plans: Option<&[Plan]>) -> Read<Vec<Word>> {
    at.distinct(|at| {
        let name = word(at)?;
        let Some(plans) = plans else { return Ok(name) };
        let mut named = plans.iter().flat_map(|plan| &plan.limits).filter(|limit| limit.name == name).peekable();
        if named.peek().is_none() {
            return at.problem(format_args!("there is no limit {name} in any plan"));
        }
        match named.find(|limit| limit.length.envoy_unit().is_none()) {
            Some(_) => at.problem(format_args!("Envoy has no unit for a window of {name}: it has 1s, 1m, 1h, 24h, `day` and `month`")),
            None => Ok(name),
        }
    })
}

/// `day`, `week` or `month` of a calendar, or a length of time.
fn window(at: &At<'_>, zone: Option<&TimeZone>) -> Read<Length> {
    let unit = UNITS.iter().find(|(name, _)| matches!(at.value(), Value::Text(text) if text == *name));
    if let Some((_, unit)) = unit {
        return Ok(Length::Calendar(*unit, zone.cloned().unwrap_or(TimeZone::UTC)));
    }
    let window = parse(at.text()?).filter(|window| (SHORTEST..=LONGEST).contains(window));
    let Some(length_ms) = window.and_then(|window| u32::try_from(window.as_millis()).ok()) else {
        let (from, to) = (show(SHORTEST), show(LONGEST));
        return at.must_be(format_args!("a time from {from} to {to}, such as 30s, 1m or 1h, or one of `day`, `week` and `month`"));
    };
    match zone {
        Some(_) => at.problem("slides: a zone is for the windows `day`, `week` and `month`"),
        None => Ok(Length::Sliding(length_ms)),
    }
}

/// A time zone by its name in the IANA database.
fn zone(at: &At<'_>) -> Read<TimeZone> {
    at.parsed(|text| TimeZone::get(text).map_err(|_| format!("there is no time zone {text:?}; one is, for example, Europe/Berlin")))
}

/// `all`, `{only: [..]}` or `{except: [..]}`.
fn counts(at: &At<'_>) -> Read<Counts> {
    match at.value() {
        Value::Text("all") => return Ok(Counts::All),
        Value::Map(_) => {}
        _ => return at.must_be("`all`, or a map such as {only: [2xx]} or {except: [401, 5xx]}"),
    }
    let mut map = at.map()?;
    let which = map.either(&["only", "except"]);
    let only = map.optional("only", outcomes);
    let except = map.optional("except", outcomes);
    map.finish()?;
    match (which?, only?, except?) {
        (_, Some(only), _) => Ok(Counts::Only(only)),
        (_, _, Some(except)) => Ok(Counts::Except(except)),
        _ => at.problem("must have `only` or `except`"),
    }
}

/// Classes such as 4xx, codes such as 404, and the ways to end without a status of the upstream's.
fn outcomes(at: &At<'_>) -> Read<Outcomes> {
    let all = at.some()?.distinct(outcome)?;
    for one in &all {
        if let One::Code(code) = one
            && all.contains(&One::Kind(Kind::Class(u8::try_from(code / 100).unwrap_or(0))))
        {
            return at.problem(format_args!("names {code} beside its class {}xx", code / 100));
        }
    }
    let kinds: Vec<Kind> = all.iter().filter_map(|one| if let One::Kind(kind) = one { Some(*kind) } else { None }).collect();
    let codes = all.iter().filter_map(|one| if let One::Code(code) = one { Some(*code) } else { None }).collect();
    if all.len() - kinds.len() > MOST_CODES {
        return at.problem(format_args!("names more than {MOST_CODES} codes: name their classes"));
    }
    Ok(Outcomes::new(&kinds, codes))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum One {
    Kind(Kind),
    Code(u16),
}

fn outcome(at: &At<'_>) -> Read<One> {
    let kind = |text| KINDS.iter().find(|(name, _)| *name == text).map(|(_, kind)| One::Kind(*kind));
    let found = match at.value() {
        Value::Whole(code) => u16::try_from(code).ok().filter(|code| (100..=599).contains(code)).map(One::Code),
        Value::Text(text) => kind(text),
        _ => None,
    };
    found.map_or_else(|| at.must_be("a status such as 404, a class such as 4xx, `reset`, `timeout` or `disconnect`"), Ok)
}
