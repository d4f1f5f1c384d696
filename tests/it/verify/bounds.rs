//! What bounds checks bounds this too: the port's secret, places, and bytes that are no message.

use std::fs;

use bytes::Bytes;
use keyward::proto::keyward::v1::{VerifyRequest, VerifyResponse};
use prost::Message as _;
use tokio::task::JoinSet;
use tonic::Request;
use tonic::transport::{Channel, Endpoint};

use super::Scene;
use crate::support::check;
use crate::support::keyward::Store;
use crate::support::proxy::{Fault, Proxy, Server, Way};
use crate::support::raw_codec::RawCodec;
use crate::support::redis::RedisServer;

const PLACES: usize = 4;
const SECRET: &str = "of this test's own clients";

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_show_the_secret_of_the_port_is_refused_in_band_as_a_check_is() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    fs::write(&file, SECRET).unwrap();
    let with = move |config: String| {
        config.replace(
            r#"envoy: {address: "127.0.0.1:0"}"#,
            &format!(r#"envoy: {{address: "127.0.0.1:0", secret_file: {}}}"#, file.display()),
        )
    };
    let scene = tokio::task::spawn_blocking(|| Scene::set(&Store::Embedded, with)).await.unwrap();
    let shows = |secret: Option<&str>| {
        let mut request = Request::new(scene.read());
        if let Some(secret) = secret {
            request.metadata_mut().insert("authorization", format!("Bearer {secret}").parse().unwrap());
        }
        request
    };
    for wrong in [None, Some("of somebody else")] {
        let refused = scene.client().await.verify(shows(wrong)).await.unwrap().into_inner();
        assert_eq!((refused.allowed, &*refused.reason, refused.http_status, refused.grpc_code), (false, "internal", 503, 14));
    }
    let control = loop {
        let answer = scene.client().await.verify(shows(Some(SECRET))).await.unwrap().into_inner();
        if answer.reason != "unavailable" {
            break answer;
        }
    };
    assert!(control.allowed, "{control:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_no_message_are_refused_in_band() {
    let scene = Scene::embedded().await;
    for bytes in [&b"\xff\xff\xff"[..], b"", b"\x0a\x7f"] {
        let answer = raw(&scene, bytes).await;
        assert_eq!((answer.allowed, &*answer.reason, answer.http_status), (false, "malformed", 400), "{bytes:?}");
    }
    let control = raw(&scene, &VerifyRequest { path: "/none".into(), ..scene.read() }.encode_to_vec()).await;
    assert_ne!(control.reason, "malformed");
}

/// Reading it would be everybody's time. Its control: as much as an Envoy takes for a request's headers is read.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_longer_than_any_request_is_malformed() {
    let scene = Scene::embedded().await;
    for (bytes, is_malformed) in [(60 * 1024, false), (200 * 1024, true)] {
        let headers = [("x-long".to_owned(), "a".repeat(bytes))].into();
        let asked = VerifyRequest { headers, path: "/none".into(), ..scene.read() };
        let answer = raw(&scene, &asked.encode_to_vec()).await;
        assert_eq!(answer.reason == "malformed", is_malformed, "{bytes}: {answer:?}");
    }
}

/// More than there are places for, of checks and of these together: they share one bound.
#[tokio::test(flavor = "multi_thread")]
async fn one_too_many_is_shed_whichever_of_the_two_it_is() {
    let redis = RedisServer::start();
    let proxy = Proxy::before(Server::Unix(redis.socket())).await;
    let url = proxy.url();
    let edit = |config: String| {
        // enough for a busy machine while Redis is held back
        let config = config.replace("redis: {url", "redis: {timeout: 4s, url");
        format!("{config}check_deadline: 10s\nlease: 60s\nchecks_at_once: {PLACES}\n")
    };
    let scene = tokio::task::spawn_blocking(move || Scene::set(&Store::Redis(&url), edit)).await.unwrap();
    proxy.set(Fault::Held(Way::Replies));
    let mut checks = JoinSet::new();
    let bearer = format!("Bearer {}", scene.made.secret);
    for _ in 0..PLACES {
        let asked = check::request("GET", "inner.test", "/read", &[("authorization", &bearer), ("x-tenant", "north")]);
        let address = scene.keyward.envoy;
        checks.spawn(async move { check::connect(address).await.check(asked).await.unwrap().into_inner() });
    }
    while scene.keyward.metric("keyward_waiting_checks") < u64::try_from(PLACES).unwrap() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let shed = scene.client().await.verify(scene.read()).await.unwrap().into_inner();
    assert_eq!((&*shed.reason, &*shed.cause, shed.http_status), ("unavailable", "overload", 503), "{shed:?}");
    assert!(shed.retry_after.is_some());
    proxy.set(Fault::None);
    assert!(checks.join_all().await.iter().all(check::admits), "who had a place is answered");
    let control = scene.client().await.verify(VerifyRequest { path: "/write".into(), ..scene.read() }).await.unwrap().into_inner();
    assert_eq!((&*control.reason, &*control.cause), ("scope", ""), "the control: there is room again");
}

async fn raw(scene: &Scene, bytes: &[u8]) -> VerifyResponse {
    let channel: Channel = Endpoint::from_shared(format!("http://{}", scene.keyward.envoy)).unwrap().connect().await.unwrap();
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.unwrap();
    let path = "/keyward.v1.VerifyService/Verify".parse().unwrap();
    let answer = client.unary(Request::new(Bytes::copy_from_slice(bytes)), path, RawCodec).await.unwrap().into_inner();
    VerifyResponse::decode(answer).unwrap()
}
