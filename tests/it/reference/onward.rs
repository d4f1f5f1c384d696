//! What the reference lets go on to the upstream: "a granted request goes on without its credential (..), with the identity headers set,
//! and without those that have no value".

use std::collections::{BTreeMap, BTreeSet};

use super::plain::{Key, Owner, Place, Plain, Realm};
use super::reading;
use super::rungs::Rung;

/// What is changed of a request. Only what is there is removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Edits {
    pub(super) set: BTreeMap<String, Vec<u8>>,
    pub(super) removed_headers: BTreeSet<String>,
    /// As they are written: Envoy compares names without decoding them.
    pub(super) removed_parameters: BTreeSet<String>,
}

/// The values that identity headers may name, of those that there are.
pub(super) type Known = BTreeMap<&'static str, String>;

pub(super) fn known(realm: &Realm, of: Option<(&Key, &Owner)>, plan: Option<&str>) -> Known {
    let mut known = Known::from([("realm", realm.name.to_owned())]);
    let Some((key, owner)) = of else { return known };
    known.insert("key.id", key.id.clone());
    known.insert("owner.id", owner.id.to_owned());
    known.insert("key.scopes", key.scopes.join(" "));
    for (name, value) in [("key.environment", key.environment), ("key.kind", key.kind), ("key.tenant", key.tenant), ("key.plan", plan)] {
        known.insert(name, value.unwrap_or_default().to_owned());
    }
    known.retain(|_, value| !value.is_empty());
    known
}

pub(super) fn edits(realm: &Realm, request: &Plain, (secret, known): (Option<&[u8]>, &Known), off: Option<Rung>) -> Edits {
    let mut edits = Edits::default();
    let suspect = |value: &[u8]| {
        let fits = || realm.formats.iter().any(|format| reading::fits(format, value));
        Some(value) == secret || (fits() && off != Some(Rung::StripLookalike))
    };
    let places = if off == Some(Rung::StripOtherPlaces) { realm.places.clone() } else { realm.all_places() };
    for place in places.iter().copied() {
        strip(place, request, &suspect, &mut edits, off);
    }
    // Places of one kind are emptied together: what goes on is what none of them takes.
    let holding = |place: &&Place| match place {
        Place::ExactQuery(name) => reading::parameters(&request.path, name).iter().any(|found| holds(found, &suspect)),
        Place::Cookie(name) => reading::cookies(request).iter().any(|(other, value)| other == name.as_bytes() && suspect(value)),
        _ => false,
    };
    let held: Vec<&Place> = places.iter().filter(holding).collect();
    strip_together(&held, request, &mut edits, off);
    for (name, template) in realm.identity {
        let of_somebody = known.contains_key("key.id") || off == Some(Rung::IdentityOfNobody);
        match render(template, known).filter(|_| of_somebody) {
            Some(value) if off != Some(Rung::IdentitySet) => _ = edits.set.insert((*name).to_owned(), value.into_bytes()),
            _ if off == Some(Rung::IdentityRemoved) => {}
            _ if !reading::header(request, name).is_empty() => _ = edits.removed_headers.insert((*name).to_owned()),
            _ => {}
        }
    }
    edits
}

fn strip(place: Place, request: &Plain, suspect: &dyn Fn(&[u8]) -> bool, edits: &mut Edits, off: Option<Rung>) {
    let on = |rung| off != Some(rung);
    match place {
        Place::Header(name, scheme) => {
            if reading::header(request, name).iter().any(|value| stands(value, scheme, suspect)) && on(Rung::StripHeader) {
                edits.removed_headers.insert(name.to_owned());
            }
        }
        Place::Query(name) => {
            let found = reading::parameters(&request.path, name);
            if found.iter().any(|found| holds(found, suspect)) && on(Rung::StripQuery) {
                let written = found.iter().map(|found| String::from_utf8_lossy(found.name).into_owned());
                edits.removed_parameters.extend(written.filter(|written| written == name || on(Rung::StripEscapedQuery)));
            }
        }
        Place::ExactQuery(_) | Place::Cookie(_) => {}
    }
}

fn strip_together(held: &[&Place], request: &Plain, edits: &mut Edits, off: Option<Rung>) {
    let mut exact = Vec::new();
    let mut cookies = Vec::new();
    for place in held {
        match place {
            Place::ExactQuery(name) => exact.push(*name),
            Place::Cookie(name) => cookies.push(*name),
            _ => {}
        }
    }
    if !exact.is_empty() && off != Some(Rung::StripExactQuery) {
        edits.set.insert(":path".to_owned(), without_parameters(&request.path, &exact));
    }
    if !cookies.is_empty() && off != Some(Rung::StripCookie) {
        strip_cookies(request, &cookies, edits);
    }
}

/// A header's value may be several that a proxy has joined.
fn stands(value: &[u8], scheme: Option<&str>, suspect: &dyn Fn(&[u8]) -> bool) -> bool {
    let presents = |value: &[u8]| reading::in_header(value, scheme, None).is_some_and(|value| suspect(&value));
    presents(value) || value.split(|byte| *byte == b',').any(presents)
}

fn holds(parameter: &reading::Parameter<'_>, suspect: &dyn Fn(&[u8]) -> bool) -> bool {
    suspect(&reading::decoded_if_possible(parameter.value))
}

/// `:path` without these parameters, every other byte as it was; without `?` where nothing is left after it.
fn without_parameters(target: &[u8], names: &[&str]) -> Vec<u8> {
    let gone: Vec<usize> = names.iter().flat_map(|name| reading::parameters(target, name)).map(|found| found.at).collect();
    let pieces = reading::pieces(target);
    let kept: Vec<&[u8]> = pieces.iter().enumerate().filter(|(at, _)| !gone.contains(at)).map(|(_, piece)| *piece).collect();
    let mut path = target.split(|byte| *byte == b'?').next().unwrap_or(&[]).to_vec();
    if !kept.is_empty() {
        path.push(b'?');
        path.extend(kept.join(&b'&'));
    }
    path
}

/// Every byte stays that is not of one of the cookies.
fn strip_cookies(request: &Plain, names: &[&str], edits: &mut Edits) {
    let mut lines = Vec::new();
    for line in reading::header(request, "cookie") {
        let mut pieces = Vec::new();
        for piece in line.split(|byte| *byte == b';') {
            let mut parts: Vec<&[u8]> = piece.split(|byte| *byte == b',').collect();
            parts.retain(|part| !names.iter().any(|name| reading::trimmed(part).starts_with(format!("{name}=").as_bytes())));
            if !parts.is_empty() {
                pieces.push(parts.join(&b','));
            }
        }
        let line = pieces.join(&b';');
        if !reading::trimmed(&line).is_empty() {
            lines.push(reading::trimmed(&line).to_vec());
        }
    }
    if lines.is_empty() {
        edits.removed_headers.insert("cookie".to_owned());
    } else {
        edits.set.insert("cookie".to_owned(), lines.join(&b"; "[..]));
    }
}

/// A template with every `${name}` replaced; `None` where one of them has no value.
fn render(template: &str, known: &Known) -> Option<String> {
    let mut pieces = template.split("${");
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (name, after) = piece.split_once('}').expect("a template's braces are closed");
        text.push_str(known.get(name)?);
        text.push_str(after);
    }
    Some(text)
}
