//! Whoever says how long he waits is answered before he has gone, whatever the store does.

use std::time::Duration;

use super::{patient, server};
use crate::support::check::{self, Checks};
use crate::support::keyward::{Keyward, Store};
use crate::support::proxy::{Fault, Proxy, Server, Way};
use crate::support::redis::RedisServer;

const WAITS: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread")]
async fn a_check_is_answered_in_band_before_its_grpc_timeout() {
    let (keyward, secret, proxy, _redis) = stalled().await;
    let mut call = tonic::Request::new(check::request("GET", "plain.test", "/", &[("x-api-key", &secret)]));
    call.set_timeout(WAITS);
    let answer = check::connect(keyward.envoy).await.check(call).await.unwrap().into_inner();
    assert_eq!(check::denied_status(&answer), Some(503));
    assert_eq!(check::metadata(&answer, "realm").as_deref(), Some("plain"), "it was looked at: {answer:?}");
    drop(proxy);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_does_not_say_how_long_it_waits_is_not_answered_by_then() {
    let (keyward, secret, proxy, _redis) = stalled().await;
    let mut checks: Checks = check::connect(keyward.envoy).await;
    let answer = checks.check(check::request("GET", "plain.test", "/", &[("x-api-key", &secret)]));
    assert!(tokio::time::timeout(WAITS, answer).await.is_err(), "its own deadline is 10 s");
    drop(proxy);
}

/// A replica whose Redis has stopped to answer.
async fn stalled() -> (Keyward, String, Proxy, RedisServer) {
    let redis = RedisServer::start();
    let proxy = Proxy::before(Server::Unix(redis.socket())).await;
    let url = proxy.url();
    let made = tokio::task::spawn_blocking(move || server(&Store::Redis(&url), |config| patient(&config, "")));
    let (keyward, secret) = made.await.unwrap();
    proxy.set(Fault::Held(Way::Replies));
    (keyward, secret, proxy, redis)
}
