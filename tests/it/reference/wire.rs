//! The wire, by other means than keyward's: requests are written with `envoy-types`, and read back either from its structs or, naively,
//! from the bytes themselves.

use std::collections::HashMap;

use envoy_types::pb::envoy::config::core::v3::{self as core, address::Address as Kind, socket_address::PortSpecifier};
use envoy_types::pb::envoy::service::auth::v3::attribute_context::{HttpRequest, Peer as WirePeer, Request};
use envoy_types::pb::envoy::service::auth::v3::{AttributeContext, CheckRequest};

use super::draft::{Draft, Form, Peer};
use super::plain::Plain;

/// The headers that Envoy joins even when it sends headers by themselves.
const INLINE: [&str; 4] = ["authorization", "content-type", "x-forwarded-for", "x-forwarded-proto"];

/// A request as Envoy would send it.
pub(super) fn request(draft: &Draft<'_>) -> CheckRequest {
    let http = (draft.form != Form::NoHttp).then(|| http(draft));
    let request = (draft.form != Form::NoRequest).then_some(Request { time: None, http });
    let attributes = (draft.form != Form::NoAttributes).then(|| AttributeContext {
        source: peer(&draft.peer),
        request,
        context_extensions: draft.extensions.iter().cloned().collect(),
        ..AttributeContext::default()
    });
    CheckRequest { attributes }
}

fn http(draft: &Draft<'_>) -> HttpRequest {
    let path = if draft.query.is_empty() { draft.path.clone() } else { format!("{}?{}", draft.path, draft.query.join("&")) };
    let mut all = vec![
        (":authority".to_owned(), draft.host.clone().into_bytes()),
        (":method".to_owned(), draft.method.clone().into_bytes()),
        (":path".to_owned(), path.clone().into_bytes()),
        (":scheme".to_owned(), draft.scheme.clone().into_bytes()),
    ];
    all.extend(draft.headers.iter().cloned());
    let mut http = HttpRequest {
        id: "4211942123456789".to_owned(),
        method: draft.method.clone(),
        path,
        host: draft.host.clone(),
        scheme: draft.scheme.clone(),
        protocol: "HTTP/2".to_owned(),
        ..HttpRequest::default()
    };
    match draft.form {
        Form::Map => http.headers = map(&all),
        Form::RawJoined => http.header_map = Some(raw(&joined(&all, |name| INLINE.contains(&name)))),
        _ => http.header_map = Some(raw(&all)),
    }
    http
}

fn map(headers: &[(String, Vec<u8>)]) -> HashMap<String, String> {
    let text = |value: Vec<u8>| String::from_utf8(value.clone()).unwrap_or_else(|_| value.iter().map(|byte| ascii(*byte)).collect());
    joined(headers, |_| true).into_iter().map(|(name, value)| (name, text(value))).collect()
}

fn ascii(byte: u8) -> char {
    if byte.is_ascii() { char::from(byte) } else { '!' }
}

/// With a comma, in order, at the place of the first.
fn joined(headers: &[(String, Vec<u8>)], join: impl Fn(&str) -> bool) -> Vec<(String, Vec<u8>)> {
    let mut out: Vec<(String, Vec<u8>)> = Vec::new();
    for (name, value) in headers {
        match out.iter_mut().find(|(other, _)| other == name && join(name)) {
            Some((_, before)) => {
                before.push(b',');
                before.extend(value);
            }
            None => out.push((name.clone(), value.clone())),
        }
    }
    out
}

fn raw(headers: &[(String, Vec<u8>)]) -> core::HeaderMap {
    let header = |(key, value): &(String, Vec<u8>)| core::HeaderValue { key: key.clone(), value: String::new(), raw_value: value.clone() };
    core::HeaderMap { headers: headers.iter().map(header).collect() }
}

fn peer(peer: &Peer) -> Option<WirePeer> {
    let address = match peer {
        Peer::Untold => return None,
        Peer::Pipe => Kind::Pipe(core::Pipe { path: "@envoy".to_owned(), mode: 0 }),
        Peer::Internal => Kind::EnvoyInternalAddress(core::EnvoyInternalAddress::default()),
        Peer::Socket(address) => Kind::SocketAddress(core::SocketAddress {
            address: address.clone(),
            port_specifier: Some(PortSpecifier::PortValue(40001)),
            ..core::SocketAddress::default()
        }),
    };
    Some(WirePeer { address: Some(core::Address { address: Some(address) }), ..WirePeer::default() })
}

/// What a decoded request says.
pub(super) fn plain(request: &CheckRequest) -> Plain {
    let Some(attributes) = &request.attributes else { return Plain::default() };
    let pair = |(name, value): (&String, &String)| (name.clone().into_bytes(), value.clone().into_bytes());
    let mut plain = Plain { extensions: attributes.context_extensions.iter().map(pair).collect(), ..Plain::default() };
    if let Some(Kind::SocketAddress(socket)) = source(attributes) {
        plain.peer = socket.address.clone().into_bytes();
    }
    let Some(http) = attributes.request.as_ref().and_then(|request| request.http.as_ref()) else { return plain };
    plain.method = http.method.clone().into_bytes();
    plain.path = http.path.clone().into_bytes();
    plain.host = http.host.clone().into_bytes();
    plain.scheme = http.scheme.clone().into_bytes();
    plain.headers = match &http.header_map {
        Some(map) => map.headers.iter().map(|header| (header.key.clone().into_bytes(), value(header))).collect(),
        None => http.headers.iter().map(pair).collect(),
    };
    plain
}

fn source(attributes: &AttributeContext) -> Option<&Kind> {
    attributes.source.as_ref()?.address.as_ref()?.address.as_ref()
}

fn value(header: &core::HeaderValue) -> Vec<u8> {
    if header.raw_value.is_empty() { header.value.clone().into_bytes() } else { header.raw_value.clone() }
}

/// What the bytes of a request say, read field by field, whatever the bytes of a string are. `None` where they are not protobuf.
///
/// For bytes that `envoy-types` does not decode, because a string in them is not UTF-8: those may still be a request that the rules admit,
/// where the string is one that no rule reads.
pub(super) fn walk(bytes: &[u8]) -> Option<Plain> {
    let attributes = message(bytes, 1)?;
    let mut plain = Plain { extensions: entries(&attributes, 10)?, ..Plain::default() };
    let socket = message(&message(&message(&attributes, 1)?, 1)?, 1)?;
    plain.peer = last(&socket, 2)?;
    let http = message(&message(&attributes, 4)?, 2)?;
    plain.method = last(&http, 2)?;
    plain.path = last(&http, 4)?;
    plain.host = last(&http, 5)?;
    plain.scheme = last(&http, 6)?;
    plain.headers = entries(&http, 3)?;
    if !all(&http, 13)?.is_empty() {
        plain.headers.clear();
        for header in all(&message(&http, 13)?, 1)? {
            let raw = last(&header, 3)?;
            plain.headers.push((last(&header, 1)?, if raw.is_empty() { last(&header, 2)? } else { raw }));
        }
    }
    Some(plain)
}

/// Every value of a field whose values have a length; `None` where the bytes are not protobuf.
fn all(mut bytes: &[u8], field: u64) -> Option<Vec<Vec<u8>>> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes)?;
        let value = value_of(tag, &mut bytes)?;
        if tag == field << 3 | 2 {
            found.push(value.to_vec());
        }
    }
    Some(found)
}

/// What follows a tag, taken off; nothing for a number or a group.
fn value_of<'b>(tag: u64, bytes: &mut &'b [u8]) -> Option<&'b [u8]> {
    let length = match tag & 7 {
        0 => varint(bytes).map(|_| 0)?,
        1 => 8,
        2 => usize::try_from(varint(bytes)?).ok()?,
        3 => {
            let mut inner = varint(bytes)?;
            while inner != tag + 1 {
                value_of(inner, bytes)?;
                inner = varint(bytes)?;
            }
            0
        }
        5 => 4,
        _ => return None,
    };
    let value = bytes.get(..length)?;
    *bytes = &bytes[length..];
    Some(value)
}

/// A message's parts put together are the message.
fn message(bytes: &[u8], field: u64) -> Option<Vec<u8>> {
    Some(all(bytes, field)?.concat())
}

fn last(bytes: &[u8], field: u64) -> Option<Vec<u8>> {
    Some(all(bytes, field)?.pop().unwrap_or_default())
}

fn entries(bytes: &[u8], field: u64) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
    all(bytes, field)?.iter().map(|entry| Some((last(entry, 1)?, last(entry, 2)?))).collect()
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..70).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(first & 0x7f).checked_shl(shift).unwrap_or(0);
        if *first < 0x80 {
            return Some(value);
        }
    }
    None
}
