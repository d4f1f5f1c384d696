//! A closed loop of checks.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use envoy_types::pb::envoy::service::auth::v3::CheckRequest;

use crate::support::check::{self, Checks};

/// Connections to one server, and what is asked over them.
pub(crate) struct Load {
    connections: Vec<Checks>,
    request: CheckRequest,
}

impl Load {
    pub(crate) async fn new(address: SocketAddr, secret: &str, connections: usize) -> Self {
        let mut opened = Vec::new();
        for _ in 0..connections {
            opened.push(check::connect(address).await);
        }
        Self { connections: opened, request: request(secret) }
    }

    /// Asks `checks` times, `in_flight` at once; how many were admitted.
    pub(crate) async fn run(&self, checks: usize, in_flight: usize) -> usize {
        let left = Arc::new(AtomicUsize::new(checks));
        let mut askers = Vec::new();
        for asker in 0..in_flight {
            let (mut connection, request, left) =
                (self.connections[asker % self.connections.len()].clone(), self.request.clone(), left.clone());
            askers.push(tokio::spawn(async move {
                let mut admitted = 0;
                while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
                    admitted += usize::from(check::admits(connection.check(request.clone()).await.unwrap().get_ref()));
                }
                admitted
            }));
        }
        let mut admitted = 0;
        for asker in askers {
            admitted += asker.await.unwrap();
        }
        admitted
    }
}

/// Of about the size that Envoy sends.
pub(crate) fn request(secret: &str) -> CheckRequest {
    let bearer = format!("Bearer {secret}");
    check::request(
        "GET",
        "bench.test",
        "/v1/bookings/42?expand=customer",
        &[
            (":authority", "bench.test"),
            (":method", "GET"),
            (":path", "/v1/bookings/42?expand=customer"),
            (":scheme", "https"),
            ("authorization", &bearer),
            ("user-agent", "bench/1.0"),
            ("accept", "*/*"),
            ("x-forwarded-for", "192.0.2.1"),
            ("x-forwarded-proto", "https"),
            ("x-request-id", "7b5f3a8e-0d3c-4a57-9f0e-2f2f6f0b6c11"),
        ],
    )
}
