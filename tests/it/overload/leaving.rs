//! A server that is told to stop ends, whatever its clients do.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use super::server;
use crate::hostility::raw::Raw;
use crate::support::keyward::Store;

/// As docs/operations.md has it, without `leave`.
const GONE: Duration = Duration::from_secs(22);
/// Of a busy machine.
const SLACK: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_a_client_that_never_closes_ends_when_its_time_to_drain_is_over() {
    let (mut keyward, _) = server(&Store::Embedded, |config| config);
    // answers pings, and watches for ever
    let channel = Channel::from_shared(format!("http://{}", keyward.envoy)).unwrap().connect().await.unwrap();
    let mut watched = HealthClient::new(channel).watch(HealthCheckRequest { service: String::new() }).await.unwrap().into_inner();
    assert!(watched.message().await.unwrap().is_some());
    // says nothing at all
    let _silent = [keyward.envoy, keyward.admin, keyward.http].map(|port| TcpStream::connect(port).unwrap());
    // begins a check, and leaves it at that
    let mut begun = Raw::connect(keyward.envoy).await.unwrap();
    begun.send(&Raw::headers(1)).await.unwrap();

    let told = Instant::now();
    let ended = tokio::task::spawn_blocking(move || (keyward.stop(), keyward.said())).await.unwrap();
    let (code, said) = ended;
    assert_eq!(code, Some(0), "{said}");
    assert!(told.elapsed() < GONE + SLACK, "it took {:?}", told.elapsed());
    assert!(said.contains("calls were still in flight after 20s"), "it would have waited for ever:\n{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_clients_that_go_when_they_are_told_it_does_not_take_that_long() {
    let (mut keyward, _) = server(&Store::Embedded, |config| config);
    let channel = Channel::from_shared(format!("http://{}", keyward.envoy)).unwrap().connect().await.unwrap();
    HealthClient::new(channel).check(HealthCheckRequest { service: String::new() }).await.unwrap();
    let _silent = [keyward.envoy, keyward.admin, keyward.http].map(|port| TcpStream::connect(port).unwrap());
    let ended = tokio::task::spawn_blocking(move || (keyward.stop(), keyward.said())).await.unwrap();
    assert_eq!(ended.0, Some(0), "{}", ended.1);
    assert!(!ended.1.contains("in flight after"), "who has said nothing yet is not waited for:\n{}", ended.1);
}
