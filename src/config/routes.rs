//! Routes: what they match, and that what they demand can be had in this realm.

use std::num::NonZeroU32;

use super::credentials::places;
use super::document::{At, Read};
use super::map::Map;
use super::names::{token, word};
use crate::domain::format::Format;
use crate::domain::limit::Plan;
use crate::domain::name::{Scope, Word};
use crate::domain::route::{Demands, PathPattern, Route};
use crate::domain::window::Force;

/// What a realm's routes may speak of; `None` what could not be read.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) scopes: Option<&'a [Scope]>,
    pub(super) formats: Option<&'a [Format]>,
    pub(super) plans: Option<&'a [Plan]>,
}

/// At least one route, each of which some request reaches.
pub(super) fn routes(at: &At<'_>, known: Known<'_>) -> Read<Vec<Route>> {
    at.some()?.list_in_order(|at, before: &[Read<Route>]| {
        let route = route(at, known)?;
        match before.iter().position(|earlier| earlier.as_ref().is_ok_and(|earlier| earlier.covers(&route))) {
            Some(index) => at.problem(format_args!("is never reached: routes[{index}] takes all of its requests")),
            None => Ok(route),
        }
    })
}

fn route(at: &At<'_>, known: Known<'_>) -> Read<Route> {
    let mut map = at.map()?;
    let path = path(&mut map);
    let methods = map.or_default("methods", |at| at.some()?.distinct(method));
    let extensions = map.or_default("extensions", extensions);
    let demands = demands(&mut map, known);
    let cost = map.or("cost", NonZeroU32::MIN, |at| cost(at, known));
    let anonymous = map.or_default("anonymous", At::flag);
    let places = map.optional("credentials", places);
    map.finish()?;
    Ok(Route {
        path: path?,
        methods: methods?,
        extensions: extensions?,
        demands: demands?,
        places: places?,
        anonymous: anonymous?,
        cost: cost?,
    })
}

fn path(map: &mut Map<'_>) -> Read<Option<PathPattern>> {
    match map.either(&["path", "prefix"])? {
        Some("path") => map.required("path", |at| at.parsed(PathPattern::template)).map(Some),
        Some(_) => map.required("prefix", |at| at.parsed(PathPattern::prefix)).map(Some),
        None => Ok(None),
    }
}

fn extensions(at: &At<'_>) -> Read<Vec<(Box<str>, Box<str>)>> {
    at.pairs(|at| Ok(at.text()?.into()), |_, at| Ok(at.text()?.into()))
}

fn demands(map: &mut Map<'_>, known: Known<'_>) -> Read<Demands> {
    let scopes = map.or_default("scopes", |at| at.distinct(|at| scope(at, known)));
    let kinds = map.or_default("kinds", |at| at.some()?.distinct(|at| said_by(at, known, |format| format.kind.as_ref())));
    let environments =
        map.or_default("environments", |at| at.some()?.distinct(|at| said_by(at, known, |format| format.environment.as_ref())));
    Ok(Demands { scopes: scopes?, kinds: kinds?, environments: environments? })
}

/// A method is compared exactly, and those in use are upper case.
fn method(at: &At<'_>) -> Read<Box<str>> {
    let text = token(at)?;
    if text.bytes().any(|byte| byte.is_ascii_lowercase()) { at.must_be("upper case") } else { Ok(text.into()) }
}

fn scope(at: &At<'_>, known: Known<'_>) -> Read<Scope> {
    let scope = at.parsed(Scope::parse)?;
    let listed = known.scopes.is_none_or(|scopes| scopes.contains(&scope));
    if listed { Ok(scope) } else { at.problem(format_args!("the scope {scope} is not listed in the realm's scopes: no key could have it")) }
}

/// A kind or an environment that some format's prefix says.
fn said_by(at: &At<'_>, known: Known<'_>, says: impl Fn(&Format) -> Option<&Word>) -> Read<Word> {
    let word = word(at)?;
    let said = known.formats.is_none_or(|formats| formats.iter().any(|format| says(format) == Some(&word)));
    if said { Ok(word) } else { at.problem(format_args!("no format of the realm's keys says {word}")) }
}

/// A cost that every limit of the realm lets through at least once; a shadow lets everything through.
fn cost(at: &At<'_>, known: Known<'_>) -> Read<NonZeroU32> {
    let cost = at.number(1..=u32::MAX)?;
    for plan in known.plans.unwrap_or_default() {
        if let Some(limit) = plan.limits.iter().find(|limit| limit.force == Force::Enforced && limit.most < cost) {
            return at.problem(format_args!("is more than the limit {} of the plan {} ever lets through", limit.name, plan.name));
        }
    }
    Ok(NonZeroU32::MIN.saturating_add(cost - 1))
}
