//! `keyward.v1.VerifyService`: what Envoy asks, asked by clients that have no Envoy before them. The same gate, the same bounds, and in band
//! like a check: nothing that can be answered fails the call.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use prost::Message as _;
use tonic::codegen::http::HeaderMap;
use tracing::Instrument as _;

use super::answer::{Denied, Header, Http};
use super::check_server::Answers;
use super::described::Described;
use super::details;
use super::ext_authz::Authorizer;
use super::status::{Caller, answer};
use super::trace_context;
use super::unary::LengthPrefixed;
use super::undecided::Undecided;
use crate::domain::allowance::Allowance;
use crate::domain::bearer::Bearer;
use crate::domain::denial::wait;
use crate::domain::name::Word;
use crate::domain::path::Target;
use crate::domain::request::Request;
use crate::domain::verdict::{Counted, Grant, Refusal};
use crate::domain::window::Force;
use crate::proto::keyward::v1::{Identity, Limit, ResponseHeader, VerifyRequest, VerifyResponse};
use crate::replica::tokens::Receipt;

/// The service, on whoever answers checks.
pub struct Verifier(Arc<Authorizer>);

impl Verifier {
    #[must_use]
    pub fn new(authorizer: Arc<Authorizer>) -> Self {
        Self(authorizer)
    }

    /// What is answered where nobody looked.
    pub(crate) fn undecided() -> Undecided {
        Undecided::worded(|reason, cause| {
            let response = response(&Err(reason.into()), Caller::Http, None);
            LengthPrefixed::of(&VerifyResponse { cause: cause.unwrap_or_default().into(), ..response }.encode_to_vec())
        })
    }

    async fn decided(&self, asked: Bytes, metadata: &HeaderMap) -> LengthPrefixed {
        // without a method it is malformed
        let described = VerifyRequest::decode(asked).map(|asked| self.described(asked)).unwrap_or_default();
        let request = described.request();
        let (verdict, charge) = self.0.verdict(&request, metadata).await;
        let mut response = response(&verdict, Caller::of(&request), charge.as_ref());
        if let (Ok(grant), Some(identity)) = (&verdict, &mut response.identity) {
            identity.plan = plan(grant, &request).unwrap_or_default();
        }
        let response = LengthPrefixed::of(&response.encode_to_vec());
        // nothing is awaited any more: from here on it is answered
        charge.into_iter().for_each(Receipt::keep);
        response
    }

    fn described(&self, asked: VerifyRequest) -> Described {
        let mut described = Described {
            method: asked.method,
            path: asked.path,
            host: asked.host,
            scheme: asked.scheme,
            headers: asked.headers.into_iter().collect(),
            peer: asked.address.parse().ok(),
            context: asked.context_extensions,
        };
        let realms = self.0.gate().realms();
        described.of_realm(&asked.realm);
        described.name_tenant(&asked.tenant, realms);
        described.present(&asked.credential, realms);
        described
    }
}

impl Answers for Verifier {
    const SERVICE: &'static str = "keyward.v1.VerifyService";
    const PATH: &'static str = "/keyward.v1.VerifyService/Verify";
    /// Twice what Envoy takes for the headers of a request: whoever asks here is no Envoy, and the time for reading it is everybody's.
    const LARGEST: usize = 128 * 1024;

    async fn answer(&self, asked: Bytes, metadata: &HeaderMap) -> LengthPrefixed {
        let span = trace_context::span(metadata);
        let answer = self.decided(asked, metadata);
        if span.is_disabled() { answer.await } else { answer.instrument(span).await }
    }
}

fn response(verdict: &Result<Grant, Refusal>, caller: Caller, charge: Option<&Receipt>) -> VerifyResponse {
    let response = match answer(verdict, caller).http {
        Http::Passes(onward) => VerifyResponse { allowed: verdict.is_ok(), headers: told(&onward.response_headers), ..Default::default() },
        Http::Denied(denied) => refused(denied),
        Http::Failed(denied) => VerifyResponse { deferred: true, ..refused(denied) },
    };
    match verdict {
        Ok(grant) => VerifyResponse {
            realm: grant.realm.id.to_string(),
            identity: grant.bearer.as_deref().map(identity),
            limits: limits(&charge.map_or_else(|| grant.allowances.clone(), Receipt::allowances)),
            ticket: grant.ticket.as_ref().map(|ticket| data_encoding::BASE64URL_NOPAD.encode(ticket)).unwrap_or_default(),
            uncounted: grant.counted == Counted::NotAtAll,
            ..response
        },
        Err(refusal) => VerifyResponse {
            reason: refusal.reason.name().into(),
            realm: refusal.realm.as_ref().map(|realm| realm.id.to_string()).unwrap_or_default(),
            identity: refusal.bearer.as_deref().map(identity),
            limits: limits(&refusal.allowances),
            retry_after: wait(refusal.reason, refusal.retry_after).and_then(|seconds| duration(Duration::from_secs(seconds))),
            status_details: match caller {
                Caller::Grpc => details::bytes(u8::try_from(response.grpc_code).unwrap_or(0), &response.body, refusal),
                Caller::Http => Vec::new(),
            },
            ..response
        },
    }
}

fn refused(Denied { grpc_code, status, headers, body }: Denied<'_>) -> VerifyResponse {
    VerifyResponse { http_status: status.into(), grpc_code: grpc_code.into(), headers: told(&headers), body, ..Default::default() }
}

/// The plan in force: it may be that of the format which the credential was presented in.
fn plan(grant: &Grant, request: &Request<'_>) -> Option<String> {
    let (realm, bearer) = (&grant.realm, grant.bearer.as_deref()?);
    let target = Target::parse(request.path).ok()?;
    let presented = realm.credential(realm.route(request, &target), request, &target).ok()??;
    realm.who(bearer, realm.format(&presented).ok()?).plan.map(ToString::to_string)
}

fn identity(bearer: &Bearer) -> Identity {
    Identity {
        key: bearer.key.to_string(),
        owner: bearer.owner.id.to_string(),
        environment: text(bearer.environment.as_ref()),
        kind: text(bearer.kind.as_ref()),
        scopes: bearer.scopes.iter().map(ToString::to_string).collect(),
        plan: String::new(),
        tenant: bearer.tenant.as_deref().unwrap_or_default().to_owned(),
    }
}

/// Shadows are nobody's business but the operator's.
fn limits(allowances: &[Allowance]) -> Vec<Limit> {
    let enforced = allowances.iter().filter(|allowance| allowance.force == Force::Enforced);
    let limit = |allowance: &Allowance| Limit {
        name: allowance.limit.to_string(),
        most: allowance.most,
        remaining: allowance.left,
        reset: duration(allowance.more_in),
    };
    enforced.map(limit).collect()
}

fn told(headers: &[Header<'_>]) -> Vec<ResponseHeader> {
    headers.iter().map(|(name, value)| ResponseHeader { name: name.to_string(), value: value.to_string() }).collect()
}

fn text(word: Option<&Word>) -> String {
    word.map(ToString::to_string).unwrap_or_default()
}

fn duration(duration: Duration) -> Option<prost_types::Duration> {
    prost_types::Duration::try_from(duration).ok()
}
