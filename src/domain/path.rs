//! A request's path and query, taken apart as bytes. Never a URL parser: `//admin` is not a host, `;x` is not nothing, and whatever two
//! readers could read in two ways is refused (CVE-2026-26205, GHSA-m745-gh6x-349x).

use std::borrow::Cow;

use super::request::Occurs;

/// A path that can be read in one way only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target<'a> {
    /// Percent-decoded; a trailing slash adds none.
    pub segments: Vec<Cow<'a, [u8]>>,
    /// What follows the first `?`, as sent.
    pub query: Option<&'a [u8]>,
}

/// The path is absent, or can be read in more than one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable;

impl<'a> Target<'a> {
    /// Takes `:path` apart at its first `?` and its slashes.
    pub fn parse(path: &'a [u8]) -> Result<Self, Unreadable> {
        if path.iter().any(|byte| *byte <= b' ' || *byte == 0x7f || *byte == b'#') {
            return Err(Unreadable);
        }
        let (path, query) = match path.iter().position(|byte| *byte == b'?') {
            Some(at) => (&path[..at], Some(&path[at + 1..])),
            None => (path, None),
        };
        let path = path.strip_prefix(b"/").ok_or(Unreadable)?;
        let segments = match path {
            b"" => Vec::new(),
            path => path.strip_suffix(b"/").unwrap_or(path).split(|byte| *byte == b'/').map(segment).collect::<Result<_, _>>()?,
        };
        Ok(Self { segments, query })
    }

    /// The one value of a query parameter, percent-decoded. A name written with escapes counts as another occurrence, so that it can
    /// neither pass for the parameter nor slip past it.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Occurs<Cow<'a, [u8]>> {
        let mut found = Occurs::Never;
        for (key, value) in pairs(self.query).filter(|(key, _)| spells(key, name)) {
            if key != name.as_bytes() || found != Occurs::Never {
                return Occurs::Often;
            }
            found = Occurs::Once(decode(value).unwrap_or(Cow::Borrowed(value)));
        }
        found
    }

    /// Every value of a query parameter, percent-decoded where that is possible, however its name is written.
    pub fn parameters(&self, name: &str) -> impl Iterator<Item = Cow<'a, [u8]>> {
        pairs(self.query).filter(move |(key, _)| spells(key, name)).map(|(_, value)| decode(value).unwrap_or(Cow::Borrowed(value)))
    }

    /// The ways in which the query writes a parameter's name.
    #[must_use]
    pub fn spellings(&self, name: &str) -> Vec<&'a [u8]> {
        let mut found: Vec<&[u8]> = pairs(self.query).map(|(key, _)| key).filter(|key| spells(key, name)).collect();
        found.dedup();
        found
    }
}

/// The path without some query parameters, however their names are written, and everything else byte for byte as it came.
#[must_use]
pub fn without_parameters(path: &[u8], names: &[&str]) -> Vec<u8> {
    let Some(at) = path.iter().position(|byte| *byte == b'?') else { return path.to_vec() };
    let kept: Vec<&[u8]> = path[at + 1..]
        .split(|byte| *byte == b'&')
        .filter(|pair| !pair.split(|byte| *byte == b'=').next().is_some_and(|key| names.iter().any(|name| spells(key, name))))
        .collect();
    let mut rest = path[..at].to_vec();
    if !kept.is_empty() {
        rest.push(b'?');
        rest.extend_from_slice(&kept.join(&b'&'));
    }
    rest
}

/// Whether a parameter's name is this one, written plainly or with escapes.
fn spells(key: &[u8], name: &str) -> bool {
    key == name.as_bytes() || decode(key).is_some_and(|key| *key == *name.as_bytes())
}

fn pairs(query: Option<&[u8]>) -> impl Iterator<Item = (&[u8], &[u8])> {
    query.unwrap_or_default().split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).map(|pair| {
        match pair.iter().position(|byte| *byte == b'=') {
            Some(at) => (&pair[..at], &pair[at + 1..]),
            None => (pair, &pair[pair.len()..]),
        }
    })
}

fn segment(raw: &[u8]) -> Result<Cow<'_, [u8]>, Unreadable> {
    if raw.is_empty() || !raw.is_ascii() {
        return Err(Unreadable);
    }
    let decoded = decode(raw).ok_or(Unreadable)?;
    let unsafe_byte = |byte: &u8| *byte < b' ' || *byte == 0x7f || b"/\\;".contains(byte);
    if decoded.iter().any(unsafe_byte) || matches!(&*decoded, b"." | b"..") {
        return Err(Unreadable);
    }
    Ok(decoded)
}

/// Decodes `%XX`; `None` where a `%` is not followed by two hexadecimal digits.
fn decode(raw: &[u8]) -> Option<Cow<'_, [u8]>> {
    if !raw.contains(&b'%') {
        return Some(Cow::Borrowed(raw));
    }
    let mut out = Vec::with_capacity(raw.len());
    let mut bytes = raw.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => out.push(hex(bytes.next()?)? << 4 | hex(bytes.next()?)?),
            byte => out.push(byte),
        }
    }
    Some(Cow::Owned(out))
}

fn hex(digit: u8) -> Option<u8> {
    (digit as char).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segments(path: &str) -> Option<Vec<String>> {
        let target = Target::parse(path.as_bytes()).ok()?;
        Some(target.segments.iter().map(|s| String::from_utf8_lossy(s).into_owned()).collect())
    }

    #[test]
    fn a_path_that_can_be_read_in_two_ways_is_refused() {
        for path in [
            "",
            "*",
            "x",
            "//",
            "//a",
            "/a//b",
            "/a/./b",
            "/a/../b",
            "/a/%2e%2e/b",
            "/a/%2E./b",
            "/a%2fb",
            "/a%5cb",
            "/a\\b",
            "/a;x",
            "/..;/a",
            "/a%3bx",
            "/a%",
            "/a%2",
            "/a%zz",
            "/a%00",
            "/a b",
            "/a#b",
            "/é",
            "http://h/a",
            "/a\u{7f}",
        ] {
            assert_eq!(segments(path), None, "{path:?}");
        }
    }

    #[test]
    fn an_escaped_plain_character_is_that_character_and_a_trailing_slash_is_nothing() {
        assert_eq!(segments("/v1/%62ookings/").unwrap(), ["v1", "bookings"]);
        assert_eq!(segments("/").unwrap(), Vec::<String>::new());
        assert_eq!(segments("/a?b/../c;d//e").unwrap(), ["a"]);
    }

    #[test]
    fn a_parameter_that_comes_twice_or_with_an_escaped_name_is_never_picked() {
        let of = |path: &'static str| Target::parse(path.as_bytes()).unwrap().parameter("key");
        assert_eq!(of("/f?type=t&key=K"), Occurs::Once(Cow::Borrowed(&b"K"[..])));
        assert_eq!(of("/f?key=a%62c"), Occurs::Once(Cow::Borrowed(&b"abc"[..])));
        assert_eq!(of("/f?keys=K&Key=K"), Occurs::Never);
        for path in ["/f?key=K&key=K", "/f?%6bey=K", "/f?key=K&k%65y=L"] {
            assert_eq!(of(path), Occurs::Often, "{path}");
        }
    }

    #[test]
    fn removing_a_parameter_leaves_every_other_byte_alone() {
        let rest = |path: &str| String::from_utf8(without_parameters(path.as_bytes(), &["key", "k2"])).unwrap();
        assert_eq!(rest("/f?z=1&key=K&a&b=%20"), "/f?z=1&a&b=%20");
        assert_eq!(rest("/f?%6bey=K&a=1&key=L"), "/f?a=1");
        assert_eq!(rest("/f?key=K&k2=K&b"), "/f?b");
        assert_eq!(rest("/f?key=K"), "/f");
        assert_eq!(rest("/f?keys=K"), "/f?keys=K");
    }
}
