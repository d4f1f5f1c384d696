//! So many connections and no more.

use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use super::raw::{ACK, PING, Raw, SETTINGS, frame};
use crate::overload::server;
use crate::support::check;
use crate::support::http;
use crate::support::keyward::{Keyward, Store};
use crate::support::{eventually, until};

const PLACES: usize = 20;

/// As many connections as can be had of so many that are tried.
async fn had(keyward: &Keyward, tried: usize) -> Vec<Raw> {
    let mut had = Vec::new();
    for _ in 0..tried {
        let Ok(mut raw) = Raw::connect(keyward.envoy).await else { continue };
        // its own settings are acknowledged by a server that has let it in
        if raw.wait_for(|frame| frame.kind == SETTINGS && frame.flags == ACK).await.is_some() {
            had.push(raw);
        }
    }
    had
}

fn with_places(config: &str) -> String {
    config.replacen(r#"envoy: {address: "127.0.0.1:0""#, &format!(r#"envoy: {{address: "127.0.0.1:0", connections: {PLACES}"#), 1)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_connection_too_many_is_hung_up_on_those_there_are_go_on_and_a_place_that_is_free_is_given() {
    let (keyward, secret) = server(&Store::Embedded, |config| with_places(&config));
    let mut there = had(&keyward, PLACES + 10).await;
    assert_eq!(there.len(), PLACES);
    assert_eq!(keyward.metric(r#"keyward_refused_connections_total{port="envoy",why="full"}"#), 10);
    for raw in &mut there {
        raw.send(&frame(PING, 0, 0, b"whoareyo")).await.unwrap();
        assert!(raw.wait_for(|frame| frame.kind == PING && frame.flags == ACK).await.is_some(), "it is served");
    }
    assert_eq!(http::get(keyward.http, "/livez").unwrap().0, 200, "the other ports have places of their own");
    there.clear();
    let request = || check::request("GET", "plain.test", "/", &[("x-api-key", &secret)]);
    let mut checks = check::lazily(keyward.envoy);
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    while !checks.check(request()).await.is_ok_and(|answer| check::admits(answer.get_ref())) {
        assert!(std::time::Instant::now() < deadline, "a place is free");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_more_places_they_all_come_in() {
    let (keyward, _) = server(&Store::Embedded, |config| config);
    assert_eq!(had(&keyward, PLACES + 10).await.len(), PLACES + 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_http_port_gives_a_connection_one_request() {
    use tokio::io::AsyncWriteExt as _;
    let (keyward, _) = server(&Store::Embedded, |config| config);
    let mut stream = TcpStream::connect(keyward.http).await.unwrap();
    stream.write_all(b"GET /livez HTTP/1.1\r\nhost: keyward\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("connection: close"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_http_port_is_not_kept_by_those_who_never_finish_their_request() {
    use tokio::io::AsyncWriteExt as _;
    let (keyward, _) = server(&Store::Embedded, |config| config);
    let mut slow = Vec::new();
    for _ in 0..400 {
        let mut stream = TcpStream::connect(keyward.http).await.unwrap();
        let _ = stream.write_all(b"GET /livez HTTP/1.1\r\nx-more: ").await;
        slow.push(stream);
    }
    let port = keyward.http;
    tokio::task::spawn_blocking(move || eventually("a place is free again", || http::get(port, "/livez"))).await.unwrap();
    assert!(keyward.metric(r#"keyward_refused_connections_total{port="http",why="full"}"#) > 0, "all places were taken");
    let (sent, mut open) = (slow.len(), 0);
    until("they are hung up on", || {
        open = slow
            .iter()
            .filter(|stream| stream.try_read(&mut [0; 16]).is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock))
            .count();
        open == 0
    })
    .await;
    assert!(sent == 400, "{open}");
}
