//! What was observed, in the words in which a case expects it:
//!
//! - it passed: `200 GET /path x-ocote-company=company-a`, as the upstream saw it: status, method, path, identity headers, then the
//!   headers that the case asks for, then whether the body is the one that was sent;
//! - it was refused: `401 application/json {"error":"…"}`, JSON of one line in the order of its names, a printed body by its letter
//!   where it is equal byte by byte, other line breaks as `⏎`; `retry-after` by the window it falls in;
//! - a gRPC caller was refused: `grpc-status 16 message`;
//! - several requests of one line: `60 x 200, 1 x 429 …`, and how many of them the upstream saw.

use std::fmt::Write as _;

use serde_json::Value;

use crate::support::shell::{Answer, Brought};
use crate::support::upstream::Seen;

/// How to tell it.
pub(super) struct Told<'a> {
    /// What the identity headers of the realm begin with.
    pub(super) identity: &'a str,
    /// The other headers that the case looks at.
    pub(super) shown: &'a [&'a str],
    /// The body that lines may send.
    pub(super) body: &'a [u8],
    /// Everything that must not be in what the upstream saw.
    pub(super) secrets: &'a [String],
}

/// The bodies that the documents print, by their letters.
const PRINTED: [(&str, &str); 3] = [
    ("U", "{\n\"error\": \"Unauthorized. Please provide a valid API key.\"\n}"),
    ("F", "{\n\"error\": \"Forbidden. This API key has been revoked or expired.\"\n}"),
    (
        "Z",
        "{\n\"error\": {\n\"code\": \"authentication_failed\",\n\"message\": \"Invalid API key provided\",\n\"type\": \"authentication_error\"\n}\n}",
    ),
];

impl Told<'_> {
    /// All that a line did.
    pub(super) fn all(&self, brought: &Brought, seen: &[Seen]) -> String {
        let mut told = match (&brought.complaint, &brought.answers[..], seen) {
            (Some(complaint), answers, seen) => format!("{complaint}: {}; the upstream saw {}", several(answers), seen.len()),
            (None, [answer], [seen]) => self.passed(answer, seen),
            (None, [answer], []) => refused(answer),
            (None, answers, seen) => format!("{}; the upstream saw {}", several(answers), seen.len()),
        };
        if seen.iter().any(|seen| self.secrets.iter().any(|secret| seen.holds(secret))) {
            told.push_str(" CREDENTIAL AT THE UPSTREAM");
        }
        told
    }

    fn passed(&self, answer: &Answer, seen: &Seen) -> String {
        let mut told = format!("{} {} {}", answer.status, seen.method, seen.path);
        let mut names: Vec<&str> =
            seen.headers.iter().map(|(name, _)| name.as_str()).filter(|name| name.starts_with(self.identity)).collect();
        names.sort_unstable();
        names.dedup();
        for name in names.iter().chain(self.shown) {
            let value = seen.header(name).unwrap_or_else(|| "(absent)".into());
            write!(told, " {name}={value}").unwrap();
        }
        match &seen.body {
            body if body.is_empty() => {}
            body if body == self.body => told.push_str(" body intact"),
            body => write!(told, " another body of {} bytes", body.len()).unwrap(),
        }
        told
    }
}

fn refused(answer: &Answer) -> String {
    if let Some(status) = answer.header("grpc-status") {
        return format!("grpc-status {status} {}", answer.header("grpc-message").unwrap_or_default());
    }
    let mut told = format!("{} {} {}", answer.status, answer.header("content-type").unwrap_or("(no content-type)"), body(&answer.body));
    if let Some(wait) = answer.header("retry-after") {
        write!(told, " retry-after {}", window(wait)).unwrap();
    }
    told
}

fn body(body: &str) -> String {
    let printed = PRINTED.iter().find(|(_, text)| *text == body).map(|(letter, _)| format!("body {letter}"));
    let one_line = || serde_json::from_str::<Value>(body).ok().filter(|_| !body.contains('\n')).map(|json| json.to_string());
    printed.or_else(one_line).unwrap_or_else(|| body.replace('\n', "⏎"))
}

/// The window that a wait falls in; a little more than its length, because waits are rounded up and tokens live a moment.
fn window(wait: &str) -> String {
    match wait.parse::<u64>() {
        Ok(1..=65) => "in the minute".into(),
        Ok(66..=3605) => "in the hour".into(),
        _ => wait.into(),
    }
}

/// Runs of equal answers; of one that is told to wait what it says.
fn several(answers: &[Answer]) -> String {
    let mut runs: Vec<(usize, String)> = Vec::new();
    for answer in answers {
        let told = if answer.header("retry-after").is_none() { answer.status.to_string() } else { refused(answer) };
        match runs.last_mut() {
            Some((count, last)) if *last == told => *count += 1,
            _ => runs.push((1, told)),
        }
    }
    runs.iter().map(|(count, told)| format!("{count} x {told}")).collect::<Vec<_>>().join(", ")
}
