//! Plans and their limits.

use std::time::Duration;

use super::document::{At, Read};
use super::duration::duration;
use super::names::word;
use crate::domain::limit::{Limit, Per, Plan};
use crate::domain::name::Word;

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
        match before.find(|other| other.per == limit.per && other.length_ms == limit.length_ms) {
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
    let length_ms = map.required("window", window);
    map.finish()?;
    Ok(Limit { name: name?, per: per?, most: most?, length_ms: length_ms? })
}

fn window(at: &At<'_>) -> Read<u32> {
    let window = duration(at, &(Duration::from_secs(1)..=Duration::from_hours(24)))?;
    u32::try_from(window.as_millis()).or_else(|_| at.problem("is too long"))
}
