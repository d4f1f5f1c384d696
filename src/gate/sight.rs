//! What each rung saw, in sentences for operators. None of them holds a credential, or what a request has in its path and query.

use std::fmt::Display;
use std::time::Duration;

use jiff::Timestamp;

use crate::domain::address::AddressSource;
use crate::domain::allowance::State;
use crate::domain::bearer::{Asked, Bearer, Rule};
use crate::domain::calendar::Unit;
use crate::domain::credential::Place;
use crate::domain::denial::seconds;
use crate::domain::format::Format;
use crate::domain::limit::{Length, Per};
use crate::domain::name::{Word, admin_realm};
use crate::domain::path::Target;
use crate::domain::realm::{Realm, Transport};
use crate::domain::realms::Realms;
use crate::domain::request::{Occurs, Request};
use crate::domain::route::Route;
use crate::domain::rung::Window;
use crate::domain::time::StoreTime;
use crate::domain::window::Force;
use crate::replica::records::{Unfound, Whence};
use crate::store::StoreError;

/// Of what came with a request, in characters.
const LONGEST: usize = 80;

pub(super) fn realm(realms: &Realms, request: &Request<'_>) -> String {
    let named = request.extension("realm");
    let host = match realms.by_host(request.host) {
        Some(realm) if named.is_none_or(|named| named == realm.id.as_str().as_bytes()) => {
            format!("the host {} is one of realm {}", quoted(request.host), realm.id)
        }
        // which one is nothing to who named the one that he may hear of
        Some(_) => format!("the host {} is another realm's", quoted(request.host)),
        None => format!("the host {} is no realm's", quoted(request.host)),
    };
    match named {
        None => format!("{host}, and the proxy names no realm"),
        Some(name) if name == admin_realm().as_str().as_bytes() => "the realm of the admin tokens is no request's".into(),
        Some(name) => format!("the proxy names {} in its context extension `realm`, and {host}", quoted(name)),
    }
}

pub(super) fn path(request: &Request<'_>) -> String {
    match Target::parse(request.path) {
        Ok(target) => format!("it can be read in one way only: {} segments", target.segments.len()),
        Err(_) => {
            "it is absent, or can be read in more than one way: by an empty, `.` or `..` segment, a `;`, `\\` or `#`, a blank, an escape \
                   that is none or stands for one of these or for `/`, or what is not ASCII"
                .into()
        }
    }
}

pub(super) fn transport(realm: &Realm, request: &Request<'_>) -> String {
    let forwarded = match request.headers.one("x-forwarded-proto") {
        Occurs::Never => "there is no x-forwarded-proto".into(),
        Occurs::Once(value) => format!("x-forwarded-proto is {}", quoted(value)),
        Occurs::Often => "x-forwarded-proto comes more than once".to_owned(),
    };
    match realm.transport {
        Transport::Any => "plain HTTP may pass".into(),
        Transport::Https => format!("https is demanded: the scheme is {}, and {forwarded}", quoted(request.scheme)),
        Transport::HttpsForwarded => format!("https before the proxy is demanded: {forwarded}"),
    }
}

pub(super) fn route(realm: &Realm, route: &Route) -> String {
    let number = realm.routes.iter().position(|other| std::ptr::eq(other, route)).map_or(0, |at| at + 1);
    let methods = if route.methods.is_empty() { "any method".into() } else { route.methods.join(", ") };
    let path = route.path.as_ref().map_or_else(|| "any path".into(), ToString::to_string);
    let extensions = route.extensions.iter().map(|(name, value)| format!("{name}={value}"));
    let extensions = if route.extensions.is_empty() { String::new() } else { format!(", with {}", listed(extensions)) };
    let more = if route.anonymous { ", open to whoever has no key" } else { "" };
    format!("route {number} of {}: {methods}, {path}{extensions}; it costs {}{more}", realm.routes.len(), route.cost)
}

pub(super) fn no_route(realm: &Realm) -> String {
    format!("none of the {} routes is the request's: who shows a key is told so when it was looked up", realm.routes.len())
}

pub(super) fn credential(realm: &Realm, route: Option<&Route>, request: &Request<'_>, target: &Target<'_>) -> String {
    let places = realm.places_on(route);
    let of = |place: &Place| match place {
        Place::Header { name, scheme: None } => format!("header {name}"),
        Place::Header { name, scheme: Some(scheme) } => format!("header {name} ({scheme})"),
        Place::Query { name, .. } => format!("parameter {name}"),
        Place::Cookie { name } => format!("cookie {name}"),
    };
    let all = listed(places.iter().map(of));
    let once = places.iter().filter(|place| matches!(place.read(request, target), Occurs::Once(_)));
    let often = places.iter().filter(|place| place.read(request, target) == Occurs::Often);
    let (once, often): (Vec<_>, Vec<_>) = (once.map(of).collect(), often.map(of).collect());
    match (once.is_empty(), often.is_empty()) {
        (true, true) if route.is_some_and(|route| route.anonymous) => "there is none, and the route demands none".into(),
        (true, true) => format!("there is none in {all}"),
        (_, false) => format!("more than one stands in {}", listed(often.into_iter())),
        (false, true) => format!("it stands in {} (of {all})", listed(once.into_iter())),
    }
}

pub(super) fn format(realm: &Realm, found: Option<&Format>) -> String {
    let of = |format: &Format| {
        let words: Vec<&Word> = format.environment.iter().chain(&format.kind).collect();
        let words = if words.is_empty() { String::new() } else { format!(" ({})", listed(words.into_iter())) };
        format!("{:?}{words}", format.prefix)
    };
    let Some(found) = found else {
        let all = listed(realm.formats.iter().map(of));
        return format!("it is no secret of this realm: they begin with {all}, and have a length, characters and a checksum to match");
    };
    format!("it begins with {} and has the length, the characters and the checksum of such a secret", of(found))
}

pub(super) fn tenant(realm: &Realm, request: &Request<'_>) -> String {
    let Some(header) = &realm.tenant else { return "the realm has no tenants".into() };
    let name = &header.name;
    match request.headers.one(name) {
        Occurs::Once(value) if !value.is_empty() => format!("the header {name} names {}", quoted(value)),
        Occurs::Often => format!("the header {name} comes more than once"),
        _ if header.required => format!("the header {name} names none, and must"),
        _ => format!("the header {name} names none, and need not"),
    }
}

pub(super) fn address(realm: &Realm, request: &Request<'_>) -> String {
    let source = match &realm.client_address {
        AddressSource::Peer => "the connection's remote address".into(),
        AddressSource::ExternalAddress => "x-envoy-external-address, or else the connection's remote address".into(),
        AddressSource::ForwardedFor { from_right } => format!("number {from_right} of x-forwarded-for from the right"),
        AddressSource::Header(name) => format!("the header {name}"),
    };
    let client = realm.client_address.read(request);
    let client = client.map_or_else(|| "cannot be told".into(), |address| format!("is {address}"));
    let lists = match (realm.allowed_addresses.0.as_slice(), realm.denied_addresses.0.as_slice()) {
        ([], []) => "any may come".into(),
        (allowed, []) => format!("the realm lets in {}", listed(allowed.iter())),
        ([], denied) => format!("the realm keeps out {}", listed(denied.iter())),
        (allowed, denied) => format!("the realm lets in {} but for {}", listed(allowed.iter()), listed(denied.iter())),
    };
    format!("the client's address {client}, by {source}; {lists}")
}

pub(super) fn throttled(retry_in: Duration) -> String {
    format!("the source has presented too much that no key has: it is looked up again in {} s", seconds(retry_in))
}

pub(super) fn found(bearer: &Bearer, whence: Whence) -> String {
    format!("it is secret {} of key {} of owner {}, {}", bearer.secret, bearer.key, bearer.owner.id, whence.says())
}

pub(super) fn given(bearer: &Bearer, realm: &Realm) -> String {
    let elsewhere = if bearer.owner.realm == realm.id { "" } else { ": in this realm its secrets are nobody's" };
    format!("key {} of owner {} in realm {}, read from the store{elsewhere}", bearer.key, bearer.owner.id, bearer.owner.realm)
}

pub(super) fn unfound(unfound: &Unfound) -> String {
    match unfound {
        Unfound::Unknown => "no key of the realm has this secret".into(),
        Unfound::Throttled { retry_in } => throttled(*retry_in),
        Unfound::Store(error) => error.to_string(),
    }
}

pub(super) fn rule(rule: Rule, bearer: &Bearer, asked: &Asked<'_>) -> String {
    let word = |word: &Option<Word>| word.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string);
    let demanded = |all: &[Word]| if all.is_empty() { "any".to_owned() } else { listed(all.iter()) };
    match rule {
        Rule::Revoked => format!("the key {} revoked", if bearer.revoked { "is" } else { "is not" }),
        Rule::Expired => match bearer.expires {
            None => "neither the key nor the secret that is presented ends".into(),
            Some(expires) => {
                format!("the key, or the secret that is presented, ends at {}, and it is {}", instant(expires), instant(asked.now))
            }
        },
        Rule::Owner => match bearer.owner.disabled {
            Some(since) => format!("the owner {} is disabled since {}", bearer.owner.id, instant(since)),
            None => format!("the owner {} is not disabled", bearer.owner.id),
        },
        Rule::Tenant => {
            let named = asked.tenant.map_or_else(|| "none".into(), quoted);
            format!("the request names {named}, and the key is of {}", bearer.tenant.as_deref().unwrap_or("none"))
        }
        Rule::Route if asked.demands.is_some() => "a route of the realm is the request's".into(),
        Rule::Route => "no route of the realm is the request's".into(),
        Rule::Environment => {
            let demands = asked.demands.map_or_else(|| "any".into(), |demands| demanded(&demands.environments));
            format!("the route is for {demands}, and the key's environment is {}", word(&bearer.environment))
        }
        Rule::Kind => {
            let demands = asked.demands.map_or_else(|| "any".into(), |demands| demanded(&demands.kinds));
            format!("the route is for {demands}, and the key's kind is {}", word(&bearer.kind))
        }
        Rule::Scope => {
            let demands = asked.demands.map_or_else(|| "none".into(), |demands| listed(demands.scopes.iter()));
            format!("the route demands {demands}, and the key has {}", listed(bearer.scopes.iter()))
        }
        Rule::Address => {
            let allowed = bearer.special.as_ref().map(|special| &special.addresses.0).filter(|all| !all.is_empty());
            let client = asked.address.map_or_else(|| "cannot be told".into(), |address| format!("is {address}"));
            allowed.map_or_else(
                || "the key may come from any address".into(),
                |all| format!("the key may come from {}, and the client's address {client}", listed(all.iter())),
            )
        }
    }
}

pub(super) fn held(held: u32) -> String {
    format!("this replica holds {held} tokens in advance, and could not ask the store what is left beside them")
}

pub(super) fn window(Window { allowance, held, cost }: &Window) -> String {
    let whose = match allowance.per {
        Per::Key => "key",
        Per::Owner => "owner",
    };
    let length = match &allowance.length {
        Length::Sliding(ms) => format!("any {} s", f64::from(*ms) / 1000.0),
        Length::Calendar(unit, zone) => {
            let unit = match unit {
                Unit::Day => "day",
                Unit::Week => "week",
                Unit::Month => "month",
            };
            format!("the {unit} in {}", zone.iana_name().unwrap_or("a zone of its own"))
        }
    };
    let more = match seconds(allowance.more_in) {
        0 => String::new(),
        wait => format!(", some of the rest in {wait} s"),
    };
    let held = if *held > 0 { format!("; this replica holds {held} more in advance") } else { String::new() };
    let shadow = match (allowance.force, allowance.state) {
        (Force::Shadow, State::WouldRefuse) => "; a shadow, which would refuse it were it enforced",
        (Force::Shadow, _) => "; a shadow, which refuses nothing",
        (Force::Enforced, _) => "",
    };
    format!(
        "{} per {whose}: {} of {} are left of {length}{more}{held}; the request costs {cost}{shadow}",
        allowance.limit, allowance.left, allowance.most
    )
}

pub(super) fn uncounted(error: &StoreError) -> String {
    format!("the limits could not be looked at: {error}")
}

fn instant(at: StoreTime) -> String {
    Timestamp::from_millisecond(at.0).map_or_else(|_| format!("{} ms", at.0), |at| at.to_string())
}

fn quoted(bytes: &[u8]) -> String {
    let text: String = String::from_utf8_lossy(bytes).chars().take(LONGEST).collect();
    format!("{text:?}")
}

fn listed<T: Display>(all: impl Iterator<Item = T>) -> String {
    let all: Vec<String> = all.map(|one| one.to_string()).collect();
    if all.is_empty() { "none".into() } else { all.join(", ") }
}
