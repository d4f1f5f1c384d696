//! What a `CheckRequest` says, read by keyward's scan and by full decoders of protobuf, and whether they agree. The fuzz target uses it too.

use std::collections::BTreeMap;
use std::net::IpAddr;

use envoy_types::pb::envoy::config::core::v3::address::Address as FullAddress;
use envoy_types::pb::envoy::service::auth::v3 as full;
use keyward::domain::request::{Headers, Request};
use keyward::grpc::check_request;
use keyward::proto::envoy::config::core::v3::address::Address;
use keyward::proto::envoy::service::auth::v3 as condensed;
use prost::Message as _;

pub type Pair = (Vec<u8>, Vec<u8>);

/// What is read of a request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct View {
    /// Method, path, host, scheme.
    pub texts: [Vec<u8>; 4],
    pub headers: Vec<Pair>,
    pub peer: Option<IpAddr>,
    pub context: Vec<Pair>,
}

/// How a message was taken by those that agree on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Taken {
    /// Envoy's whole API reads it, and the same.
    Read,
    /// Envoy's whole API refuses what nobody here looks at, or a string that is not UTF-8.
    ReadWhereLookedAt,
    Refused,
    /// Envoy's whole API reads it: prost's maps do not look at the kind of a field, so that a number can be taken for an entry's length.
    RefusedForItsKind,
}

/// keyward's own.
pub fn lean(message: &[u8]) -> Option<View> {
    check_request::read(message).ok().as_ref().map(View::of)
}

/// What the full decoders read in a message.
#[derive(Debug)]
pub struct Decoded {
    /// By keyward's condensed protos.
    condensed: Option<View>,
    /// By Envoy's whole API.
    whole: Option<Whole>,
}

impl Decoded {
    pub fn of(message: &[u8]) -> Self {
        let condensed = condensed::CheckRequest::decode(message).ok();
        let whole = full::CheckRequest::decode(message).ok();
        Self { condensed: condensed.as_ref().map(|asked| View::of(&borrowed(asked))), whole: whole.map(Whole::of) }
    }

    /// Whether a reader, which found this or refused the message, agrees with them; what each says where it does not.
    pub fn agrees(&self, read: Option<&View>) -> Result<Taken, String> {
        let is_whole = |view, whole: &Whole| *whole == Whole::like(view, whole.raw.len());
        match (read, &self.condensed, &self.whole) {
            (Some(read), Some(condensed), None) if read == condensed => Ok(Taken::ReadWhereLookedAt),
            (Some(read), Some(condensed), Some(whole)) if read == condensed && is_whole(read, whole) => Ok(Taken::Read),
            (None, None, None) => Ok(Taken::Refused),
            (None, None, Some(_)) => Ok(Taken::RefusedForItsKind),
            _ => Err(format!("the reader: {read:?}\nfull decoders: {self:?}")),
        }
    }
}

/// A decoded request as the rules see it: what keyward did with each before it had a reader of its own.
pub fn borrowed(asked: &condensed::CheckRequest) -> Request<'_> {
    let attributes = asked.attributes.as_ref();
    let http = attributes.and_then(|all| all.request.as_ref()?.http.as_ref());
    let text = |of: fn(&condensed::attribute_context::HttpRequest) -> &[u8]| http.map(of).unwrap_or_default();
    let joined = http.into_iter().flat_map(|http| &http.headers).map(|entry| (&*entry.key, &*entry.value));
    let raw = http.into_iter().flat_map(|http| &http.header_map).flat_map(|map| &map.headers);
    let raw = raw.map(|header| (&*header.key, if header.raw_value.is_empty() { &*header.value } else { &*header.raw_value }));
    let context = attributes.into_iter().flat_map(|all| &all.context_extensions);
    let peer = attributes.and_then(|all| match all.source.as_ref()?.address.as_ref()?.address.as_ref()? {
        Address::SocketAddress(socket) => std::str::from_utf8(&socket.address).ok()?.parse().ok(),
        _ => None,
    });
    Request {
        method: text(|http| &http.method),
        path: text(|http| &http.path),
        host: text(|http| &http.host),
        scheme: text(|http| &http.scheme),
        headers: Headers(joined.chain(raw).collect()),
        peer,
        context: context.map(|entry| (&*entry.key, &*entry.value)).collect(),
    }
}

impl View {
    fn of(request: &Request<'_>) -> Self {
        let owned = |pairs: &[(&[u8], &[u8])]| pairs.iter().map(|(name, value)| (name.to_vec(), value.to_vec())).collect();
        Self {
            texts: [request.method, request.path, request.host, request.scheme].map(<[u8]>::to_vec),
            headers: owned(&request.headers.0),
            peer: request.peer,
            context: owned(&request.context),
        }
    }
}

/// The same as the whole API has it: maps, of which the last entry of a name counts.
#[derive(Debug, PartialEq, Eq)]
struct Whole {
    texts: [Vec<u8>; 4],
    joined: BTreeMap<Vec<u8>, Vec<u8>>,
    raw: Vec<Pair>,
    peer: Option<IpAddr>,
    context: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Whole {
    fn of(asked: full::CheckRequest) -> Self {
        let attributes = asked.attributes.unwrap_or_default();
        let http = attributes.request.unwrap_or_default().http.unwrap_or_default();
        let raw = http.header_map.unwrap_or_default().headers.into_iter();
        let address = attributes.source.unwrap_or_default().address.unwrap_or_default().address;
        let map = |entries: std::collections::HashMap<String, String>| {
            entries.into_iter().map(|(name, value)| (name.into_bytes(), value.into_bytes())).collect()
        };
        Self {
            texts: [http.method, http.path, http.host, http.scheme].map(String::into_bytes),
            joined: map(http.headers),
            raw: raw
                .map(|header| {
                    let value = if header.raw_value.is_empty() { header.value.into_bytes() } else { header.raw_value };
                    (header.key.into_bytes(), value)
                })
                .collect(),
            peer: match address {
                Some(FullAddress::SocketAddress(socket)) => socket.address.parse().ok(),
                _ => None,
            },
            context: map(attributes.context_extensions),
        }
    }

    /// Of a view whose last `raw` headers are said to have come in the raw form.
    fn like(view: &View, raw: usize) -> Self {
        let (joined, raw) = view.headers.split_at(view.headers.len().saturating_sub(raw));
        Self {
            texts: view.texts.clone(),
            joined: joined.iter().cloned().collect(),
            raw: raw.to_vec(),
            peer: view.peer,
            context: view.context.iter().cloned().collect(),
        }
    }
}
