//! A realm's file, top to bottom. What is wrong in one part is never reported again by a part that builds on it.

use std::num::NonZeroU32;
use std::time::Duration;

use super::addresses::{lists, source};
use super::credentials::places;
use super::denials;
use super::document::{At, Read, read};
use super::duration::duration;
use super::hosts::host;
use super::identity::identity;
use super::imported::imported;
use super::keys::formats;
use super::life::life;
use super::limits::{self, plan_of, plans};
use super::names::header_name;
use super::problem::Problems;
use super::routes::{self, routes};
use super::yaml::Value;
use crate::domain::credential::Place;
use crate::domain::name::{RealmId, Scope, admin_realm};
use crate::domain::realm::{FailureRate, LimitStance, Realm, RecordStance, TenantHeader, Transport, WhenAway};
use crate::domain::route::Route;

const TRANSPORTS: [(&str, Transport); 3] =
    [("required", Transport::Https), ("forwarded", Transport::HttpsForwarded), ("any", Transport::Any)];
const RECORDS: [(&str, RecordStance); 2] = [("deny", RecordStance::Deny), ("defer", RecordStance::Defer)];
const LIMITS: [(&str, LimitStance); 2] = [("deny", LimitStance::Deny), ("allow", LimitStance::Allow)];
const DENY: WhenAway = WhenAway { records: RecordStance::Deny, limits: LimitStance::Deny };

/// Reads the text of a realm's file. `file` is its name, for the problems.
pub fn realm(file: &str, text: &str) -> Result<Realm, Problems> {
    read(file, text, whole)
}

fn whole(at: &At<'_>) -> Read<Realm> {
    let mut map = at.map()?;
    let id = map.required("realm", id);
    let hosts = map.required("hosts", |at| at.some()?.distinct(host));
    let transport = map.or("https", Transport::Https, |at| at.one_of(&TRANSPORTS));
    let own_places = map.required("credentials", places);
    let plans = map.or_default("plans", plans);
    let default_plan = map.optional("default_plan", |at| plan_of(at, plans.as_deref().ok()));
    let limit_headers = map.or_default("limit_headers", limits::headers);
    let feed_envoy = map.or_default("feed_envoy", |at| limits::fed(at, plans.as_deref().ok()));
    let formats = map.required("keys", |at| formats(at, plans.as_deref().ok()));
    let imported = map.or_default("imported_digests", imported);
    let life = map.or_default("key_life", life);
    let tenant = map.optional("tenant", tenant);
    let client_address = map.or_default("client_address", source);
    let addresses = map.or_default("addresses", lists);
    let scopes = map.or_default("scopes", |at| at.distinct(scope));
    let known = routes::Known { scopes: scopes.as_deref().ok(), formats: formats.as_deref().ok(), plans: plans.as_deref().ok() };
    let routes = map.required("routes", |at| routes(at, known));
    let identity = map.or_default("identity", |at| {
        identity(at, &every_place(own_places.as_deref().unwrap_or_default(), routes.as_deref().unwrap_or_default()))
    });
    let denials = map.or_default("denials", |at| denials::said(at, limit_headers.as_deref().unwrap_or_default()));
    let failing_sources = map.or("failing_sources", Some(FailureRate::default()), failing_sources);
    let when_away = map.or("when_store_is_away", DENY, when_away);
    map.finish()?;
    let (allowed_addresses, denied_addresses) = addresses?;
    Ok(Realm {
        id: id?,
        hosts: hosts?,
        transport: transport?,
        places: own_places?,
        formats: formats?,
        imported: imported?,
        life: life?,
        tenant: tenant?,
        client_address: client_address?,
        allowed_addresses,
        denied_addresses,
        routes: routes?,
        scopes: scopes?,
        plans: plans?,
        default_plan: default_plan?,
        limit_headers: limit_headers?,
        feed_envoy: feed_envoy?,
        identity: identity?,
        denials: denials::total(&denials?),
        when_away: when_away?,
        failing_sources: failing_sources?,
    })
}

/// A realm's id, but not that of the built-in one.
pub(super) fn id(at: &At<'_>) -> Read<RealmId> {
    let id = at.parsed(RealmId::parse)?;
    if id == admin_realm() { at.problem(format_args!("{id} is the realm of the admin tokens: choose another name")) } else { Ok(id) }
}

fn scope(at: &At<'_>) -> Read<Scope> {
    at.parsed(Scope::parse)
}

fn tenant(at: &At<'_>) -> Read<TenantHeader> {
    let mut map = at.map()?;
    let name = map.required("header", header_name);
    let required = map.or("required", true, At::flag);
    map.finish()?;
    Ok(TenantHeader { name: name?, required: required? })
}

/// `off`, or how many look-ups may fail in how long.
fn failing_sources(at: &At<'_>) -> Read<Option<FailureRate>> {
    match at.value() {
        Value::Text("off") => return Ok(None),
        Value::Map(_) => {}
        _ => return at.must_be("`off` or a map such as {look_ups: 300, per: 1m}"),
    }
    let (mut map, usual) = (at.map()?, FailureRate::default());
    let look_ups =
        map.or("look_ups", usual.look_ups, |at| at.number(1..=1_000_000).map(|number| NonZeroU32::new(number).unwrap_or(usual.look_ups)));
    let per = map.or("per", usual.per, |at| duration(at, &(Duration::from_secs(1)..=Duration::from_hours(1))));
    map.finish()?;
    Ok(Some(FailureRate { look_ups: look_ups?, per: per? }))
}

fn when_away(at: &At<'_>) -> Read<WhenAway> {
    let mut map = at.map()?;
    let records = map.or("records", DENY.records, |at| at.one_of(&RECORDS));
    let limits = map.or("limits", DENY.limits, |at| at.one_of(&LIMITS));
    map.finish()?;
    Ok(WhenAway { records: records?, limits: limits? })
}

fn every_place<'a>(own: &'a [Place], routes: &'a [Route]) -> Vec<&'a Place> {
    own.iter().chain(routes.iter().filter_map(|route| route.places.as_ref()).flatten()).collect()
}
