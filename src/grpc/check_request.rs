//! One scan over the bytes of a `CheckRequest` for what the rules read of it: nothing is copied, and nothing else is looked at. The fields
//! and their numbers are those of `proto/envoy/service/auth/v3/attribute_context.proto`.
//!
//! A message that comes in parts is their sum, as protobuf has it: of a string the last counts, lists grow.

use super::wire::reading::{Malformed, Read, each};
use crate::domain::request::{Headers, Request};

/// Reads the bytes of an `envoy.service.auth.v3.CheckRequest`.
pub fn read(message: &[u8]) -> Result<Request<'_>, Malformed> {
    let mut reading = Reading::default();
    each(message, 0, Read::these(&[1]), |_, attributes| reading.attributes(attributes))?;
    Ok(reading.request())
}

type Pair<'a> = (&'a [u8], &'a [u8]);

/// What was found so far.
#[derive(Default)]
struct Reading<'a> {
    method: &'a [u8],
    path: &'a [u8],
    host: &'a [u8],
    scheme: &'a [u8],
    joined: Vec<Pair<'a>>,
    raw: Vec<Pair<'a>>,
    context: Vec<Pair<'a>>,
    address: &'a [u8],
}

impl<'a> Reading<'a> {
    /// Envoy fills one of the two header forms; both are read.
    fn request(self) -> Request<'a> {
        let Self { method, path, host, scheme, joined: mut headers, mut raw, context, address } = self;
        if headers.is_empty() {
            headers = raw;
        } else {
            headers.append(&mut raw);
        }
        let peer = std::str::from_utf8(address).ok().and_then(|text| text.parse().ok());
        Request { method, path, host, scheme, headers: Headers(headers), peer, context }
    }

    /// `AttributeContext`
    fn attributes(&mut self, message: &'a [u8]) -> Result<(), Malformed> {
        each(message, 1, Read::these(&[1, 4, 10]), |number, value| match number {
            1 => self.source(value),
            4 => each(value, 2, Read::these(&[2]), |_, http| self.http(http)),
            _ => entry(value, 2).map(|entry| self.context.push(entry)),
        })
    }

    /// `AttributeContext.HttpRequest`
    fn http(&mut self, message: &'a [u8]) -> Result<(), Malformed> {
        each(message, 3, Read::these(&[2, 3, 4, 5, 6, 13]), |number, value| {
            match number {
                2 => self.method = value,
                3 => push(&mut self.joined, entry(value, 4)?),
                4 => self.path = value,
                5 => self.host = value,
                6 => self.scheme = value,
                _ => each(value, 4, Read::these(&[1]), |_, header| raw_header(header).map(|header| push(&mut self.raw, header)))?,
            }
            Ok(())
        })
    }

    /// `AttributeContext.Peer`, down to the one of an `Address`'s forms that has an address of the internet.
    fn source(&mut self, message: &'a [u8]) -> Result<(), Malformed> {
        each(message, 2, Read::these(&[1]), |_, address| {
            each(address, 3, Read::these(&[1, 2, 3]), |form, value| {
                if form == 1 {
                    return each(value, 4, Read::these(&[2]), |_, address| {
                        self.address = address;
                        Ok(())
                    });
                }
                // The last form that comes is the one that holds.
                self.address = &[];
                Ok(())
            })
        })
    }
}

/// An entry of a map of strings. Nearly every one is a short key, and then a short value that ends it: that much is seen at once.
#[inline]
fn entry(message: &[u8], depth: u32) -> Result<Pair<'_>, Malformed> {
    if let [0x0a, length @ ..0x80, rest @ ..] = message
        && let Some((key, [0x12, length @ ..0x80, value @ ..])) = rest.split_at_checked(usize::from(*length))
        && value.len() == usize::from(*length)
    {
        return Ok((key, value));
    }
    let (mut key, mut value): Pair<'_> = Default::default();
    each(message, depth, Read::these(&[1, 2]), |number, bytes| {
        if number == 1 {
            key = bytes;
        } else {
            value = bytes;
        }
        Ok(())
    })?;
    Ok((key, value))
}

/// `HeaderValue`
fn raw_header(message: &[u8]) -> Result<Pair<'_>, Malformed> {
    let (mut key, mut text, mut raw): (&[u8], &[u8], &[u8]) = Default::default();
    each(message, 5, Read::these(&[1, 2, 3]), |number, bytes| {
        match number {
            1 => key = bytes,
            2 => text = bytes,
            _ => raw = bytes,
        }
        Ok(())
    })?;
    Ok((key, if raw.is_empty() { text } else { raw }))
}

/// Most requests have a dozen or two.
#[inline]
fn push<'a>(headers: &mut Vec<Pair<'a>>, header: Pair<'a>) {
    if headers.capacity() == 0 {
        headers.reserve(24);
    }
    headers.push(header);
}
