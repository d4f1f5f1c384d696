//! Clients that go away early are many behind one Envoy, and each is a reset on the connection that all of them share.

use std::net::SocketAddr;

use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;

use super::raw::{DATA, GOAWAY, Raw};
use crate::overload::server;
use crate::support::keyward::Store;

const RESETS: u32 = 1000;

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_clients_that_go_away_at_once_do_not_cut_off_the_others_on_their_connection() {
    let (keyward, _) = server(&Store::Embedded, |config| config);
    assert_eq!(after_resets(keyward.envoy).await, Some(DATA), "the check after them is answered");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_bound_that_tonic_has_by_itself_the_connection_is_ended_for_all() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (_reporter, health) = tonic_health::server::health_reporter();
    let serving = tokio::spawn(Server::builder().add_service(health).serve_with_incoming(TcpListenerStream::new(listener)));
    assert_eq!(after_resets(address).await, Some(GOAWAY));
    serving.abort();
}

/// What comes first for a call behind all of these, all sent as one: its data, or the end of the connection.
async fn after_resets(address: SocketAddr) -> Option<u8> {
    let mut raw = Raw::connect(address).await.unwrap();
    let burst: Vec<u8> = (0..RESETS).flat_map(|nth| Raw::reset(2 * nth + 1)).collect();
    let last = 2 * RESETS + 1;
    raw.send(&[burst, Raw::check(last)].concat()).await.unwrap();
    let end = raw.wait_for(|frame| frame.kind == GOAWAY || (frame.kind == DATA && frame.stream == last)).await;
    end.map(|frame| frame.kind)
}
