//! A verdict to Envoy's `CheckResponse`: the one table. A response is never built from its default, which is an ALLOW.

use prost_types::value::Kind;
use prost_types::{ListValue, Struct, Value};

use super::limits;
use crate::domain::bearer::Bearer;
use crate::domain::denial::{Denial, Told, wait};
use crate::domain::name::Scope;
use crate::domain::realm::RecordStance;
use crate::domain::reason::Reason;
use crate::domain::verdict::{Counted, Grant, Refusal};
use crate::proto::envoy::config::core::v3::header_value_option::HeaderAppendAction;
use crate::proto::envoy::config::core::v3::{HeaderValue, HeaderValueOption};
use crate::proto::envoy::service::auth::v3::check_response::HttpResponse;
use crate::proto::envoy::service::auth::v3::{CheckResponse, DeniedHttpResponse, OkHttpResponse};
use crate::proto::envoy::r#type::v3::HttpStatus;
use crate::proto::google::rpc::Status;

/// Who is told of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    Http,
    Grpc,
}

/// The response to a verdict.
#[must_use]
pub fn response(verdict: &Result<Grant, Refusal>, caller: Caller) -> CheckResponse {
    match verdict {
        Ok(grant) => granted(grant),
        Err(refusal) => refused(refusal, caller),
    }
}

fn granted(grant: &Grant) -> CheckResponse {
    let onward = &grant.onward;
    let ok = OkHttpResponse {
        headers: onward.set.iter().map(|(name, value)| header(name, value)).collect(),
        headers_to_remove: onward.remove.iter().map(|name| name.clone().into()).collect(),
        response_headers_to_add: limits::on_grant(grant),
        query_parameters_to_remove: onward.remove_parameters.iter().map(|name| name.clone().into()).collect(),
    };
    let mut fields = vec![("realm", text(grant.realm.id.as_str()))];
    fields.extend(grant.bearer.iter().flat_map(|bearer| of_bearer(bearer)));
    fields.extend(grant.ticket.iter().map(|ticket| ("ticket", text(&data_encoding::BASE64URL_NOPAD.encode(ticket)))));
    if grant.counted == Counted::NotAtAll {
        fields.push(("degraded", text("limits")));
    }
    fields.extend(limits::fields_of_grant(grant));
    let mut metadata = under_our_key(fields);
    metadata.fields.extend(limits::feed(grant));
    CheckResponse {
        status: Some(Status { code: 0, ..Status::default() }),
        http_response: Some(HttpResponse::OkResponse(ok)),
        dynamic_metadata: Some(metadata),
    }
}

fn refused(refusal: &Refusal, caller: Caller) -> CheckResponse {
    let reason = refusal.reason;
    let default = Denial::default_for(reason);
    let denial = refusal.realm.as_ref().and_then(|realm| realm.denial(reason)).unwrap_or(&default);
    let told = denied(denial, refusal, caller);
    let http_response = match (reason, refusal.stance) {
        (Reason::Unavailable, RecordStance::Defer) => HttpResponse::ErrorResponse(told),
        _ => HttpResponse::DeniedResponse(told),
    };
    let mut fields = vec![("reason", text(reason.name()))];
    fields.extend(refusal.realm.iter().map(|realm| ("realm", text(realm.id.as_str()))));
    fields.extend(refusal.bearer.iter().flat_map(|bearer| of_bearer(bearer)));
    fields.extend(limits::fields_of_refusal(refusal));
    CheckResponse {
        status: Some(Status { code: i32::from(denial.grpc_code.max(1)), ..Status::default() }),
        http_response: Some(http_response),
        dynamic_metadata: Some(under_our_key(fields)),
    }
}

/// Envoy makes the body a gRPC caller's `grpc-message`, and takes `grpc-status` from a header of that name: without it, a 429 would become
/// UNAVAILABLE, which clients repeat.
fn denied(denial: &Denial, refusal: &Refusal, caller: Caller) -> DeniedHttpResponse {
    let render = |template: &crate::domain::template::Template<Told>| {
        template.render(|told| Some(told.text(refusal.reason, refusal.retry_after))).unwrap_or_default()
    };
    let mut headers: Vec<HeaderValueOption> = match caller {
        Caller::Http => denial.headers.iter().map(|(name, value)| header(name, &render(value))).collect(),
        Caller::Grpc => vec![header("grpc-status", &denial.grpc_code.to_string())],
    };
    headers.extend(wait(refusal.reason, refusal.retry_after).map(|wait| header("retry-after", &wait.to_string())));
    headers.extend(limits::on_refusal(refusal));
    let body = match caller {
        Caller::Http => render(&denial.body),
        Caller::Grpc => render(&denial.grpc_message),
    };
    if caller == Caller::Grpc {
        headers.extend(limits::details(denial.grpc_code, &body, refusal));
    }
    DeniedHttpResponse { status: Some(HttpStatus { code: i32::from(denial.status) }), headers, body: body.into() }
}

/// Set, never appended: Envoy 1.40 ignores the action on upstream headers and would add a second response header by default.
pub(super) fn header(name: &str, value: &str) -> HeaderValueOption {
    let header = HeaderValue { key: name.to_owned().into(), value: value.to_owned().into(), ..HeaderValue::default() };
    HeaderValueOption { header: Some(header), append_action: HeaderAppendAction::OverwriteIfExistsOrAdd.into() }
}

fn of_bearer(bearer: &Bearer) -> Vec<(&'static str, Value)> {
    let scopes = bearer.scopes.iter().map(Scope::as_str).map(text).collect();
    let mut fields = vec![
        ("key_id", text(bearer.key.as_str())),
        ("owner", text(bearer.owner.id.as_str())),
        ("scopes", Value { kind: Some(Kind::ListValue(ListValue { values: scopes })) }),
    ];
    fields.extend(bearer.environment.iter().map(|word| ("environment", text(word.as_str()))));
    fields.extend(bearer.kind.iter().map(|word| ("kind", text(word.as_str()))));
    fields.extend(bearer.tenant.iter().map(|tenant| ("tenant", text(tenant))));
    fields
}

/// Two `ext_authz` filters merge into one struct: everything of ours stands under one key.
fn under_our_key(fields: Vec<(&'static str, Value)>) -> Struct {
    let ours = Struct { fields: fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect() };
    Struct { fields: [("keyward".to_owned(), Value { kind: Some(Kind::StructValue(ours)) })].into() }
}

pub(super) fn text(text: &str) -> Value {
    Value { kind: Some(Kind::StringValue(text.to_owned())) }
}

pub(super) fn number(number: u32) -> Value {
    Value { kind: Some(Kind::NumberValue(number.into())) }
}
