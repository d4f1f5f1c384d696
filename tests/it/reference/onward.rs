//! What the reference lets go on to the upstream: "a granted request goes on without its credential (..), with the identity headers set,
//! and without those that have no value".

use std::collections::{BTreeMap, BTreeSet};

use super::plain::{Key, Owner, Place, Plain, Realm};
use super::reading::{self, Seen};
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
    for place in places {
        // A place that holds more than one thing cannot be read: the document does not say, but all of it stays behind.
        let unread = reading::seen(&place, request, None) == Seen::Twice && off != Some(Rung::StripTwice);
        strip(place, request, &|value| unread || suspect(value), &mut edits, off);
    }
    for (name, template) in realm.identity {
        match render(template, known) {
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
        Place::ExactQuery(name) => {
            let found = reading::parameters(&request.path, name);
            if found.iter().any(|found| holds(found, suspect)) && on(Rung::StripExactQuery) {
                edits.set.insert(":path".to_owned(), without_parameter(&request.path, name));
            }
        }
        Place::Cookie(name) => {
            let all = reading::cookies(request);
            if all.iter().any(|(other, value)| other == name.as_bytes() && suspect(value)) && on(Rung::StripCookie) {
                strip_cookie(request, name, edits);
            }
        }
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

/// `:path` without a parameter, every other byte as it was; without `?` where nothing is left after it.
fn without_parameter(target: &[u8], name: &str) -> Vec<u8> {
    let gone: Vec<usize> = reading::parameters(target, name).iter().map(|found| found.at).collect();
    let pieces = reading::pieces(target);
    let kept: Vec<&[u8]> = pieces.iter().enumerate().filter(|(at, _)| !gone.contains(at)).map(|(_, piece)| *piece).collect();
    let mut path = target.split(|byte| *byte == b'?').next().unwrap_or(&[]).to_vec();
    if !kept.is_empty() {
        path.push(b'?');
        path.extend(kept.join(&b'&'));
    }
    path
}

fn strip_cookie(request: &Plain, name: &str, edits: &mut Edits) {
    let lines = reading::header(request, "cookie");
    let pieces = lines.iter().flat_map(|line| line.split(|byte| matches!(byte, b';' | b',')));
    let start = format!("{name}=");
    let named = |piece: &[u8]| piece.starts_with(start.as_bytes());
    let kept: Vec<&[u8]> = pieces.map(reading::trimmed).filter(|piece| !piece.is_empty() && !named(piece)).collect();
    if kept.is_empty() {
        edits.removed_headers.insert("cookie".to_owned());
    } else {
        edits.set.insert("cookie".to_owned(), kept.join(&b"; "[..]));
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
