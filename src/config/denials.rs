//! Denials: what a realm's file says of some reasons, made total over all of them.

use std::collections::HashMap;

use super::document::{At, Read};
use super::json::json;
use super::map::Map;
use super::names::{header_name, visible};
use crate::domain::denial::{Denial, Told, stands_for};
use crate::domain::realm::LimitHeaders;
use crate::domain::reason::Reason;
use crate::domain::template::Template;

/// What a file says of each reason that it names.
pub(super) type Said = HashMap<Reason, Words>;

/// What a file says of one reason. What it leaves out is as it would be if it said nothing.
pub(super) struct Words {
    status: Option<u16>,
    headers: Vec<(Box<str>, Template<Told>)>,
    body: Option<Body>,
    grpc_code: Option<u8>,
    grpc_message: Option<Template<Told>>,
}

struct Body {
    content_type: &'static str,
    text: Template<Told>,
}

/// gRPC's status codes by name; the first is 1 (CANCELLED), and OK is none of them.
const CODES: [(&str, u8); 16] = [
    ("CANCELLED", 1),
    ("UNKNOWN", 2),
    ("INVALID_ARGUMENT", 3),
    ("DEADLINE_EXCEEDED", 4),
    ("NOT_FOUND", 5),
    ("ALREADY_EXISTS", 6),
    ("PERMISSION_DENIED", 7),
    ("RESOURCE_EXHAUSTED", 8),
    ("FAILED_PRECONDITION", 9),
    ("ABORTED", 10),
    ("OUT_OF_RANGE", 11),
    ("UNIMPLEMENTED", 12),
    ("INTERNAL", 13),
    ("UNAVAILABLE", 14),
    ("DATA_LOSS", 15),
    ("UNAUTHENTICATED", 16),
];

/// Every reason's denial: its own words, else those of the reason that stands for it, else the default.
pub(super) fn total(said: &Said) -> HashMap<Reason, Denial> {
    let words = |reason| std::iter::successors(Some(reason), |reason| stands_for(*reason)).find_map(|reason| said.get(&reason));
    let denial = |reason| words(reason).map_or_else(|| Denial::default_for(reason), |words| words.denial(reason));
    Reason::ALL.iter().map(|reason| (*reason, denial(*reason))).collect()
}

/// `told`: the headers that say how limits stand, which are keyward's to set.
pub(super) fn said(at: &At<'_>, told: &[LimitHeaders]) -> Read<Said> {
    let reasons: Vec<_> = Reason::ALL.iter().map(|reason| (reason.name(), *reason)).collect();
    let said = at.pairs(|at| at.one_of(&reasons), |reason, at| words(at, reason.copied(), told))?;
    Ok(said.into_iter().collect())
}

fn words(at: &At<'_>, reason: Option<Reason>, limits: &[LimitHeaders]) -> Read<Words> {
    let mut map = at.map()?;
    let status = map.optional("status", |at| at.number(400..=599));
    let headers = map.or_default("headers", |at| at.pairs(|at| header(at, reason, limits), |_, at| told(at, visible)));
    let body = body(&mut map);
    let grpc = map.or("grpc", (None, None), grpc);
    map.finish()?;
    let (grpc_code, grpc_message) = grpc?;
    Ok(Words { status: status?, headers: headers?, body: body?, grpc_code, grpc_message })
}

fn header(at: &At<'_>, reason: Option<Reason>, limits: &[LimitHeaders]) -> Read<Box<str>> {
    let name = header_name(at)?;
    if limits.iter().any(|family| family.names().contains(&&*name)) {
        return at.problem("is set by keyward, because of limit_headers");
    }
    let waits = matches!(reason, Some(Reason::Limited | Reason::Throttled | Reason::Unavailable));
    if waits && &*name == "retry-after" { at.problem("is set by keyward, to the time that is left") } else { Ok(name) }
}

fn body(map: &mut Map<'_>) -> Read<Option<Body>> {
    let (content_type, text) = match map.either(&["json", "text"])? {
        Some("json") => ("application/json", map.required("json", |at| told(at, json))),
        Some(_) => ("text/plain; charset=utf-8", map.required("text", |at| told(at, At::text))),
        None => return Ok(None),
    };
    Ok(Some(Body { content_type, text: text? }))
}

fn grpc(at: &At<'_>) -> Read<(Option<u8>, Option<Template<Told>>)> {
    let mut map = at.map()?;
    let code = map.optional("code", |at| at.one_of(&CODES));
    let message = map.optional("message", |at| told(at, visible));
    map.finish()?;
    Ok((code?, message?))
}

/// A text with what a denial may tell in it.
fn told<'a, T: AsRef<str>>(at: &At<'a>, text: impl FnOnce(&At<'a>) -> Read<T>) -> Read<Template<Told>> {
    Template::parse(text(at)?.as_ref(), Told::named).or_else(|error| at.problem(error))
}

impl Words {
    fn denial(&self, reason: Reason) -> Denial {
        let default = Denial::default_for(reason);
        let mut headers = self.headers.clone();
        if headers.iter().all(|(name, _)| &**name != "content-type") {
            match &self.body {
                Some(body) => headers.push(("content-type".into(), Template::text(body.content_type))),
                None => headers.extend(default.headers),
            }
        }
        Denial {
            status: self.status.unwrap_or(default.status),
            headers,
            body: self.body.as_ref().map_or(default.body, |body| body.text.clone()),
            grpc_code: self.grpc_code.unwrap_or(default.grpc_code),
            grpc_message: self.grpc_message.clone().unwrap_or(default.grpc_message),
        }
    }
}
