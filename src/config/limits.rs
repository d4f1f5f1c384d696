//! Plans and their limits.

use std::time::Duration;

use jiff::tz::TimeZone;

use super::document::{At, Read};
use super::duration::duration;
use super::names::word;
use super::yaml::Value;
use crate::domain::calendar::Unit;
use crate::domain::limit::{Length, Limit, Per, Plan};
use crate::domain::name::Word;
use crate::domain::outcome::{Counts, Kind, Outcomes};
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
const PERS: [(&str, Per); 2] = [("key", Per::Key), ("owner", Per::Owner)];

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
            Some(other) => at.problem(format_args!("counts in the window of the limit {}: keep the lower one", other.name)),
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

/// `day`, `week` or `month` of a calendar, or a length of time.
fn window(at: &At<'_>, zone: Option<&TimeZone>) -> Read<Length> {
    let unit = UNITS.iter().find(|(name, _)| matches!(at.value(), Value::Text(text) if text == *name));
    match (unit, zone) {
        (Some((_, unit)), zone) => Ok(Length::Calendar(*unit, zone.cloned().unwrap_or(TimeZone::UTC))),
        (None, Some(_)) => at.problem("slides: a zone is for the windows `day`, `week` and `month`"),
        (None, None) => {
            let window = duration(at, &(Duration::from_secs(1)..=Duration::from_hours(24)))?;
            u32::try_from(window.as_millis()).map(Length::Sliding).or_else(|_| at.problem("is too long"))
        }
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
    let only = map.optional("only", outcomes);
    let except = map.optional("except", outcomes);
    map.finish()?;
    match (only?, except?) {
        (Some(only), None) => Ok(Counts::Only(only)),
        (None, Some(except)) => Ok(Counts::Except(except)),
        _ => at.must_be("a map with one of `only` and `except`"),
    }
}

/// Classes such as 4xx, codes such as 404, and the ways to end without a status of the upstream's.
fn outcomes(at: &At<'_>) -> Read<Outcomes> {
    let all = at.some()?.distinct(outcome)?;
    let kinds: Vec<Kind> = all.iter().filter_map(|one| if let One::Kind(kind) = one { Some(*kind) } else { None }).collect();
    let codes = all.iter().filter_map(|one| if let One::Code(code) = one { Some(*code) } else { None }).collect();
    Ok(Outcomes::new(&kinds, codes))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum One {
    Kind(Kind),
    Code(u16),
}

fn outcome(at: &At<'_>) -> Read<One> {
    if let Value::Whole(_) = at.value() {
        return at.number(100..=599).map(One::Code);
    }
    at.one_of(&KINDS).map(One::Kind)
}
