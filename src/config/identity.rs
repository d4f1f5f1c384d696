//! Identity headers.

use super::document::{At, Read};
use super::names::{header_name, visible};
use crate::domain::credential::Place;
use crate::domain::identity::{IdentityHeader, Known};
use crate::domain::template::Template;

/// The headers that tell the upstream who asks. `places`: every place of the realm where a credential may stand.
pub(super) fn identity(at: &At<'_>, places: &[&Place]) -> Read<Vec<IdentityHeader>> {
    let headers = at.pairs(|at| name(at, places), |_, at| value(at))?;
    Ok(headers.into_iter().map(|(name, value)| IdentityHeader { name, value }).collect())
}

fn name(at: &At<'_>, places: &[&Place]) -> Read<Box<str>> {
    let name = header_name(at)?;
    if name.contains('_') {
        return at.problem("some proxies drop a header with `_`, and some upstreams read it as `-`: use `-`");
    }
    if name.starts_with("x-envoy-") {
        return at.problem("Envoy keeps x-envoy- headers for itself");
    }
    if places.iter().any(|place| header_of(place) == &*name) {
        return at.problem("a credential stands in this header, and is taken away from it");
    }
    Ok(name)
}

fn value(at: &At<'_>) -> Read<Template<Known>> {
    visible(at)?;
    at.parsed(|text| Template::parse(text, Known::named))
}

/// The header that a place is in; none for a query parameter.
fn header_of(place: &Place) -> &str {
    match place {
        Place::Header { name, .. } => name,
        Place::Cookie { .. } => "cookie",
        Place::Query { .. } => "",
    }
}
