//! Traps 1, 2, 3 and 5: what is no denial, or another one than it seems.

use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use envoy_types::pb::envoy::service::auth::v3::{CheckResponse, DeniedHttpResponse};
use envoy_types::pb::envoy::r#type::v3::HttpStatus;
use envoy_types::pb::google::rpc;
use tonic::Status;

use super::authorizer::curl_behind;
use super::{Scene, key};
use crate::support::check;
use crate::support::keyward::{NewKey, Store};
use crate::support::redis::RedisServer;

const LINE: &str = "https://api.otesse.com/v1/bookings";

#[test]
fn trap_1_a_response_without_a_status_is_an_allow_so_every_response_has_one() {
    let (answer, seen) = curl_behind(Ok(CheckResponse::default()), |bootstrap| bootstrap, LINE);
    assert!(answer.status == 200 && seen.is_some(), "control: Envoy lets an empty response pass");

    let scene = Scene::plain();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut checks = check::connect(scene.keyward.envoy).await;
        let secret = scene.secret.as_str();
        for (host, path, value) in [
            ("api.otesse.com", "/v1/bookings", secret),
            ("api.otesse.com", "/v1/bookings", "junk"),
            ("api.otesse.com", "/v1/bookings", ""),
            ("api.otesse.com", "/v1/webhooks", secret),
            ("api.otesse.com", "", secret),
            ("nobody.test", "/", secret),
            ("", "", ""),
        ] {
            let response = checks.check(check::request("GET", host, path, &[("x-api-key", value)])).await.unwrap().into_inner();
            let code = response.status.as_ref().unwrap_or_else(|| panic!("no status for {host}{path}")).code;
            let ok = matches!(response.http_response, Some(HttpResponse::OkResponse(_)));
            assert_eq!(code == 0, ok, "{host}{path}: code and response say the same");
        }
    });
}

#[test]
fn trap_2_a_denied_response_under_status_ok_is_an_allow_so_every_denial_has_another_code() {
    let denied = DeniedHttpResponse { status: Some(HttpStatus { code: 401 }), ..DeniedHttpResponse::default() };
    let ok_and_denied = CheckResponse {
        status: Some(rpc::Status::default()),
        http_response: Some(HttpResponse::DeniedResponse(denied)),
        dynamic_metadata: None,
    };
    let (answer, seen) = curl_behind(Ok(ok_and_denied), |bootstrap| bootstrap, LINE);
    assert!(answer.status == 200 && seen.is_some(), "control: Envoy ignores what is denied under OK");

    let scene = Scene::plain();
    let (answer, seen) = scene.curl(&format!("{LINE} -H 'X-API-Key: otesse_live_sk_0000000000000000000000000000000000000000'"));
    assert!(answer.status == 401 && seen.is_none());
}

#[test]
fn trap_3_an_rpc_error_is_no_denial_so_a_lost_store_is_denied_in_band() {
    let allow = |bootstrap: String| bootstrap.replace("failure_mode_allow: false", "failure_mode_allow: true");
    let (answer, seen) = curl_behind(Err(Status::permission_denied("no")), allow, LINE);
    assert!(answer.status == 200 && seen.is_some(), "control: under failure_mode_allow an RPC error is a yes");

    let mut redis = RedisServer::durable();
    let scene = Scene::new(&Store::Redis(&redis.url()), &key(), allow);
    assert_eq!(scene.bookings("").0.status, 200);
    redis.kill();
    let (answer, seen) = scene.bookings("");
    assert!(answer.status == 503 && seen.is_none(), "{}", answer.status);
    assert!(answer.header("retry-after").is_some());
    redis.restart();
    crate::support::eventually("checks pass again without a restart", || (scene.bookings("").0.status == 200).then_some(()));
}

#[test]
fn trap_5_a_429_would_be_unavailable_to_a_grpc_client_so_it_is_told_resource_exhausted() {
    let grpc = "-X POST -H 'content-type: application/grpc'";
    let denied = DeniedHttpResponse { status: Some(HttpStatus { code: 429 }), ..DeniedHttpResponse::default() };
    let bare = CheckResponse {
        status: Some(rpc::Status { code: 8, ..rpc::Status::default() }),
        http_response: Some(HttpResponse::DeniedResponse(denied)),
        dynamic_metadata: None,
    };
    let (answer, _) = curl_behind(Ok(bare), |bootstrap| bootstrap, &format!("{LINE} {grpc}"));
    assert_eq!(answer.header("grpc-status"), Some("14"), "control: Envoy makes a 429 UNAVAILABLE, which clients repeat");

    let few = NewKey { scopes: &["bookings:write"], environment: Some("test"), ..key() };
    let scene = Scene::new(&Store::Embedded, &few, |bootstrap| bootstrap);
    let line = format!("https://api.otesse.com/v1/bookings -H 'X-API-Key: {}' {grpc}", scene.secret);
    let limited = crate::support::eventually("a limit is reached", || {
        let (answer, seen) = scene.curl(&line);
        seen.is_none().then_some(answer)
    });
    assert_eq!(limited.header("grpc-status"), Some("8"));
}
