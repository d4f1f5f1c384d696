//! What the gate answered.

use serde::Serialize;

use super::super::output::Shown;
use super::{cell, fields, seconds, wait};
use crate::proto::keyward::v1 as wire;

/// Of `VerifyResponse`, without the bytes that programs read.
#[derive(Debug, Serialize)]
pub(in super::super) struct Answered {
    allowed: bool,
    reason: String,
    http_status: u32,
    grpc_code: u32,
    realm: String,
    identity: Option<Identity>,
    limits: Vec<Limit>,
    retry_after: Option<String>,
    ticket: String,
    headers: Vec<Header>,
    body: String,
    uncounted: bool,
    deferred: bool,
    cause: String,
}

#[derive(Debug, Serialize)]
struct Identity {
    key: String,
    owner: String,
    environment: String,
    kind: String,
    scopes: Vec<String>,
    plan: String,
    tenant: String,
}

#[derive(Debug, Serialize)]
struct Limit {
    name: String,
    most: u32,
    remaining: u32,
    reset: Option<String>,
}

#[derive(Debug, Serialize)]
struct Header {
    name: String,
    value: String,
}

impl From<wire::VerifyResponse> for Answered {
    fn from(response: wire::VerifyResponse) -> Self {
        let identity = |of: wire::Identity| Identity {
            key: of.key,
            owner: of.owner,
            environment: of.environment,
            kind: of.kind,
            scopes: of.scopes,
            plan: of.plan,
            tenant: of.tenant,
        };
        let limit = |of: wire::Limit| Limit { name: of.name, most: of.most, remaining: of.remaining, reset: seconds(of.reset) };
        Self {
            allowed: response.allowed,
            reason: response.reason,
            http_status: response.http_status,
            grpc_code: response.grpc_code,
            realm: response.realm,
            identity: response.identity.map(identity),
            limits: response.limits.into_iter().map(limit).collect(),
            retry_after: seconds(response.retry_after),
            ticket: response.ticket,
            headers: response.headers.into_iter().map(|of| Header { name: of.name, value: of.value }).collect(),
            body: response.body,
            uncounted: response.uncounted,
            deferred: response.deferred,
            cause: response.cause,
        }
    }
}

impl Shown for Answered {
    fn rows(&self) -> Vec<Vec<String>> {
        let who = |of: fn(&Identity) -> String| self.identity.as_ref().map(of).unwrap_or_default();
        let told = |code: u32| if code == 0 { String::new() } else { code.to_string() };
        let own = fields([
            ("answer", if self.allowed { "allowed" } else { "refused" }.to_owned()),
            ("reason", self.reason.clone()),
            ("cause", self.cause.clone()),
            ("http status", told(self.http_status)),
            ("grpc code", told(self.grpc_code)),
            ("body", self.body.clone()),
            ("retry after", cell(self.retry_after.as_deref())),
            ("realm", self.realm.clone()),
            ("key", who(|of| of.key.clone())),
            ("owner", who(|of| of.owner.clone())),
            ("environment", who(|of| of.environment.clone())),
            ("kind", who(|of| of.kind.clone())),
            ("scopes", who(|of| of.scopes.join(" "))),
            ("plan", who(|of| of.plan.clone())),
            ("tenant", who(|of| of.tenant.clone())),
            ("limits", if self.uncounted { "could not be counted".to_owned() } else { String::new() }),
        ]);
        let limit = |of: &Limit| {
            let reset = of.reset.as_deref().map_or(String::new(), |reset| format!(", more in {}", wait(reset)));
            vec![format!("limit {}", of.name), format!("{} of {} left{reset}", of.remaining, of.most)]
        };
        own.into_iter().chain(self.limits.iter().map(limit)).collect()
    }

    fn names(&self) -> Vec<&str> {
        self.identity.iter().map(|identity| identity.key.as_str()).collect()
    }
}
