//! What the gate would answer, and why.

use serde::Serialize;

use super::super::output::Shown;
use super::limit::LimitStanding;
use crate::proto::keyward::admin::v1 as wire;

/// Of `ExplainCheckResponse`.
#[derive(Debug, Serialize)]
pub(in super::super) struct Explained {
    rungs: Vec<Rung>,
    allowed: bool,
    reason: String,
    answer: Option<CheckAnswer>,
    key: String,
}

#[derive(Debug, Serialize)]
struct Rung {
    name: String,
    outcome: &'static str,
    saw: String,
    reason: String,
    after_refusal: bool,
    limit: Option<LimitStanding>,
}

#[derive(Debug, Serialize)]
struct CheckAnswer {
    http_status: u32,
    grpc_code: u32,
    headers: Vec<ToldHeader>,
    body: String,
    upstream_headers: Vec<ToldHeader>,
    removed_headers: Vec<String>,
    removed_parameters: Vec<String>,
    deferred: bool,
}

#[derive(Debug, Serialize)]
struct ToldHeader {
    name: String,
    value: String,
}

impl From<wire::ExplainCheckResponse> for Explained {
    fn from(response: wire::ExplainCheckResponse) -> Self {
        Self {
            rungs: response.rungs.into_iter().map(Rung::from).collect(),
            allowed: response.allowed,
            reason: response.reason,
            answer: response.answer.map(CheckAnswer::from),
            key: response.key,
        }
    }
}

impl From<wire::Rung> for Rung {
    fn from(rung: wire::Rung) -> Self {
        let outcome = match wire::Outcome::try_from(rung.outcome).unwrap_or_default() {
            wire::Outcome::Unspecified => "unspecified",
            wire::Outcome::Passed => "passed",
            wire::Outcome::Refused => "refused",
            wire::Outcome::Skipped => "skipped",
            wire::Outcome::NotReached => "not_reached",
        };
        Self {
            name: rung.name,
            outcome,
            saw: rung.saw,
            reason: rung.reason,
            after_refusal: rung.after_refusal,
            limit: rung.limit.map(LimitStanding::from),
        }
    }
}

impl From<wire::CheckAnswer> for CheckAnswer {
    fn from(answer: wire::CheckAnswer) -> Self {
        let told = |headers: Vec<wire::ToldHeader>| {
            headers.into_iter().map(|of| ToldHeader { name: of.name, value: of.value }).collect::<Vec<_>>()
        };
        Self {
            http_status: answer.http_status,
            grpc_code: answer.grpc_code,
            headers: told(answer.headers),
            body: answer.body,
            upstream_headers: told(answer.upstream_headers),
            removed_headers: answer.removed_headers,
            removed_parameters: answer.removed_parameters,
            deferred: answer.deferred,
        }
    }
}

impl Shown for Explained {
    const HEADS: &'static [&'static str] = &["RUNG", "OUTCOME", "SAW"];

    /// A rung that only would refuse, were it not for one before it, is in brackets.
    fn rows(&self) -> Vec<Vec<String>> {
        let outcome = |rung: &Rung| match (rung.outcome, rung.after_refusal) {
            ("refused", true) => format!("(refused: {})", rung.reason),
            ("refused", false) => format!("refused: {}", rung.reason),
            (outcome, _) => outcome.replace('_', " "),
        };
        let rungs = self.rungs.iter().map(|rung| vec![rung.name.clone(), outcome(rung), rung.saw.clone()]);
        let verdict = match &self.answer {
            Some(answer) if !self.allowed => {
                let body = answer.body.replace(char::is_control, " ");
                vec![
                    "answer".into(),
                    format!("refused: {}", self.reason),
                    format!("{} (gRPC {}): {body}", answer.http_status, answer.grpc_code),
                ]
            }
            _ => vec!["answer".into(), "allowed".into(), String::new()],
        };
        rungs.chain([verdict]).collect()
    }

    fn names(&self) -> Vec<&str> {
        if self.key.is_empty() { Vec::new() } else { vec![&self.key] }
    }
}
