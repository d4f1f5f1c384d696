//! The gate explained: what it says beforehand is what the gate does then, and nothing becomes of its having been asked.

use std::collections::BTreeMap;

use envoy_types::pb::envoy::service::auth::v3::CheckResponse;
use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use envoy_types::pb::google::protobuf::value::Kind;
use keyward::domain::rung::{Outcome, Seen};
use keyward::gate::explained::Explanation;
use keyward::grpc::status::{self, Caller};
use prost::Message as _;

/// The rungs in the order of the ladder, each as often as it may come.
const LADDER: [&str; 19] = [
    "realm",
    "path",
    "transport",
    "route",
    "credential",
    "format",
    "tenant",
    "address",
    "look_up",
    "key.revoked",
    "key.expired",
    "key.owner",
    "key.tenant",
    "key.route",
    "key.environment",
    "key.kind",
    "key.scope",
    "key.address",
    "limit",
];

/// How often the last rung that refuses says something else than the first: what an explanation that took the wrong one would get wrong.
#[derive(Default)]
pub(super) struct Explained {
    pub(super) asked: u64,
    pub(super) more_than_one: u64,
    refused: BTreeMap<&'static str, u64>,
}

impl Explained {
    /// The answer that was foreseen is the one that was given, but for what a charge brings.
    pub(super) fn foresaw(&mut self, (explanation, caller): &(Explanation, Caller), given: &CheckResponse, with: impl Fn() -> String) {
        let foreseen = CheckResponse::decode(status::answer(&explanation.verdict, *caller).encode().message()).unwrap();
        assert_eq!(uncharged(foreseen), uncharged(given.clone()), "{}\n{:#?}", with(), explanation.rungs);
        self.asked += 1;
        let refusals: Vec<_> = explanation.rungs.iter().filter_map(refusal).collect();
        let reason = explanation.verdict.as_ref().err().map(|refusal| refusal.reason);
        assert_eq!(refusals.first().copied(), reason, "{}\n{:#?}", with(), explanation.rungs);
        self.more_than_one += u64::from(refusals.last() != refusals.first());
        for seen in explanation.rungs.iter().filter(|seen| refusal(seen).is_some()) {
            *self.refused.entry(seen.rung.name()).or_default() += 1;
        }
        in_order(&explanation.rungs);
    }

    /// Every rung that can refuse did, and not seldom there was more than one to choose from.
    pub(super) fn is_worth_something(&self) {
        let missing: Vec<_> = LADDER.iter().filter(|name| **name != "route" && !self.refused.contains_key(**name)).collect();
        assert!(missing.is_empty(), "no request was refused by {missing:?}: {:?}", self.refused);
        assert!(self.more_than_one * 50 >= self.asked, "{} of {}", self.more_than_one, self.asked);
    }
}

fn refusal(seen: &Seen) -> Option<keyward::domain::reason::Reason> {
    if let Outcome::Refused(reason) = seen.outcome { Some(reason) } else { None }
}

/// None is missing, and each is marked that stands behind a refusal. A throttled look-up may have found something all the same.
fn in_order(rungs: &[Seen]) {
    let mut names: Vec<_> = rungs.iter().map(|seen| seen.rung.name()).collect();
    names.dedup();
    assert_eq!(names, LADDER);
    let first = rungs.iter().position(|seen| refusal(seen).is_some()).unwrap_or(rungs.len());
    for (at, seen) in rungs.iter().enumerate() {
        // limits are looked at together
        let behind = at > first && (rungs[first].rung != seen.rung || seen.rung.name() == "look_up");
        assert_eq!(seen.beyond, behind, "{rungs:#?}");
        assert!(!seen.saw.is_empty());
    }
}

/// What a grant tells of its charge apart: its ticket, and how the limits stand with it, which is known when it was made.
fn uncharged(mut response: CheckResponse) -> CheckResponse {
    let ours = response.dynamic_metadata.as_mut().and_then(|metadata| metadata.fields.get_mut("keyward"));
    if let (Some(Kind::StructValue(ours)), Some(HttpResponse::OkResponse(ok))) =
        (ours.and_then(|ours| ours.kind.as_mut()), &mut response.http_response)
    {
        for field in ["ticket", "limit", "limit_left", "limit_reset"] {
            ours.fields.remove(field);
        }
        ok.response_headers_to_add.clear();
    }
    response
}
