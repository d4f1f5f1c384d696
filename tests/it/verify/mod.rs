//! `keyward.v1.VerifyService`: clients without an Envoy ask the same gate, and are answered the same, within the same bounds.

mod bounds;

use std::fs;

use keyward::proto::keyward::v1::verify_service_client::VerifyServiceClient;
use keyward::proto::keyward::v1::{VerifyRequest, VerifyResponse};
use tempfile::TempDir;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::support::check;
use crate::support::keyward::{Keyward, Made, NewKey, Store};

const REALM: &str = "realm: inner
hosts: [inner.test]
credentials: [{header: authorization, scheme: Bearer}, {query: key}]
keys: [{prefix: in_, alphabet: hex, length: 32}]
scopes: [read, write]
tenant: {header: x-tenant, required: true}
routes:
  - {path: /read, methods: [GET], scopes: [read]}
  - {path: /write, scopes: [write]}
  - {path: /map, scopes: [read], credentials: [{query: key}]}
plans: {few: [{limit: minute, per: key, most: 4, window: 1m}]}
default_plan: few
";

/// A running server with one key.
struct Scene {
    keyward: Keyward,
    made: Made,
    _folder: TempDir,
}

impl Scene {
    fn set(store: &Store<'_>, edit: impl FnOnce(String) -> String) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("inner.yaml"), REALM).unwrap();
        let keyward = Keyward::start_edited(folder.path(), store, edit);
        keyward.create_owner("inner", "acme", None);
        let key = NewKey { owner: "acme", label: "one", scopes: &["read"], tenant: Some("north"), ..NewKey::default() };
        let made = keyward.create_key("inner", &key);
        Self { keyward, made, _folder: folder }
    }

    async fn embedded() -> Self {
        tokio::task::spawn_blocking(|| Self::set(&Store::Embedded, |config| config)).await.unwrap()
    }

    async fn client(&self) -> VerifyServiceClient<Channel> {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.keyward.envoy)).unwrap();
        VerifyServiceClient::new(endpoint.connect().await.unwrap())
    }

    /// Asks until the store is not too slow for the check.
    async fn verify(&self, request: VerifyRequest) -> VerifyResponse {
        loop {
            let response = self.client().await.verify(request.clone()).await.unwrap().into_inner();
            if response.reason != "unavailable" {
                return response;
            }
        }
    }

    fn read(&self) -> VerifyRequest {
        VerifyRequest {
            realm: "inner".into(),
            method: "GET".into(),
            path: "/read".into(),
            scheme: "https".into(),
            credential: self.made.secret.clone(),
            tenant: "north".into(),
            ..VerifyRequest::default()
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_passes_is_told_whose_it_is_and_how_the_limits_stand_after_it() {
    let scene = Scene::embedded().await;
    let granted = scene.verify(scene.read()).await;
    assert!(granted.allowed && granted.reason.is_empty() && (granted.http_status, granted.grpc_code) == (0, 0), "{granted:?}");
    assert_eq!(granted.realm, "inner");
    let identity = granted.identity.unwrap();
    assert_eq!((&identity.key, &*identity.owner, &*identity.plan, &*identity.tenant), (&scene.made.id, "acme", "few", "north"));
    assert_eq!(identity.scopes, ["read"]);
    let [minute] = &granted.limits[..] else { panic!("{:?}", granted.limits) };
    assert_eq!((&*minute.name, minute.most, minute.remaining), ("minute", 4, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_charged_like_a_check_and_a_check_like_it() {
    let scene = Scene::embedded().await;
    let bearer = format!("Bearer {}", scene.made.secret);
    let asked = check::request("GET", "inner.test", "/read", &[("authorization", &bearer), ("x-tenant", "north")]);
    let mut admitted = 0;
    while admitted < 2 {
        let response = check::connect(scene.keyward.envoy).await.check(asked.clone()).await.unwrap().into_inner();
        admitted += usize::from(check::admits(&response));
    }
    assert_eq!(scene.verify(scene.read()).await.limits[0].remaining, 1);
    assert!(scene.verify(scene.read()).await.allowed);
    let refused = scene.verify(scene.read()).await;
    assert_eq!((refused.allowed, &*refused.reason, refused.http_status, refused.grpc_code), (false, "limited", 429, 8));
    assert!(refused.retry_after.is_some_and(|wait| (1..=62).contains(&wait.seconds)), "{:?}", refused.retry_after);
    assert!(refused.headers.iter().any(|header| header.name == "retry-after"));
    assert_eq!((refused.limits[0].remaining, refused.identity.unwrap().key), (0, scene.made.id.clone()));
    let checked = check::connect(scene.keyward.envoy).await.check(asked).await.unwrap().into_inner();
    assert!(!check::admits(&checked), "the same windows");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_is_an_answer_with_the_status_that_envoy_would_have_been_told() {
    let scene = Scene::embedded().await;
    let read = scene.read();
    for (request, reason, status) in [
        (VerifyRequest { credential: String::new(), ..read.clone() }, "missing", 401),
        (VerifyRequest { credential: format!("in_{}", "0".repeat(32)), ..read.clone() }, "unknown", 401),
        (VerifyRequest { path: "/write".into(), ..read.clone() }, "scope", 403),
        (VerifyRequest { path: "/none".into(), ..read.clone() }, "no_route", 403),
        (VerifyRequest { tenant: "south".into(), ..read.clone() }, "tenant", 403),
        (VerifyRequest { tenant: String::new(), ..read.clone() }, "tenant_missing", 401),
        (VerifyRequest { scheme: "http".into(), ..read.clone() }, "insecure", 403),
        (VerifyRequest { path: "/a//b".into(), ..read.clone() }, "malformed", 400),
        (VerifyRequest { method: String::new(), ..read.clone() }, "malformed", 400),
        (VerifyRequest { realm: "keyward".into(), ..read.clone() }, "no_realm", 403),
        (VerifyRequest { realm: String::new(), host: "elsewhere.test".into(), ..read.clone() }, "no_realm", 403),
    ] {
        let refused = scene.verify(request).await;
        assert_eq!((refused.allowed, &*refused.reason, refused.http_status), (false, reason, status), "{refused:?}");
        assert!(refused.grpc_code > 0 && !refused.body.is_empty() && refused.status_details.is_empty(), "{refused:?}");
    }
    assert!(scene.verify(read).await.allowed, "the control");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_alone_is_put_where_the_route_looks_for_it_and_beside_another_it_is_one_too_many() {
    let scene = Scene::embedded().await;
    let read = scene.read();
    assert!(scene.verify(VerifyRequest { path: "/map?z=1".into(), ..read.clone() }).await.allowed, "in the query");
    assert!(scene.verify(VerifyRequest { realm: String::new(), host: "inner.test:443".into(), ..read.clone() }).await.allowed);
    let itself = [("authorization".to_owned(), format!("Bearer {}", scene.made.secret))];
    let as_sent = VerifyRequest { credential: String::new(), headers: itself.clone().into(), ..read.clone() };
    assert!(scene.verify(as_sent).await.allowed, "as the client sent it");
    let twice = scene.verify(VerifyRequest { headers: itself.into(), ..read }).await;
    assert_eq!(twice.reason, "ambiguous");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_of_grpc_is_refused_with_details() {
    let scene = Scene::embedded().await;
    let grpc = [("content-type".to_owned(), "application/grpc".to_owned())];
    let request = VerifyRequest { headers: grpc.into(), path: "/write".into(), ..scene.read() };
    let refused = scene.verify(request).await;
    let code = Code::from_i32(i32::try_from(refused.grpc_code).unwrap());
    let status = Status::with_details(code, refused.body, refused.status_details.into());
    assert_eq!((status.code(), status.message()), (Code::PermissionDenied, "Forbidden"));
    let details = status.get_error_details();
    let about = details.error_info().unwrap();
    assert_eq!((&*about.reason, &*about.domain), ("SCOPE", "keyward"));
}
