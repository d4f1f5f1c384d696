//! Routes: which requests a realm knows, and what each demands of a key.

use std::fmt;
use std::num::NonZeroU32;

use super::credential::Place;
use super::name::{Scope, Word};
use super::path::Target;
use super::request::Request;

/// A route. It matches where its path, its methods and its extensions all do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// `None`: any path.
    pub path: Option<PathPattern>,
    /// Empty: any method. Compared exactly (RFC 9110, 9.1).
    pub methods: Vec<Box<str>>,
    /// Context extensions that the proxy must have sent.
    pub extensions: Vec<(Box<str>, Box<str>)>,
    pub demands: Demands,
    /// Instead of the realm's places.
    pub places: Option<Vec<Place>>,
    /// Whether a request without a credential passes.
    pub anonymous: bool,
    /// How many tokens a request takes of every limit.
    pub cost: NonZeroU32,
}

/// What a route demands of a key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Demands {
    /// All of them.
    pub scopes: Vec<Scope>,
    /// One of them; empty: any.
    pub kinds: Vec<Word>,
    /// One of them; empty: any.
    pub environments: Vec<Word>,
}

/// The shape of a path. Segments are compared whole, after percent-decoding; `{name}` stands for any one segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathPattern {
    segments: Vec<Segment>,
    /// Whether more segments may follow.
    open: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Literal(Box<str>),
    Any,
}

/// A pattern that does not begin with `/`, or could match no request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no path: it must begin with `/`, hold no empty, `.` or `..` segment, no `?`, `;` or `%`, and `{{name}}` must fill a segment"
)]
pub struct PatternError(String);

impl Route {
    /// Whether the route is the request's.
    #[must_use]
    pub fn matches(&self, request: &Request<'_>, target: &Target<'_>) -> bool {
        let path = self.path.as_ref().is_none_or(|path| path.matches(target));
        let method = self.methods.is_empty() || self.methods.iter().any(|method| method.as_bytes() == request.method);
        let extension = |(name, value): &(Box<str>, Box<str>)| request.extension(name) == Some(value.as_bytes());
        path && method && self.extensions.iter().all(extension)
    }

    /// Whether it is every request's that is the other's: the other is never reached behind it.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        let any_path = PathPattern { segments: Vec::new(), open: true };
        let path = self.path.as_ref().is_none_or(|path| path.covers(other.path.as_ref().unwrap_or(&any_path)));
        let method = self.methods.is_empty() || (!other.methods.is_empty() && other.methods.iter().all(|m| self.methods.contains(m)));
        path && method && self.extensions.iter().all(|extension| other.extensions.contains(extension))
    }
}

/// As a realm's file has it; what a pattern stands for has lost its name.
impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for segment in &self.segments {
            match segment {
                Segment::Literal(text) => write!(f, "/{text}")?,
                Segment::Any => f.write_str("/{}")?,
            }
        }
        f.write_str(match (self.open, self.segments.is_empty()) {
            (true, _) => "/...",
            (false, true) => "/",
            (false, false) => "",
        })
    }
}

impl PathPattern {
    /// A template: `/v1/bookings/{id}`.
    pub fn template(text: &str) -> Result<Self, PatternError> {
        Self::parse(text, false)
    }

    /// A prefix, itself included: `/v1/bookings` also matches `/v1/bookings/7`, and not `/v1/bookingsx`.
    pub fn prefix(text: &str) -> Result<Self, PatternError> {
        Self::parse(text, true)
    }

    fn parse(text: &str, open: bool) -> Result<Self, PatternError> {
        let error = || PatternError(text.into());
        let path = text.strip_prefix('/').ok_or_else(error)?;
        let path = path.strip_suffix('/').unwrap_or(path);
        let segment = |raw: &str| match raw.strip_prefix('{').and_then(|raw| raw.strip_suffix('}')) {
            Some(name) if !name.is_empty() && !name.contains(['{', '}']) => Ok(Segment::Any),
            None if !raw.is_empty() && raw != "." && raw != ".." && !raw.contains(['{', '}', '?', '#', ';', '%', '\\', ' ', '*']) => {
                Ok(Segment::Literal(raw.into()))
            }
            _ => Err(error()),
        };
        let segments = if path.is_empty() { Vec::new() } else { path.split('/').map(segment).collect::<Result<_, _>>()? };
        Ok(Self { segments, open })
    }

    /// Whether it matches every path that the other matches.
    fn covers(&self, other: &Self) -> bool {
        let length = match (self.open, other.open) {
            (true, _) => other.segments.len() >= self.segments.len(),
            (false, true) => false,
            (false, false) => other.segments.len() == self.segments.len(),
        };
        length && self.segments.iter().zip(&other.segments).all(|(own, other)| *own == Segment::Any || own == other)
    }

    fn matches(&self, target: &Target<'_>) -> bool {
        let given = &target.segments;
        let length = if self.open { given.len() >= self.segments.len() } else { given.len() == self.segments.len() };
        length
            && self.segments.iter().zip(given).all(|(segment, given)| match segment {
                Segment::Literal(text) => text.as_bytes() == &**given,
                Segment::Any => true,
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &PathPattern, path: &str) -> bool {
        pattern.matches(&Target::parse(path.as_bytes()).unwrap())
    }

    #[test]
    fn a_template_matches_segment_by_segment() {
        let pattern = PathPattern::template("/v1/bookings/{id}").unwrap();
        assert!(matches(&pattern, "/v1/bookings/7?x=/y"));
        assert!(matches(&pattern, "/v1/bookings/7/"));
        assert!(matches(&pattern, "/v1/%62ookings/7"));
        for path in ["/v1/bookings", "/v1/bookings/", "/v1/bookings/7/8", "/V1/bookings/7", "/"] {
            assert!(!matches(&pattern, path), "{path}");
        }
    }

    #[test]
    fn a_prefix_ends_at_a_slash() {
        let pattern = PathPattern::prefix("/v1/bookings").unwrap();
        assert!(matches(&pattern, "/v1/bookings") && matches(&pattern, "/v1/bookings/7/8"));
        assert!(!matches(&pattern, "/v1/bookingsx") && !matches(&pattern, "/v1"));
        assert!(matches(&PathPattern::prefix("/").unwrap(), "/anything"));
    }

    #[test]
    fn a_route_covers_another_where_every_request_of_the_other_is_its_own() {
        let route = |path: Option<PathPattern>, methods: &[&str], extensions: &[(&str, &str)]| Route {
            path,
            methods: methods.iter().map(|method| (*method).into()).collect(),
            extensions: extensions.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
            demands: Demands::default(),
            places: None,
            anonymous: false,
            cost: NonZeroU32::MIN,
        };
        let covers =
            |one: &Option<PathPattern>, other: &Option<PathPattern>| route(one.clone(), &[], &[]).covers(&route(other.clone(), &[], &[]));
        let [root, below, any, one] = ["/", "/v1", "/v1/{x}", "/v1/x"].map(|text| match text {
            "/" | "/v1" => PathPattern::prefix(text).ok(),
            _ => PathPattern::template(text).ok(),
        });
        for (wide, narrow) in [(&None, &root), (&root, &None), (&root, &below), (&below, &any), (&below, &below), (&any, &one)] {
            assert!(covers(wide, narrow), "{wide:?} {narrow:?}");
        }
        for (narrow, wide) in [(&below, &root), (&any, &below), (&one, &any), (&below, &None), (&any, &root)] {
            assert!(!covers(narrow, wide), "{narrow:?} {wide:?}");
        }
        let with = |methods: &[&str], extensions: &[(&str, &str)]| route(None, methods, extensions);
        assert!(with(&[], &[]).covers(&with(&["GET"], &[("a", "1")])) && with(&["GET", "PUT"], &[]).covers(&with(&["PUT"], &[])));
        assert!(!with(&["GET"], &[]).covers(&with(&[], &[])) && !with(&["GET"], &[]).covers(&with(&["GET", "PUT"], &[])));
        assert!(!with(&[], &[("a", "1")]).covers(&with(&[], &[])) && !with(&[], &[("a", "1")]).covers(&with(&[], &[("a", "2")])));
    }

    #[test]
    fn a_pattern_that_no_readable_path_could_match_is_refused() {
        for text in ["", "v1", "/a//b", "/a/../b", "/a?b", "/a;b", "/a%20b", "/a/{", "/a/x{id}", "/a/{}", "/a/*"] {
            assert!(PathPattern::template(text).is_err(), "{text}");
        }
    }
}
