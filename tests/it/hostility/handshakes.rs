//! Who connects and does not say what he wants has five seconds, in TLS and out of it; meanwhile others are served.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Server};

use super::raw::PREFACE;
use super::resident;
use crate::overload::server;
use crate::support::campaign::{figure, share};
use crate::support::certs::Authority;
use crate::support::check::{self, Checks};
use crate::support::keyward::{Keyward, Store};
use crate::support::until;

/// What a process may grow by: 64 MiB.
const BOUND: u64 = 64 << 20;

/// They are there at one time, each with these bytes sent.
async fn crowd(address: SocketAddr, many: usize, said: &[u8]) -> Vec<TcpStream> {
    let mut crowd = Vec::with_capacity(many);
    for _ in 0..many {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(said).await.unwrap();
        crowd.push(stream);
    }
    crowd
}

/// Waits until each of them was hung up on.
async fn all_hung_up_on(crowd: Vec<TcpStream>) {
    let mut rest = [0; 64];
    for mut stream in crowd {
        while matches!(stream.read(&mut rest).await, Ok(read) if read > 0) {}
    }
}

async fn withstood(what: &str, keyward: &Keyward, said: &[u8], mut checks: Checks, secret: &str) {
    let request = || check::request("GET", "plain.test", "/", &[("x-api-key", secret)]);
    assert!(check::admits(checks.check(request()).await.unwrap().get_ref()));
    let before = resident(keyward);
    let many = share(1_000, 4_000);
    let slow = crowd(keyward.envoy, many, said).await;
    assert!(check::admits(checks.check(request()).await.unwrap().get_ref()), "others are served");
    let grown = resident(keyward).saturating_sub(before);
    let hung_up = all_hung_up_on(slow);
    tokio::pin!(hung_up);
    loop {
        tokio::select! {
            () = &mut hung_up => break,
            answer = checks.check(request()) => assert!(check::admits(answer.unwrap().get_ref())),
        }
    }
    figure("T17", &format!("{what}: clients, growth"), &format!("{many}, {} MiB", grown >> 20));
    assert!(grown < BOUND, "it grew by {} MiB", grown >> 20);
    assert!(check::admits(checks.check(request()).await.unwrap().get_ref()));
    let counted = keyward.metric(r#"keyward_refused_connections_total{port="envoy",why="slow"}"#);
    assert!(counted >= u64::try_from(many).unwrap(), "{counted} of {many} were counted");
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_clients_are_hung_up_on() {
    let (keyward, secret) = server(&Store::Embedded, |config| config);
    let checks = check::connect(keyward.envoy).await;
    withstood("silent", &keyward, b"", checks, &secret).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_say_half_of_the_first_words_are_hung_up_on() {
    let (keyward, secret) = server(&Store::Embedded, |config| config);
    let checks = check::connect(keyward.envoy).await;
    withstood("half a preface", &keyward, &PREFACE[..12], checks, &secret).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_leave_tls_half_open_are_hung_up_on() {
    let authority = Authority::new();
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = authority.issue("keyward.test");
    std::fs::write(folder.path().join("tls.crt"), certificate).unwrap();
    std::fs::write(folder.path().join("tls.key"), key).unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let tls = format!(r#"envoy: {{address: "127.0.0.1:0", tls: {{certificate: {}, key: {}}}}}"#, at("tls.crt"), at("tls.key"));
    let (keyward, secret) = server(&Store::Embedded, |config| config.replacen(r#"envoy: {address: "127.0.0.1:0"}"#, &tls, 1));
    let checks = || async {
        let tls = ClientTlsConfig::new().domain_name("keyward.test").ca_certificate(Certificate::from_pem(authority.certificate()));
        let channel = Channel::from_shared(format!("https://{}", keyward.envoy)).unwrap().tls_config(tls).unwrap();
        Checks::new(channel.connect().await.unwrap())
    };
    let hello = client_hello();
    withstood("half a ClientHello", &keyward, &hello[..hello.len() / 2], checks().await, &secret).await;
    withstood("TLS without an answer", &keyward, &hello, checks().await, &secret).await;
}

/// The first thing that a client of TLS says.
fn client_hello() -> Vec<u8> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(RootCertStore::empty()).with_no_client_auth();
    let mut client = ClientConnection::new(Arc::new(config), ServerName::try_from("keyward.test").unwrap()).unwrap();
    let mut hello = Vec::new();
    client.write_tls(&mut hello).unwrap();
    hello
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_that_bound_waits_for_them_for_as_long_as_they_like() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (_reporter, health) = tonic_health::server::health_reporter();
    let serving = tokio::spawn(Server::builder().add_service(health).serve_with_incoming(TcpListenerStream::new(listener)));
    let mut theirs = TcpStream::connect(address).await.unwrap();
    let (keyward, _) = server(&Store::Embedded, |config| config);
    all_hung_up_on(crowd(keyward.envoy, 1, b"").await).await;
    // the server's own first words, and nothing after them
    let mut rest = [0; 64];
    while let Ok(read) = tokio::time::timeout(Duration::from_millis(500), theirs.read(&mut rest)).await {
        assert!(read.unwrap() > 0, "it has hung up");
    }
    serving.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_speaks_another_language_is_hung_up_on_at_once_and_counted() {
    let (keyward, _) = server(&Store::Embedded, |config| config);
    all_hung_up_on(crowd(keyward.envoy, 3, b"GET /livez HTTP/1.1\r\nhost: keyward\r\n\r\n").await).await;
    // counted when it is hung up on, which whoever is may see first
    let counted = || keyward.metric(r#"keyward_refused_connections_total{port="envoy",why="foreign"}"#);
    until("all three are counted", || counted() >= 3).await;
    assert_eq!(counted(), 3);
}
