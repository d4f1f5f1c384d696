//! The places where a credential may stand.

use super::document::{At, Read};
use super::map::Map;
use super::names::{header_name, token};
use crate::domain::credential::{Place, QueryRemoval};

/// At least one place, none of them twice.
pub(super) fn places(at: &At<'_>) -> Read<Vec<Place>> {
    at.some()?.list_in_order(|at, before: &[Read<Place>]| {
        let place = place(at)?;
        match before.iter().flatten().find(|other| overlap(other, &place)) {
            Some(_) => at.problem("is a place that a line above has already"),
            None => Ok(place),
        }
    })
}

fn place(at: &At<'_>) -> Read<Place> {
    let mut map = at.map()?;
    let place = match map.one_of(&["header", "query", "cookie"])? {
        "header" => header(&mut map),
        "query" => query(&mut map),
        _ => map.required("cookie", token).map(|name| Place::Cookie { name: name.into() }),
    };
    map.finish().and(place)
}

fn header(map: &mut Map<'_>) -> Read<Place> {
    let name = map.required("header", |at| match header_name(at)? {
        name if &*name == "cookie" => at.problem("is read as a whole nowhere: name the cookie, as in `cookie: session_key`"),
        name => Ok(name),
    });
    let scheme = map.optional("scheme", token);
    Ok(Place::Header { name: name?, scheme: scheme?.map(Into::into) })
}

fn query(map: &mut Map<'_>) -> Read<Place> {
    let name = map.required("query", parameter);
    let removals = [("sorted", QueryRemoval::Sorted), ("exact", QueryRemoval::Exact)];
    let removal = map.or_default("removal", |at| at.one_of(&removals));
    Ok(Place::Query { name: name?.into(), removal: removal? })
}

/// A parameter's name as it is compared: before anything is decoded.
fn parameter<'a>(at: &At<'a>) -> Read<&'a str> {
    let text = at.text()?;
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"&=%+#".contains(&byte));
    if plain { Ok(text) } else { at.must_be("a parameter's name, of visible ASCII but & = % + #") }
}

/// Whether one value could stand in both places. A header without a scheme takes every scheme's.
fn overlap(one: &Place, other: &Place) -> bool {
    match (one, other) {
        (Place::Header { name: a, scheme: x }, Place::Header { name: b, scheme: y }) => {
            let apart = x.as_ref().zip(y.as_ref()).is_some_and(|(x, y)| !x.eq_ignore_ascii_case(y));
            a == b && !apart
        }
        (Place::Query { name: a, .. }, Place::Query { name: b, .. }) | (Place::Cookie { name: a }, Place::Cookie { name: b }) => a == b,
        _ => false,
    }
}
