//! How the server starts, stops, and refuses to start.

use std::io::Write as _;
use std::net::TcpStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::{REALM, server};
use crate::hostility::raw::PREFACE;
use crate::support::check;
use crate::support::envoy::Envoy;
use crate::support::eventually;
use crate::support::http;
use crate::support::keyward::{Keyward, NewKey, Store};
use crate::support::redis::RedisServer;
use crate::support::shell::Shell;
use crate::support::upstream::Upstream;

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_told_to_stop_answers_what_is_in_flight_and_ends_well() {
    let (mut keyward, secret) = server(&Store::Embedded, |config| config);
    let mut checks = check::connect(keyward.envoy).await;
    assert!(check::admits(checks.check(check::request("GET", "plain.test", "/", &[("x-api-key", &secret)])).await.unwrap().get_ref()));
    assert_eq!(keyward.stop(), Some(0), "{}", keyward.said());
}

#[test]
fn a_replica_that_leaves_fails_no_request_behind_envoy_while_another_is_there() {
    let redis = RedisServer::start();
    let realms = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/realms");
    let patient = |leave: &str| {
        let leave = format!("leave: {leave}");
        move |config: String| {
            config.replace("leave: 0s", &leave).replace("redis: {url", "redis: {timeout: 1s, url") + "check_deadline: 5s\n"
        }
    };
    let mut first = Keyward::start_edited(&realms, &Store::Redis(&redis.url()), patient("10s"));
    let second = Keyward::without_token(&realms, &Store::Redis(&redis.url()), patient("10s"));
    first.create_owner("otesse", "acme", None);
    let key = NewKey { owner: "acme", label: "l", scopes: &["bookings:read"], environment: Some("live"), ..NewKey::default() };
    let secret = first.create_key("otesse", &key).secret;
    let (upstream, folder) = (Upstream::start(), tempfile::tempdir().unwrap());
    let endpoint =
        |port: u16| format!("        - endpoint: {{ address: {{ socket_address: {{ address: 127.0.0.1, port_value: {port} }} }} }}\n");
    let (one, both) = (endpoint(first.envoy.port()), endpoint(first.envoy.port()) + &endpoint(second.envoy.port()));
    let envoy = Envoy::start_edited(first.envoy, upstream.address, |bootstrap| {
        assert!(bootstrap.contains(&one));
        bootstrap.replace(&one, &both).replace("timeout: 0.25s", "timeout: 10s")
    });
    let shell = Shell::new(folder.path(), &envoy);
    let line = format!("curl https://api.otesse.com/v1/bookings -H 'X-API-Key: {secret}'");
    let status = || shell.run(&line).answers[0].status;
    let leaving = std::thread::spawn(move || first.stop());
    let mut seen = Vec::new();
    while !leaving.is_finished() {
        seen.push(status());
    }
    seen.extend((0..20).map(|_| status()));
    assert_eq!(leaving.join().unwrap(), Some(0));
    let failed = seen.iter().filter(|status| ![200, 429].contains(*status)).count();
    assert!(seen.len() > 40 && failed == 0, "{failed} of {} failed: {seen:?}", seen.len());
}

/// Looked at the other way round, a connection that comes when the threads have stopped is a failure of the server: then this fails.
#[test]
fn whoever_connects_while_it_stops_does_not_make_it_fail() {
    for _ in 0..5 {
        let (mut keyward, _) = server(&Store::Embedded, |config| config);
        let (envoy, stopped) = (keyward.envoy, AtomicBool::new(false));
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    while !stopped.load(Ordering::Relaxed) {
                        drop(TcpStream::connect(envoy).map(|mut come| come.write_all(PREFACE)));
                    }
                });
            }
            let code = keyward.stop();
            stopped.store(true, Ordering::Relaxed);
            assert_eq!(code, Some(0), "{}", keyward.said());
        });
    }
}

#[test]
fn a_replica_with_another_pepper_refuses_to_start() {
    let redis = RedisServer::start();
    let (_first, _) = server(&Store::Redis(&redis.url()), |config| config);
    let realms = tempfile::tempdir().unwrap();
    std::fs::write(realms.path().join("plain.yaml"), REALM).unwrap();
    let said = Keyward::refuses_to_start(realms.path(), &Store::Redis(&redis.url()), |folder| {
        std::fs::write(folder.join("pepper"), format!("1:{}\n", data_encoding::BASE64.encode(&[8; 32]))).unwrap();
    });
    assert!(said.contains("pepper version 1 is not the one that this store's keys were made under"), "{said}");
}

#[test]
fn a_replica_whose_peppers_have_other_versions_refuses_to_start() {
    let redis = RedisServer::start();
    let (_first, _) = server(&Store::Redis(&redis.url()), |config| config);
    let realms = tempfile::tempdir().unwrap();
    std::fs::write(realms.path().join("plain.yaml"), REALM).unwrap();
    let said = Keyward::refuses_to_start(realms.path(), &Store::Redis(&redis.url()), |folder| {
        std::fs::write(folder.join("pepper"), format!("other:{}\n", data_encoding::BASE64.encode(&[7; 32]))).unwrap();
    });
    assert!(said.contains("pepper version other"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_store_is_away_at_the_start_refuses_in_band_until_it_is_there() {
    let mut redis = RedisServer::durable();
    let url = redis.url();
    redis.kill();
    let realms = tempfile::tempdir().unwrap();
    std::fs::write(realms.path().join("plain.yaml"), REALM).unwrap();
    let keyward = Keyward::without_token(realms.path(), &Store::Redis(&url), |config| config + "lease: 1s\n");
    let mut checks = check::connect(keyward.envoy).await;
    let request = || check::request("GET", "plain.test", "/", &[("x-api-key", "pl_0123456789012345678901234567890123456789")]);
    assert_eq!(check::denied_status(checks.check(request()).await.unwrap().get_ref()), Some(503));
    redis.restart();
    let until = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while check::denied_status(checks.check(request()).await.unwrap().get_ref()) == Some(503) {
        assert!(std::time::Instant::now() < until, "{}", keyward.said());
    }
    let answer = checks.check(request()).await.unwrap().into_inner();
    assert_eq!(check::metadata(&answer, "reason").as_deref(), Some("unknown"));
    let keyward = keyward.bootstrapped(&Store::Redis(&url));
    keyward.create_owner("plain", "acme", None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_ready_with_its_first_lease_and_stays_ready_without_one() {
    let mut redis = RedisServer::durable();
    let url = redis.url();
    redis.kill();
    let realms = tempfile::tempdir().unwrap();
    std::fs::write(realms.path().join("plain.yaml"), REALM).unwrap();
    let keyward = Keyward::starting(realms.path(), &Store::Redis(&url), |config| config + "lease: 60s\n");
    assert_eq!(http::get(keyward.http, "/readyz").unwrap(), (503, "starting\n".into()));
    assert_eq!(health(&keyward).await, ServingStatus::NotServing as i32);
    redis.restart();
    // long before it would be ready without
    let keyward = keyward.ready();
    assert_eq!(health(&keyward).await, ServingStatus::Serving as i32);
    let held = |state: &str| format!("keyward_lease{{state=\"{state}\"}} 1");
    assert!(http::get(keyward.http, "/metrics").unwrap().1.contains(&held("held")));

    let brief = Keyward::without_token(realms.path(), &Store::Redis(&url), |config| config + "lease: 1s\n");
    redis.kill();
    eventually("its lease ends", || http::get(brief.http, "/metrics").unwrap().1.contains(&held("over")).then_some(()));
    assert_eq!(http::get(brief.http, "/readyz").unwrap().0, 200);
    assert_eq!(health(&brief).await, ServingStatus::Serving as i32);
}

async fn health(keyward: &Keyward) -> i32 {
    let channel = Channel::from_shared(format!("http://{}", keyward.envoy)).unwrap().connect().await.unwrap();
    let service = "envoy.service.auth.v3.Authorization".to_owned();
    HealthClient::new(channel).check(HealthCheckRequest { service }).await.unwrap().into_inner().status
}

#[test]
fn a_redis_that_may_evict_windows_is_refused() {
    let redis = RedisServer::start();
    redis.ask::<()>("CONFIG SET maxmemory-policy allkeys-lru");
    let realms = tempfile::tempdir().unwrap();
    std::fs::write(realms.path().join("plain.yaml"), REALM).unwrap();
    let said = Keyward::refuses_to_start(realms.path(), &Store::Redis(&redis.url()), |_| {});
    assert!(said.contains("noeviction"), "{said}");
}
