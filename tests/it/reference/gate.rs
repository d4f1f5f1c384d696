//! The gate itself, over the real embedded store, asked without a network and heard through another library's types.

use std::sync::Arc;
use std::time::Duration;

use envoy_types::pb::envoy::config::core::v3::HeaderValueOption;
use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use envoy_types::pb::envoy::service::auth::v3::{CheckResponse, DeniedHttpResponse, OkHttpResponse};
use envoy_types::pb::google::protobuf::value::Kind;
use keyward::clock::{Clock, SharedClock};
use keyward::config;
use keyward::domain::realms::Realms;
use keyward::domain::time::{BootTime, StoreTime};
use keyward::gate::Gate;
use keyward::gate::explained::{Explanation, Given};
use keyward::grpc::check_request;
use keyward::grpc::check_server::Answers as _;
use keyward::grpc::ext_authz::Authorizer;
use keyward::grpc::status::Caller;
use keyward::store::SharedStore;
use keyward::store::embedded::{Embedded, Timeouts};
use keyward::telemetry::metrics::Metrics;
use prost::Message as _;
use tempfile::TempDir;
use tonic::codegen::http::HeaderMap;

use super::REASONS;
use super::onward::Edits;
use super::plain::{Plain, World};
use super::reading;
use super::rules::{Answer, Grant};
use super::stored;
use super::world::FILES;
use crate::support::in_process::Replica;

/// Longer than any machine holds a call up.
const PATIENCE: Duration = Duration::from_mins(10);

/// The gate of one world.
pub(super) struct Asked {
    authorizer: Authorizer,
    gate: Arc<Gate>,
    none: HeaderMap,
    _replica: Replica,
    /// Where the store is; gone with it.
    _folder: TempDir,
}

/// What the gate answered.
#[derive(Debug)]
pub(super) struct Heard {
    pub(super) answer: Answer,
    /// The status that a refused caller is told, or its gRPC code.
    pub(super) told: Option<u32>,
    /// The limit that a granted caller is told of, and what is left of it.
    pub(super) limit: Option<(u64, u64)>,
}

/// A clock that stands still: no window slides, no key expires during a run.
struct Still(i64);

impl Clock for Still {
    fn boot(&self) -> BootTime {
        BootTime(Duration::from_secs(1000))
    }

    fn wall(&self) -> StoreTime {
        StoreTime(self.0)
    }
}

impl Asked {
    pub(super) async fn of(world: &World) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock: SharedClock = Arc::new(Still(world.now));
        let store = Embedded::open(folder.path(), clock.clone()).unwrap();
        let store: SharedStore = Arc::new(store.with_timeouts(Timeouts { check: PATIENCE, admin: PATIENCE }));
        let peppers = Arc::new(stored::peppers());
        stored::fill(store.as_ref(), world, &peppers).await;
        let realms = FILES.iter().map(|(file, text)| config::realm(file, text).unwrap_or_else(|problems| panic!("{problems}")));
        let realms = Arc::new(Realms::new(realms).unwrap());
        let replica = Replica::leased(&store, &clock).await;
        let gate = Arc::new(replica.gate(realms, peppers, PATIENCE));
        let authorizer = Authorizer::new(gate.clone(), PATIENCE, Arc::new(Metrics::default()));
        Self { authorizer, gate, none: HeaderMap::new(), _replica: replica, _folder: folder }
    }

    /// What the gate would say of those bytes, and why; `None`: they are no request.
    pub(super) async fn explain(&self, bytes: &[u8]) -> Option<(Explanation, Caller)> {
        let request = check_request::read(bytes).ok().filter(|request| !request.method.is_empty())?;
        let deadline = tokio::time::Instant::now() + PATIENCE;
        Some((self.gate.explain(&request, Given::Presented(&|_, _| true), deadline).await, Caller::of(&request)))
    }

    /// Asks with the bytes that came over the wire, whatever they are.
    pub(super) async fn ask(&self, bytes: &[u8]) -> CheckResponse {
        let answer = self.authorizer.answer(bytes.to_vec().into(), &self.none).await.message();
        CheckResponse::decode(answer).unwrap()
    }
}

/// A response as the rules would have put it. `request` is what was asked: removing what is not there is no removal.
pub(super) fn hear(response: &CheckResponse, request: &Plain) -> Heard {
    match response.http_response.as_ref().expect("every answer has one of the forms") {
        HttpResponse::OkResponse(ok) if admits(response) => {
            let grant = Grant {
                realm: metadata(response, "realm").expect("a grant names its realm"),
                key: metadata(response, "key_id"),
                owner: metadata(response, "owner"),
                edits: edits(ok, request),
            };
            Heard { answer: Answer::Granted(grant), told: None, limit: limit(ok) }
        }
        HttpResponse::DeniedResponse(denied) if !admits(response) => {
            let reason = metadata(response, "reason").expect("a refusal has a reason");
            let reason = REASONS.iter().find(|known| **known == reason).unwrap_or_else(|| panic!("{reason} is no reason of the rules"));
            Heard { answer: Answer::Refused(reason), told: Some(told(denied, reason)), limit: None }
        }
        _ => panic!("Envoy would not do what this says: {response:?}"),
    }
}

fn limit(ok: &OkHttpResponse) -> Option<(u64, u64)> {
    let header = |name: &str| {
        let named = |option: &&HeaderValueOption| option.header.as_ref().is_some_and(|header| header.key == name);
        ok.response_headers_to_add.iter().find(named).map(|option| text(option).parse().expect("a number"))
    };
    Some((header("x-ratelimit-limit")?, header("x-ratelimit-remaining")?))
}

fn told(denied: &DeniedHttpResponse, reason: &str) -> u32 {
    let header = |name: &str| {
        let of = |option: &&HeaderValueOption| option.header.as_ref().is_some_and(|header| header.key == name);
        denied.headers.iter().find(of).map(text)
    };
    if reason == "limited" || reason == "throttled" {
        let wait: u32 = header("retry-after").expect("who is limited is told how long").parse().expect("in seconds");
        assert!(wait > 0, "a wait is not nothing");
    }
    match header("grpc-status") {
        Some(code) => code.parse().expect("a code is a number"),
        None => denied.status.as_ref().expect("a denial has a status").code.cast_unsigned(),
    }
}

fn text(option: &HeaderValueOption) -> String {
    let header = option.header.as_ref().expect("an option has a header");
    let value = if header.raw_value.is_empty() { header.value.clone().into_bytes() } else { header.raw_value.clone() };
    String::from_utf8(value).expect("what keyward says is text")
}

fn edits(ok: &OkHttpResponse, request: &Plain) -> Edits {
    let mut edits = Edits::default();
    for option in &ok.headers {
        let header = option.header.as_ref().expect("an option has a header");
        let value = if header.raw_value.is_empty() { header.value.clone().into_bytes() } else { header.raw_value.clone() };
        assert!(option.append_action == 2, "a header is set, never added: {option:?}");
        assert!(edits.set.insert(header.key.clone(), value).is_none(), "{} is set twice", header.key);
    }
    for name in &ok.headers_to_remove {
        assert!(!edits.set.contains_key(name), "{name} is set, and then removed");
        if !reading::header(request, name).is_empty() {
            edits.removed_headers.insert(name.clone());
        }
    }
    // Envoy 1.40 compares the names as they are written: `key` does not remove `k%65y`.
    for name in &ok.query_parameters_to_remove {
        if reading::pieces(&request.path).iter().any(|piece| piece.split(|byte| *byte == b'=').next() == Some(name.as_bytes())) {
            edits.removed_parameters.insert(name.clone());
        }
    }
    edits
}

/// What Envoy would do: by its code alone a response lets pass.
pub(super) fn admits(response: &CheckResponse) -> bool {
    response.status.as_ref().is_none_or(|status| status.code == 0)
}

/// A text of keyward's own dynamic metadata.
pub(super) fn metadata(response: &CheckResponse, name: &str) -> Option<String> {
    let Kind::StructValue(ours) = response.dynamic_metadata.as_ref()?.fields.get("keyward")?.kind.as_ref()? else { return None };
    match ours.fields.get(name)?.kind.as_ref()? {
        Kind::StringValue(text) => Some(text.clone()),
        _ => None,
    }
}
