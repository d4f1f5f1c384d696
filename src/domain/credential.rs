//! Where a request carries its credential, and what to take away before the request goes on.

use std::borrow::Cow;
use std::fmt;

use super::path::Target;
use super::request::{Occurs, Request};

/// A place where a credential may stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A header; with a scheme, the value is `<scheme> <credential>` and a value of another scheme is none of ours (RFC 9110, 11.4).
    Header { name: Box<str>, scheme: Option<Box<str>> },
    /// A query parameter.
    Query { name: Box<str>, removal: QueryRemoval },
    /// A cookie.
    Cookie { name: Box<str> },
}

/// How a query parameter is taken away before the upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum QueryRemoval {
    /// Envoy removes it; the other parameters arrive sorted by name. Works under any mutation rules.
    #[default]
    Sorted,
    /// keyward sets `:path`; the other parameters arrive byte for byte. The proxy's mutation rules must allow `:path`.
    Exact,
}

/// What the caller presented. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Presented<'a>(pub Cow<'a, [u8]>);

impl fmt::Debug for Presented<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Presented(..)")
    }
}

/// More than one credential, or one that can be read in two ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ambiguous;

/// The one credential that the places hold. The same one in two places is one; the same place filled twice is none.
pub fn find<'a>(places: &[Place], request: &Request<'a>, target: &Target<'a>) -> Result<Option<Presented<'a>>, Ambiguous> {
    let mut found: Option<Presented<'a>> = None;
    for place in places {
        let value = match place.read(request, target) {
            Occurs::Never => continue,
            Occurs::Once(value) => value,
            Occurs::Often => return Err(Ambiguous),
        };
        if found.as_ref().is_some_and(|other| *other != value) {
            return Err(Ambiguous);
        }
        found = Some(value);
    }
    Ok(found)
}

impl Place {
    /// Whether anything in this place looks like a secret, whether or not the request's route reads it.
    #[must_use]
    pub fn holds(&self, request: &Request<'_>, target: &Target<'_>, looks_secret: impl Fn(&[u8]) -> bool) -> bool {
        all(self, request, target).iter().any(|value| looks_secret(value))
    }

    /// What stands in this place. An empty value is no credential.
    #[must_use]
    pub fn read<'a>(&self, request: &Request<'a>, target: &Target<'a>) -> Occurs<Presented<'a>> {
        let value = match self {
            Self::Header { name, scheme } => header(request, name, scheme.as_deref()),
            Self::Query { name, .. } => target.parameter(name),
            Self::Cookie { name } => cookie(request, name),
        };
        match value {
            Occurs::Once(value) if value.is_empty() => Occurs::Never,
            Occurs::Once(value) => Occurs::Once(Presented(value)),
            Occurs::Never => Occurs::Never,
            Occurs::Often => Occurs::Often,
        }
    }
}

/// Everything that stands in this place, be it ever so ambiguous.
fn all<'a>(place: &Place, request: &Request<'a>, target: &Target<'a>) -> Vec<Cow<'a, [u8]>> {
    match place {
        Place::Header { name, scheme } => {
            let values = request.headers.all(name).flat_map(parts);
            let presented = values.filter_map(|value| scheme.as_deref().map_or(Some(value), |scheme| after_scheme(value, scheme)));
            presented.map(Cow::Borrowed).collect()
        }
        Place::Query { name, .. } => target.parameters(name).collect(),
        Place::Cookie { name } => cookies(request).filter_map(|pair| named(pair, name)).map(Cow::Borrowed).collect(),
    }
}

/// A value with a comma is several that a proxy joined; no key format's alphabet has one. Under a scheme it matters only if one of them is of
/// that scheme: `Digest a="1", b="2"` is one value of another.
fn header<'a>(request: &Request<'a>, name: &str, scheme: Option<&str>) -> Occurs<Cow<'a, [u8]>> {
    let value = match request.headers.one(name) {
        Occurs::Once(value) => value.trim_ascii(),
        Occurs::Never => return Occurs::Never,
        Occurs::Often => return Occurs::Often,
    };
    let (joined, whole) = (value.contains(&b','), std::iter::once(value));
    match scheme {
        None if joined => Occurs::Often,
        None => Occurs::Once(Cow::Borrowed(value)),
        Some(scheme) if joined => {
            let ours = whole.chain(parts(value)).any(|value| after_scheme(value, scheme).is_some());
            if ours { Occurs::Often } else { Occurs::Never }
        }
        Some(scheme) => after_scheme(value, scheme).map_or(Occurs::Never, |value| Occurs::Once(Cow::Borrowed(value))),
    }
}

fn parts(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

fn after_scheme<'a>(value: &'a [u8], scheme: &str) -> Option<&'a [u8]> {
    let (start, rest) = value.split_at_checked(scheme.len())?;
    let rest = rest.strip_prefix(b" ")?;
    start.eq_ignore_ascii_case(scheme.as_bytes()).then(|| rest.trim_ascii())
}

/// Cookies come as `a=1; b=2`; several cookie headers may have been joined with `,`.
fn cookie<'a>(request: &Request<'a>, name: &str) -> Occurs<Cow<'a, [u8]>> {
    let mut found = Occurs::Never;
    for pair in cookies(request) {
        let Some(value) = named(pair, name) else { continue };
        if found != Occurs::Never {
            return Occurs::Often;
        }
        found = Occurs::Once(Cow::Borrowed(value));
    }
    found
}

/// The cookie header without some cookies, every other byte as it came; `None` where nothing is left.
#[must_use]
pub fn without_cookies(request: &Request<'_>, names: &[&str]) -> Option<Vec<u8>> {
    let gone = |part: &&[u8]| names.iter().any(|name| named(part.trim_ascii(), name).is_some());
    let kept = |piece: &[u8]| -> Option<Vec<u8>> {
        let kept: Vec<&[u8]> = piece.split(|byte| *byte == b',').filter(|part| !gone(part)).collect();
        (!kept.is_empty()).then(|| kept.join(&b','))
    };
    let lines = request.headers.all("cookie").filter_map(|line| {
        let pieces: Vec<Vec<u8>> = line.split(|byte| *byte == b';').filter_map(kept).collect();
        let line = pieces.join(&b';').trim_ascii().to_vec();
        (!line.is_empty()).then_some(line)
    });
    let lines: Vec<Vec<u8>> = lines.collect();
    (!lines.is_empty()).then(|| lines.join(&b"; "[..]))
}

fn named<'a>(pair: &'a [u8], name: &str) -> Option<&'a [u8]> {
    pair.strip_prefix(name.as_bytes())?.strip_prefix(b"=")
}

fn cookies<'a>(request: &Request<'a>) -> impl Iterator<Item = &'a [u8]> {
    let values = request.headers.all("cookie");
    values.flat_map(|value| value.split(|byte| b";,".contains(byte))).map(<[u8]>::trim_ascii).filter(|pair| !pair.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::request::Headers;

    fn read(places: &[Place], path: &'static str, headers: &[(&'static str, &'static str)]) -> Result<Option<String>, Ambiguous> {
        let request = Request {
            method: b"GET",
            path: path.as_bytes(),
            host: b"h",
            scheme: b"https",
            headers: Headers(headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect()),
            peer: None,
            context: Vec::new(),
        };
        let found = find(places, &request, &Target::parse(request.path).unwrap())?;
        Ok(found.map(|found| String::from_utf8_lossy(&found.0).into_owned()))
    }

    fn places() -> Vec<Place> {
        vec![
            Place::Header { name: "authorization".into(), scheme: Some("Bearer".into()) },
            Place::Header { name: "x-api-key".into(), scheme: None },
            Place::Query { name: "key".into(), removal: QueryRemoval::Sorted },
            Place::Cookie { name: "key".into() },
        ]
    }

    #[test]
    fn a_header_of_another_scheme_is_no_credential() {
        for value in ["Basic abc", "K", "Bearer", "BearerK", "Bearer\tK", ""] {
            assert_eq!(read(&places(), "/", &[("authorization", value)]), Ok(None), "{value}");
        }
        for value in ["Bearer K", "bearer K", "Bearer   K"] {
            assert_eq!(read(&places(), "/", &[("authorization", value)]), Ok(Some("K".into())), "{value}");
        }
    }

    #[test]
    fn a_comma_in_a_header_of_another_scheme_is_nobodys_second_credential() {
        let digest = ("authorization", r#"Digest username="a", realm="b""#);
        assert_eq!(read(&places(), "/", &[digest]), Ok(None));
        assert_eq!(read(&places(), "/", &[digest, ("x-api-key", "K")]), Ok(Some("K".into())));
    }

    #[test]
    fn taking_cookies_away_leaves_every_other_byte_alone() {
        let rest = |lines: &[&'static str]| {
            let headers = Headers(lines.iter().map(|line| (&b"cookie"[..], line.as_bytes())).collect());
            let none = &b""[..];
            let request = Request { method: none, path: none, host: none, scheme: none, headers, peer: None, context: Vec::new() };
            without_cookies(&request, &["a", "b"]).map(|rest| String::from_utf8(rest).unwrap())
        };
        assert_eq!(rest(&[r#"prefs=u,v; a=K;  j={"x":1,"y":2}; b=K"#]).unwrap(), r#"prefs=u,v;  j={"x":1,"y":2}"#);
        assert_eq!(rest(&["a=K,c=1", "b=L; d=2"]).unwrap(), "c=1; d=2");
        assert_eq!(rest(&["a=K; b=L"]), None);
        assert_eq!(rest(&["aa=K"]).unwrap(), "aa=K");
    }

    #[test]
    fn the_same_credential_in_two_places_is_one_and_two_that_differ_are_none() {
        assert_eq!(read(&places(), "/?key=K", &[("x-api-key", "K"), ("cookie", "a=1; key=K")]), Ok(Some("K".into())));
        assert_eq!(read(&places(), "/?key=L", &[("x-api-key", "K")]), Err(Ambiguous));
        assert_eq!(read(&places(), "/", &[("authorization", "Bearer L"), ("x-api-key", "K")]), Err(Ambiguous));
    }

    #[test]
    fn a_place_that_is_filled_twice_holds_no_credential_in_either_form() {
        assert_eq!(read(&places(), "/", &[("x-api-key", "K"), ("X-Api-Key", "K")]), Err(Ambiguous));
        assert_eq!(read(&places(), "/", &[("x-api-key", "K,K")]), Err(Ambiguous));
        assert_eq!(read(&places(), "/", &[("authorization", "Bearer K,Bearer K")]), Err(Ambiguous));
        assert_eq!(read(&places(), "/", &[("authorization", "Basic a, bearer K")]), Err(Ambiguous));
        assert_eq!(read(&places(), "/", &[("authorization", "Bearer ,K")]), Err(Ambiguous));
        assert_eq!(read(&places(), "/", &[("cookie", "key=K,key=K")]), Err(Ambiguous));
        assert_eq!(read(&places(), "/", &[("cookie", "key=K"), ("cookie", "key=L")]), Err(Ambiguous));
    }
}
