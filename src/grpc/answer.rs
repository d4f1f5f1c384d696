//! What Envoy is told of a check, borrowed from the verdict, and its bytes: those of an `envoy.service.auth.v3.CheckResponse`.

use std::borrow::Cow;

use super::unary::{self, LengthPrefixed};
use super::wire::writing::Backwards;

/// Text of the verdict, or made for the answer.
pub type Text<'a> = Cow<'a, str>;

/// The answer to one check. One that says nothing would be an ALLOW to Envoy, so there is no default.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer<'a> {
    pub http: Http<'a>,
    /// Dynamic metadata under the key `keyward`, ...
    pub ours: Vec<(&'static str, Fact<'a>)>,
    /// ... and beside it.
    pub beside: Vec<(Text<'a>, Fact<'a>)>,
}

/// What becomes of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Http<'a> {
    Passes(Onward<'a>),
    Denied(Denied<'a>),
    /// Envoy's own failure mode decides, and this is what it says of a request that it does not let pass.
    Failed(Denied<'a>),
}

/// What changes in a request that passes, and in its response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Onward<'a> {
    pub set: &'a [(String, String)],
    pub remove: &'a [String],
    pub remove_parameters: &'a [String],
    pub response_headers: Vec<Header<'a>>,
}

/// What a caller gets instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied<'a> {
    /// 1 to 16.
    pub grpc_code: u8,
    pub status: u16,
    pub headers: Vec<Header<'a>>,
    pub body: String,
}

/// Set, never appended: Envoy 1.40 ignores the action on upstream headers and would add a second response header by default.
pub type Header<'a> = (Text<'a>, Text<'a>);

/// A value of dynamic metadata, a `google.protobuf.Value`.
#[derive(Debug, Clone, PartialEq)]
pub enum Fact<'a> {
    Text(Text<'a>),
    Number(u32),
    List(Vec<Text<'a>>),
    Facts(Vec<(&'static str, Fact<'a>)>),
}

impl<'a> Fact<'a> {
    pub fn text(text: impl Into<Text<'a>>) -> Self {
        Self::Text(text.into())
    }

    pub fn list(texts: impl IntoIterator<Item = &'a str>) -> Self {
        Self::List(texts.into_iter().map(Text::from).collect())
    }
}

/// Bytes that most answers fit in.
const ROOM: usize = 512;

/// A map's entry.
const KEY: u32 = 1;
const VALUE: u32 = 2;

impl Answer<'_> {
    /// Its bytes, as gRPC sends them. Everything is written from its end to its beginning.
    #[must_use]
    pub fn encode(&self) -> LengthPrefixed {
        let mut response = Backwards::with_room(ROOM);
        response.message(4, |metadata| {
            self.beside.iter().rev().for_each(|(name, fact)| entry(metadata, name, |value| of_fact(value, fact)));
            entry(metadata, "keyward", |value| of_facts(value, &self.ours));
        });
        match &self.http {
            Http::Passes(onward) => response.message(3, |ok| passes(ok, onward)),
            Http::Denied(denied) => response.message(2, |told| denial(told, denied)),
            Http::Failed(denied) => response.message(5, |told| denial(told, denied)),
        }
        response.message(1, |status| status.varint(1, self.grpc_code().into()));
        let prefix = unary::prefix(response.written());
        response.before(&prefix);
        LengthPrefixed::new(response.finish())
    }

    fn grpc_code(&self) -> u8 {
        match &self.http {
            Http::Passes(_) => 0,
            Http::Denied(denied) | Http::Failed(denied) => denied.grpc_code.max(1),
        }
    }
}

/// `OkHttpResponse`.
fn passes(ok: &mut Backwards, onward: &Onward<'_>) {
    onward.remove_parameters.iter().rev().for_each(|name| ok.bytes(8, name.as_bytes()));
    onward.response_headers.iter().rev().for_each(|(name, value)| header(ok, 6, name, value));
    onward.remove.iter().rev().for_each(|name| ok.bytes(5, name.as_bytes()));
    onward.set.iter().rev().for_each(|(name, value)| header(ok, 2, name, value));
}

/// `DeniedHttpResponse`.
fn denial(told: &mut Backwards, denied: &Denied<'_>) {
    told.bytes(3, denied.body.as_bytes());
    denied.headers.iter().rev().for_each(|(name, value)| header(told, 2, name, value));
    told.message(1, |status| status.varint(1, denied.status.into()));
}

/// A `HeaderValueOption`.
fn header(message: &mut Backwards, field: u32, name: &str, value: &str) {
    const OVERWRITE_IF_EXISTS_OR_ADD: u64 = 2;
    message.message(field, |option| {
        option.varint(3, OVERWRITE_IF_EXISTS_OR_ADD);
        option.message(1, |header| {
            header.bytes(2, value.as_bytes());
            header.bytes(1, name.as_bytes());
        });
    });
}

/// One of a `Struct`'s fields.
fn entry(of: &mut Backwards, name: &str, value: impl FnOnce(&mut Backwards)) {
    of.message(1, |entry| {
        entry.message(VALUE, value);
        entry.bytes(KEY, name.as_bytes());
    });
}

fn of_fact(value: &mut Backwards, fact: &Fact<'_>) {
    match fact {
        Fact::Number(number) => value.double(2, (*number).into()),
        Fact::Text(text) => value.bytes(3, text.as_bytes()),
        Fact::Facts(facts) => of_facts(value, facts),
        Fact::List(texts) => {
            value.message(6, |list| texts.iter().rev().for_each(|text| list.message(1, |value| value.bytes(3, text.as_bytes()))));
        }
    }
}

fn of_facts(value: &mut Backwards, facts: &[(&str, Fact<'_>)]) {
    value.message(5, |all| facts.iter().rev().for_each(|(name, fact)| entry(all, name, |value| of_fact(value, fact))));
}
