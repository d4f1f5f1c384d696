//! How the reference reads a request: hosts, paths, places of credentials, formats, addresses. Rungs 1, 2, 4, 5, 7 and 9.

use std::net::{IpAddr, Ipv6Addr};

use super::plain::{Alphabet, Format, Paths, Place, Plain};
use super::rungs::Rung;

/// What stands in a place.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Seen {
    Absent,
    Once(Vec<u8>),
    /// More than once, or in a way that cannot be told from that.
    Twice,
}

/// The values of a header, one for every time that it comes. Names of headers have no case.
pub(super) fn header(request: &Plain, name: &str) -> Vec<Vec<u8>> {
    let named = |(other, _): &&(Vec<u8>, Vec<u8>)| other.eq_ignore_ascii_case(name.as_bytes());
    request.headers.iter().filter(named).map(|(_, value)| value.clone()).collect()
}

/// A context extension; of a map's entries with the same key, the last one counts.
pub(super) fn extension<'r>(request: &'r Plain, name: &str) -> Option<&'r [u8]> {
    request.extensions.iter().rfind(|(other, _)| other == name.as_bytes()).map(|(_, value)| value.as_slice())
}

/// The host without port (a colon and digits, or nothing, at the end) and closing dot, in lower case.
pub(super) fn host(said: &[u8]) -> Vec<u8> {
    let mut host = said.to_ascii_lowercase();
    if let Some(colon) = host.iter().rposition(|byte| *byte == b':')
        && host[colon + 1..].iter().all(u8::is_ascii_digit)
    {
        host.truncate(colon);
    }
    if host.last() == Some(&b'.') {
        host.pop();
    }
    host
}

/// Whether a realm's host is this one. `*.` is every name below.
pub(super) fn host_fits(pattern: &str, host: &[u8]) -> bool {
    match pattern.strip_prefix('*') {
        Some(below) => host.len() > below.len() && host.ends_with(below.as_bytes()),
        None => host == pattern.as_bytes(),
    }
}

/// The path's segments, decoded; `None` where the path is malformed.
pub(super) fn segments(target: &[u8], off: Option<Rung>) -> Option<Vec<Vec<u8>>> {
    let on = |rung| off != Some(rung);
    if target.iter().any(|byte| *byte <= b' ' || *byte == 0x7f || *byte == b'#') && on(Rung::ForbiddenByte) {
        return None;
    }
    let path = target.split(|byte| *byte == b'?').next().unwrap_or(&[]);
    if path.first() != Some(&b'/') && on(Rung::LeadingSlash) {
        return None;
    }
    if path.iter().any(|byte| *byte > 0x7f) && on(Rung::HighByte) {
        return None;
    }
    let path = path.strip_prefix(b"/").unwrap_or(path);
    let path = path.strip_suffix(b"/").filter(|rest| !rest.is_empty()).unwrap_or(path);
    if path.is_empty() {
        return Some(Vec::new());
    }
    path.split(|byte| *byte == b'/').map(|segment| self::segment(segment, off)).collect()
}

fn segment(raw: &[u8], off: Option<Rung>) -> Option<Vec<u8>> {
    let on = |rung| off != Some(rung);
    let decoded = match decoded(raw) {
        Some(decoded) => decoded,
        None if on(Rung::Escape) => return None,
        None => raw.to_vec(),
    };
    if decoded.is_empty() && on(Rung::EmptySegment) {
        return None;
    }
    if (decoded == b"." || decoded == b"..") && on(Rung::DotSegment) {
        return None;
    }
    let hides = |byte: &u8| matches!(byte, b'/' | b'\\' | b';' | 0..0x20 | 0x7f);
    if decoded.iter().any(hides) && on(Rung::HiddenSeparator) {
        return None;
    }
    Some(if on(Rung::SegmentsDecoded) { decoded } else { raw.to_vec() })
}

/// Percent-decoded; `None` where a `%` is not followed by two hexadecimal digits.
pub(super) fn decoded(raw: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < raw.len() {
        if raw[at] == b'%' {
            let digits = raw.get(at + 1..at + 3)?;
            let digit = |byte: u8| char::from(byte).to_digit(16);
            out.push(u8::try_from(digit(digits[0])? * 16 + digit(digits[1])?).ok()?);
            at += 3;
        } else {
            out.push(raw[at]);
            at += 1;
        }
    }
    Some(out)
}

/// Whether a route's path is this one.
pub(super) fn path_fits(paths: Paths, segments: &[Vec<u8>]) -> bool {
    let (pattern, whole) = match paths {
        Paths::Any => return true,
        Paths::Whole(pattern) => (pattern, true),
        Paths::Below(pattern) => (pattern, false),
    };
    let wanted: Vec<&str> = pattern.split('/').filter(|segment| !segment.is_empty()).collect();
    let enough = if whole { segments.len() == wanted.len() } else { segments.len() >= wanted.len() };
    enough && wanted.iter().zip(segments).all(|(wanted, segment)| wanted.starts_with('{') || wanted.as_bytes() == segment)
}

/// What stands in a place. Rung 5.
pub(super) fn seen(place: &Place, request: &Plain, off: Option<Rung>) -> Seen {
    let on = |rung| off != Some(rung);
    let (values, twice) = match place {
        Place::Header(name, scheme) => {
            let said = header(request, name);
            let of_scheme = |value: &Vec<u8>| {
                in_header(value, *scheme, None).is_some()
                    || value.split(|byte| *byte == b',').any(|part| in_header(part, *scheme, None).is_some())
            };
            let joined = said.iter().any(|value| value.contains(&b',') && of_scheme(value));
            let twice = said.len() > 1 && on(Rung::HeaderTwice) || joined && on(Rung::HeaderComma);
            (said.iter().filter_map(|value| in_header(value, *scheme, off)).collect::<Vec<_>>(), twice)
        }
        Place::Query(name) | Place::ExactQuery(name) => {
            let found = parameters(&request.path, name);
            let twice = found.len() > 1 && on(Rung::QueryTwice) || found.iter().any(|found| found.escaped) && on(Rung::QueryEscaped);
            let value = |raw: &[u8]| if on(Rung::ValueDecoded) { decoded_if_possible(raw) } else { raw.to_vec() };
            (found.iter().map(|found| value(found.value)).collect(), twice)
        }
        Place::Cookie(name) => {
            let found: Vec<Vec<u8>> =
                cookies(request).into_iter().filter(|(other, _)| other == name.as_bytes()).map(|pair| pair.1).collect();
            let twice = found.len() > 1 && on(Rung::CookieTwice);
            (found, twice)
        }
    };
    if twice {
        return Seen::Twice;
    }
    match values.into_iter().next().filter(|value| !value.is_empty() || !on(Rung::EmptyIsAbsent)) {
        Some(value) => Seen::Once(value),
        None => Seen::Absent,
    }
}

/// What a header's value presents: all of it, or what follows the scheme and a space. Spaces around either are dropped.
pub(super) fn in_header(value: &[u8], scheme: Option<&str>, off: Option<Rung>) -> Option<Vec<u8>> {
    let value = trimmed(value);
    let Some(scheme) = scheme else { return Some(value.to_vec()) };
    let said = value.get(..scheme.len()).unwrap_or(&[]);
    let any_case = off != Some(Rung::SchemeAnyCase) && said.eq_ignore_ascii_case(scheme.as_bytes());
    if (any_case || said == scheme.as_bytes()) && value.get(scheme.len()) == Some(&b' ') {
        return Some(trimmed(&value[scheme.len() + 1..]).to_vec());
    }
    (off == Some(Rung::SchemeOnly)).then(|| value.to_vec())
}

/// A parameter of the query by its name.
#[derive(Debug)]
pub(super) struct Parameter<'r> {
    /// Where it stands among the query's pieces.
    pub(super) at: usize,
    /// As it is written.
    pub(super) name: &'r [u8],
    pub(super) value: &'r [u8],
    pub(super) escaped: bool,
}

/// The query's pieces, between its `&`.
pub(super) fn pieces(target: &[u8]) -> Vec<&[u8]> {
    match target.iter().position(|byte| *byte == b'?') {
        Some(mark) => target[mark + 1..].split(|byte| *byte == b'&').collect(),
        None => Vec::new(),
    }
}

/// Every time that a parameter comes, names compared decoded.
pub(super) fn parameters<'r>(target: &'r [u8], name: &str) -> Vec<Parameter<'r>> {
    let mut found = Vec::new();
    for (at, piece) in pieces(target).into_iter().enumerate() {
        let cut = piece.iter().position(|byte| *byte == b'=').unwrap_or(piece.len());
        if decoded_if_possible(&piece[..cut]) == name.as_bytes() {
            let value = piece.get(cut + 1..).unwrap_or(&[]);
            found.push(Parameter { at, name: &piece[..cut], value, escaped: piece[..cut].contains(&b'%') });
        }
    }
    found
}

/// All of it decoded, or, where an escape in it is none, all of it as it stands.
pub(super) fn decoded_if_possible(raw: &[u8]) -> Vec<u8> {
    decoded(raw).unwrap_or_else(|| raw.to_vec())
}

/// Every cookie. A proxy may join headers with a comma, which no cookie's value may hold, so both divide.
pub(super) fn cookies(request: &Plain) -> Vec<(Vec<u8>, Vec<u8>)> {
    let lines = header(request, "cookie");
    let pieces = lines.iter().flat_map(|line| line.split(|byte| matches!(byte, b';' | b',')));
    let pair = |piece: &[u8]| {
        let cut = piece.iter().position(|byte| *byte == b'=')?;
        Some((piece[..cut].to_vec(), piece[cut + 1..].to_vec()))
    };
    pieces.filter_map(|piece| pair(trimmed(piece))).collect()
}

/// Whether a credential has a format. Rung 7.
pub(super) fn fits(format: &Format, secret: &[u8]) -> bool {
    let Some(rest) = secret.strip_prefix(format.prefix.as_bytes()) else { return false };
    let (body, sum) = if format.crc32 { rest.split_at(rest.len().saturating_sub(6)) } else { (rest, &[][..]) };
    let allowed = |byte: &u8| match format.alphabet {
        Alphabet::Hex => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        Alphabet::Base62 => byte.is_ascii_alphanumeric(),
        Alphabet::Base64url => byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'),
        Alphabet::Opaque => byte.is_ascii_graphic() && !matches!(byte, b'!' | b'"' | b',' | b';'),
    };
    let right = !format.crc32 || sum == checksum(&secret[..secret.len() - sum.len()]).as_bytes();
    body.len() >= format.min && body.len() <= format.max && body.iter().all(allowed) && right
}

/// CRC-32 (IEEE) of all that stands before, in base 62 (digits, capitals, small letters), six characters, the highest first. The
/// document says no more than "six more characters".
pub(super) fn checksum(before: &[u8]) -> String {
    let mut crc = u32::MAX;
    for byte in before {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 };
        }
    }
    let mut left = !crc;
    let mut digits = Vec::new();
    for _ in 0..6 {
        digits.insert(0, b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"[(left % 62) as usize]);
        left /= 62;
    }
    String::from_utf8(digits).expect("digits are ASCII")
}

/// An address as such. IPv4 within IPv6 is the same client as the IPv4 address alone.
pub(super) fn bare_address(said: &[u8]) -> Option<IpAddr> {
    Some(std::str::from_utf8(said).ok()?.parse::<IpAddr>().ok()?.to_canonical())
}

/// An entry of `x-forwarded-for`: an address, with a port or a zone perhaps.
pub(super) fn forwarded_address(said: &[u8]) -> Option<IpAddr> {
    let said = std::str::from_utf8(trimmed(said)).ok()?;
    if let Some(rest) = said.strip_prefix('[') {
        let (inside, port) = rest.split_once(']')?;
        let digits = port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok());
        return digits.then(|| six(inside)).flatten();
    }
    match said.split_once(':') {
        Some((four, port)) if four.contains('.') && port.parse::<u16>().is_ok() => bare_address(four.as_bytes()),
        Some(_) => six(said),
        None => bare_address(said.as_bytes()),
    }
}

fn six(said: &str) -> Option<IpAddr> {
    let without_zone = said.split('%').next().unwrap_or(said);
    Some(IpAddr::V6(without_zone.parse::<Ipv6Addr>().ok()?).to_canonical())
}

/// Without white space around it.
pub(super) fn trimmed(value: &[u8]) -> &[u8] {
    value.trim_ascii()
}
