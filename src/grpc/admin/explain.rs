//! `ExplainCheck`: a request as it is told of, and what the gate saw of it. What was presented is not in the answer.

use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

use super::super::answer::{Answer, Denied, Header, Http, Onward};
use super::super::described::Described;
use super::super::status;
use super::fields::Fields;
use super::{names, shown};
use crate::domain::calendar::Unit;
use crate::domain::limit::{Length, Per};
use crate::domain::name::{KeyId, OwnerId, RealmId};
use crate::domain::rung::{self, Seen, Window};
use crate::domain::verdict::{Grant, Refusal};
use crate::domain::window::Force;
use crate::gate::Gate;
use crate::gate::explained::{Explanation, Given};
use crate::keyring::{Caller, Keyring, KeyringError, Target, Wrong};
use crate::proto::keyward::admin::v1 as wire;

/// An operator waits longer than a check does.
const PATIENCE: Duration = Duration::from_secs(5);

/// Headers that may hold what nobody should read, as the upstream finds them.
const UNTOLD: [&str; 2] = [":path", "cookie"];

/// Answers one request.
pub(super) async fn explain(
    (keyring, gate): (&Keyring, &Gate),
    caller: &Caller,
    asked: wire::ExplainCheckRequest,
) -> Result<wire::ExplainCheckResponse, KeyringError> {
    let (described, key) = described(gate, caller, asked)?;
    let hears_of = |realm: &RealmId, owner: &OwnerId| caller.hears_of(realm, owner);
    let given = match &key {
        Some(target) => {
            let (holder, now) = keyring.holder(caller, target).await?;
            Given::Key(Box::new(holder), now)
        }
        None => Given::Presented(&hears_of),
    };
    let request = described.request();
    let Explanation { rungs, verdict } = gate.explain(&request, given, Instant::now() + PATIENCE).await;
    let bearer = match &verdict {
        Ok(grant) => grant.bearer.as_ref(),
        Err(refusal) => refusal.bearer.as_ref(),
    };
    let of_bearer = bearer.map(|bearer| names::of_key(&bearer.owner.realm, &bearer.key));
    let reason = verdict.as_ref().err().map(|refusal| refusal.reason.name().to_owned());
    Ok(wire::ExplainCheckResponse {
        allowed: verdict.is_ok(),
        reason: reason.unwrap_or_default(),
        answer: Some(told(&verdict, status::Caller::of(&request))),
        key: of_bearer.or(key.map(|key| names::of_key(&key.realm, &key.id))).unwrap_or_default(),
        rungs: rungs.into_iter().map(seen).collect(),
    })
}

fn described(gate: &Gate, caller: &Caller, asked: wire::ExplainCheckRequest) -> Result<(Described, Option<Target<KeyId>>), KeyringError> {
    let mut fields = Fields::default();
    let realm = fields.unless_empty("realm", &asked.realm, names::realm);
    let key = fields.unless_empty("key", &asked.key, names::key);
    let peer =
        fields.unless_empty("address", &asked.address, |text| text.parse::<IpAddr>().map_err(|_| "must be an address without a port"));
    for (field, text) in [("method", &asked.method), ("path", &asked.path)] {
        if text.is_empty() {
            fields.refuse(Wrong::new(field, "must be set"));
        }
    }
    if !asked.secret.is_empty() && !asked.key.is_empty() {
        fields.refuse(Wrong::new("secret", "must be empty beside a key: one of the two says whose request it is"));
    }
    fields.all(Some(()))?;
    let scheme = if asked.scheme.is_empty() { "https".into() } else { asked.scheme };
    let mut described = Described {
        method: asked.method,
        path: asked.path,
        host: asked.host,
        scheme,
        headers: asked.headers.into_iter().collect(),
        peer,
        context: asked.context_extensions,
    };
    let own = key.as_ref().filter(|_| described.host.is_empty()).map(|key| &key.realm);
    if let Some(realm) = caller.explains(realm.as_ref().or(own), gate.realms())? {
        described.of_realm(realm.as_str());
    }
    described.name_tenant(&asked.tenant, gate.realms());
    described.present(&asked.secret, gate.realms());
    Ok((described, key))
}

fn seen(seen: Seen) -> wire::Rung {
    let (outcome, reason) = match seen.outcome {
        rung::Outcome::Passed => (wire::Outcome::Passed, ""),
        rung::Outcome::Refused(reason) => (wire::Outcome::Refused, reason.name()),
        rung::Outcome::Skipped => (wire::Outcome::Skipped, ""),
        rung::Outcome::NotReached => (wire::Outcome::NotReached, ""),
    };
    wire::Rung {
        name: seen.rung.name().into(),
        outcome: outcome.into(),
        saw: seen.saw,
        reason: reason.into(),
        after_refusal: seen.beyond,
        limit: seen.window.as_ref().map(limit),
    }
}

pub(super) fn limit(Window { allowance, held, cost }: &Window) -> wire::LimitStanding {
    let (window, period) = match &allowance.length {
        Length::Sliding(ms) => (shown::duration(Duration::from_millis((*ms).into())), ""),
        Length::Calendar(Unit::Day, _) => (None, "day"),
        Length::Calendar(Unit::Week, _) => (None, "week"),
        Length::Calendar(Unit::Month, _) => (None, "month"),
    };
    wire::LimitStanding {
        limit: allowance.limit.to_string(),
        per: if allowance.per == Per::Key { "key" } else { "owner" }.into(),
        most: allowance.most,
        window,
        period: period.into(),
        remaining: allowance.left,
        held: *held,
        cost: *cost,
        frees_in: shown::duration(allowance.more_in),
        shadow: allowance.force == Force::Shadow,
    }
}

fn told(verdict: &Result<Grant, Refusal>, caller: status::Caller) -> wire::CheckAnswer {
    let Answer { http, .. } = status::answer(verdict, caller);
    let refused = |Denied { grpc_code, status, headers, body }: Denied<'_>, deferred| wire::CheckAnswer {
        http_status: status.into(),
        grpc_code: grpc_code.into(),
        headers: headers.iter().map(header).collect(),
        body,
        deferred,
        ..wire::CheckAnswer::default()
    };
    match http {
        Http::Denied(denied) => refused(denied, false),
        Http::Failed(denied) => refused(denied, true),
        Http::Passes(Onward { set, remove, remove_parameters, response_headers }) => {
            let value = |name: &str, value: &str| if UNTOLD.contains(&name) { String::new() } else { value.to_owned() };
            let found = |(name, text): &(String, String)| wire::ToldHeader { name: name.clone(), value: value(name, text) };
            wire::CheckAnswer {
                headers: response_headers.iter().map(header).collect(),
                upstream_headers: set.iter().map(found).collect(),
                removed_headers: remove.to_vec(),
                removed_parameters: remove_parameters.to_vec(),
                ..wire::CheckAnswer::default()
            }
        }
    }
}

fn header((name, value): &Header<'_>) -> wire::ToldHeader {
    wire::ToldHeader { name: name.to_string(), value: value.to_string() }
}
