//! A verdict to what Envoy is told: the one table.

use super::answer::{Answer, Denied, Fact, Header, Http, Onward};
use super::{details, limits};
use crate::domain::bearer::Bearer;
use crate::domain::denial::{Denial, Told, wait};
use crate::domain::name::Scope;
use crate::domain::realm::RecordStance;
use crate::domain::reason::Reason;
use crate::domain::request::Request;
use crate::domain::template::Template;
use crate::domain::verdict::{Counted, Grant, Refusal};

/// Who is told of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    Http,
    Grpc,
}

impl Caller {
    /// Whose request it is.
    #[must_use]
    pub fn of(request: &Request<'_>) -> Self {
        if request.is_grpc() { Self::Grpc } else { Self::Http }
    }
}

/// The answer to a verdict.
#[must_use]
pub fn answer(verdict: &Result<Grant, Refusal>, caller: Caller) -> Answer<'_> {
    match verdict {
        Ok(grant) => granted(grant),
        Err(refusal) => refused(refusal, caller),
    }
}

fn granted(grant: &Grant) -> Answer<'_> {
    let onward = Onward {
        set: &grant.onward.set,
        remove: &grant.onward.remove,
        remove_parameters: &grant.onward.remove_parameters,
        response_headers: limits::on_grant(grant),
    };
    let mut ours = vec![("realm", Fact::text(grant.realm.id.as_str()))];
    ours.extend(grant.bearer.iter().flat_map(|bearer| of_bearer(bearer)));
    ours.extend(grant.ticket.iter().map(|ticket| ("ticket", Fact::text(data_encoding::BASE64URL_NOPAD.encode(ticket)))));
    if grant.counted == Counted::NotAtAll {
        ours.push(("degraded", Fact::text("limits")));
    }
    ours.extend(limits::fields_of_grant(grant));
    Answer { http: Http::Passes(onward), ours, beside: limits::feed(grant) }
}

fn refused(refusal: &Refusal, caller: Caller) -> Answer<'_> {
    let reason = refusal.reason;
    let default = Denial::default_for(reason);
    let denial = refusal.realm.as_ref().and_then(|realm| realm.denial(reason)).unwrap_or(&default);
    let told = denied(denial, refusal, caller);
    let http = match (reason, refusal.stance) {
        (Reason::Unavailable, RecordStance::Defer) => Http::Failed(told),
        _ => Http::Denied(told),
    };
    let mut ours = vec![("reason", Fact::text(reason.name()))];
    ours.extend(refusal.realm.iter().map(|realm| ("realm", Fact::text(realm.id.as_str()))));
    ours.extend(refusal.bearer.iter().flat_map(|bearer| of_bearer(bearer)));
    ours.extend(limits::fields_of_refusal(refusal));
    Answer { http, ours, beside: Vec::new() }
}

/// Envoy makes the body a gRPC caller's `grpc-message`, and takes `grpc-status` from a header of that name: without it, a 429 would become
/// UNAVAILABLE, which clients repeat.
fn denied(denial: &Denial, refusal: &Refusal, caller: Caller) -> Denied<'static> {
    let render =
        |template: &Template<Told>| template.render(|told| Some(told.text(refusal.reason, refusal.retry_after))).unwrap_or_default();
    let mut headers: Vec<Header<'static>> = match caller {
        Caller::Http => denial.headers.iter().map(|(name, value)| (String::from(&**name).into(), render(value).into())).collect(),
        Caller::Grpc => vec![("grpc-status".into(), denial.grpc_code.to_string().into())],
    };
    headers.extend(wait(refusal.reason, refusal.retry_after).map(|wait| ("retry-after".into(), wait.to_string().into())));
    headers.extend(limits::on_refusal(refusal));
    let body = match caller {
        Caller::Http => render(&denial.body),
        Caller::Grpc => render(&denial.grpc_message),
    };
    if caller == Caller::Grpc {
        headers.push(details::header(denial.grpc_code, &body, refusal));
    }
    Denied { grpc_code: denial.grpc_code, status: denial.status, headers, body }
}

fn of_bearer(bearer: &Bearer) -> impl Iterator<Item = (&'static str, Fact<'_>)> {
    let always = [
        ("key_id", Fact::text(bearer.key.as_str())),
        ("owner", Fact::text(bearer.owner.id.as_str())),
        ("scopes", Fact::list(bearer.scopes.iter().map(Scope::as_str))),
    ];
    let words = [("environment", &bearer.environment), ("kind", &bearer.kind)];
    let words = words.into_iter().filter_map(|(name, word)| Some((name, Fact::text(word.as_ref()?.as_str()))));
    always.into_iter().chain(words).chain(bearer.tenant.iter().map(|tenant| ("tenant", Fact::text(&**tenant))))
}
