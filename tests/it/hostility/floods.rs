//! Frames without end. While they come another client's checks are admitted, each of them, and the process grows by a bounded amount.

use std::net::SocketAddr;
use std::time::Instant;

use tokio::runtime::Builder;

use super::raw::{ACK, CONTINUATION, DATA, END_HEADERS, HEADERS, PING, Raw, SETTINGS, block, frame, literal};
use super::{attack, resident};
use crate::overload::server;
use crate::support::campaign::figure;
use crate::support::check;
use crate::support::keyward::Store;

/// At once, each with a connection; a new one whenever the server ends it.
const ATTACKERS: usize = 4;

/// What a process may grow by: 64 MiB.
const BOUND: u64 = 64 << 20;

/// Frames that open a stream, where one is needed, and then those that come again and again.
#[derive(Clone)]
struct Flood {
    first: Vec<u8>,
    again: Vec<u8>,
}

async fn withstood(what: &str, flood: Flood) {
    // how long a machine holds a thread up is not what this is about
    let (keyward, secret) = server(&Store::Embedded, |config| config + "check_deadline: 10s\nlease: 60s\n");
    let mut checks = check::connect(keyward.envoy).await;
    let request = || check::request("GET", "plain.test", "/", &[("x-api-key", &secret)]);
    assert!(check::admits(checks.check(request()).await.unwrap().get_ref()));
    let before = resident(&keyward);

    // with a thread of their own: it is the server that has to be fair, not this client
    let attackers = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    for _ in 0..ATTACKERS {
        attackers.spawn(again_and_again(keyward.envoy, flood.clone()));
    }
    let (begun, mut admitted, mut most, mut slowest) = (Instant::now(), 0_u32, 0, std::time::Duration::ZERO);
    while begun.elapsed() < attack() {
        let asked = Instant::now();
        let answer = checks.check(request()).await.expect("others are served");
        assert!(check::admits(answer.get_ref()), "{answer:?} {}", keyward.said());
        slowest = slowest.max(asked.elapsed());
        admitted += 1;
        most = most.max(resident(&keyward));
    }
    attackers.shutdown_background();
    let grown = most.saturating_sub(before) >> 20;
    figure("T17", &format!("{what}: others' checks admitted, slowest of them, growth"), &format!("{admitted}, {slowest:?}, {grown} MiB"));
    assert!(admitted > 0, "others were served");
    assert!(most.saturating_sub(before) < BOUND, "it grew by {grown} MiB");
    assert!(check::admits(checks.check(request()).await.unwrap().get_ref()));
}

async fn again_and_again(address: SocketAddr, flood: Flood) {
    loop {
        let Ok(mut raw) = Raw::connect(address).await else { continue };
        if raw.send(&flood.first).await.is_ok() {
            raw.flood(&flood.again).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pings_without_end() {
    let again = frame(PING, 0, 0, b"whoareyo").repeat(500);
    withstood("pings", Flood { first: Vec::new(), again }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_without_end() {
    let again = frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 255, 255]).repeat(500);
    withstood("SETTINGS", Flood { first: Vec::new(), again }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledgements_of_nothing_without_end() {
    let again = frame(PING, ACK, 0, b"whoareyo").repeat(500);
    withstood("answers to no ping", Flood { first: Vec::new(), again }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn empty_data_without_end() {
    withstood("empty DATA", Flood { first: Raw::headers(1), again: frame(DATA, 0, 1, &[]).repeat(500) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_that_go_on_without_end() {
    let first = frame(HEADERS, 0, 1, &block("/envoy.service.auth.v3.Authorization/Check"));
    let again = frame(CONTINUATION, 0, 1, &literal("x-more", &"m".repeat(16_000)));
    withstood("CONTINUATION", Flood { first, again }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_that_go_on_with_nothing_in_them() {
    let first = frame(HEADERS, 0, 1, &block("/envoy.service.auth.v3.Authorization/Check"));
    withstood("empty CONTINUATION", Flood { first, again: frame(CONTINUATION, 0, 1, &[]).repeat(500) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_are_given_up_as_soon_as_they_are_begun() {
    let first = (0..5_000).flat_map(|nth| Raw::reset(2 * nth + 1)).collect();
    // and then what no open stream has, so that the connection ends and the next one begins
    withstood("rapid reset", Flood { first, again: frame(DATA, 0, 9, &[0; 1000]) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_are_begun_and_never_asked() {
    let first = (0..500).flat_map(|nth| Raw::headers(2 * nth + 1)).collect();
    withstood("calls without a message", Flood { first, again: frame(PING, 0, 0, b"whoareyo") }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_header_of_any_size() {
    let large = literal("x-large", &"l".repeat(16_000));
    let call = |stream: u32| [frame(HEADERS, 0, stream, &block("/x")), frame(CONTINUATION, END_HEADERS, stream, &large)].concat();
    let first = (0..1000).flat_map(|nth| call(2 * nth + 1)).collect();
    withstood("calls with large headers", Flood { first, again: frame(PING, 0, 0, b"whoareyo") }).await;
}
