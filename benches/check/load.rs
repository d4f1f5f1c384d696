//! A closed loop of checks, and checks at a steady rate.

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use envoy_types::pb::envoy::service::auth::v3::CheckRequest;

use tokio::task::JoinSet;

use crate::support::check::{self, Checks};

/// Connections to one server, and what is asked over them.
pub(crate) struct Load {
    connections: Vec<Checks>,
    request: CheckRequest,
}

/// What became of one check.
pub(crate) struct Answer {
    pub(crate) took: Duration,
    pub(crate) admitted: bool,
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
        let hot = self.request.clone();
        self.ask(0..checks, in_flight, move |_| hot.clone()).await
    }

    /// Asks once for each of these keys, `in_flight` at once; how many were admitted.
    pub(crate) async fn run_once_each(&self, keys: Range<usize>, in_flight: usize, secret: fn(usize) -> String) -> usize {
        self.ask(keys, in_flight, move |key| request(&secret(key))).await
    }

    async fn ask(&self, nths: Range<usize>, in_flight: usize, request: impl Fn(usize) -> CheckRequest + Clone + Send + 'static) -> usize {
        let (next, end) = (Arc::new(AtomicUsize::new(nths.start)), nths.end);
        let mut askers = Vec::new();
        for asker in 0..in_flight {
            let (mut connection, request, next) = (self.connections[asker % self.connections.len()].clone(), request.clone(), next.clone());
            askers.push(tokio::spawn(async move {
                let mut admitted = 0;
                loop {
                    let nth = next.fetch_add(1, Ordering::Relaxed);
                    if nth >= end {
                        return admitted;
                    }
                    admitted += usize::from(check::admits(connection.check(request(nth)).await.unwrap().get_ref()));
                }
            }));
        }
        let mut admitted = 0;
        for asker in askers {
            admitted += asker.await.unwrap();
        }
        admitted
    }

    /// Asks so many times a second for so long, whenever answers come; how often it asked.
    pub(crate) async fn offer(&self, rate: usize, length: Duration) -> usize {
        let hot = self.request.clone();
        self.offer_each(rate, length, move |_| hot.clone()).await.len()
    }

    /// The same, each with a request of its own; what was answered, in no order.
    pub(crate) async fn offer_each(&self, rate: usize, length: Duration, request: impl Fn(usize) -> CheckRequest) -> Vec<Answer> {
        offer(rate, length, |nth| {
            let (mut connection, request) = (self.connections[nth % self.connections.len()].clone(), request(nth));
            async move {
                let asked = Instant::now();
                let answer = connection.check(request).await.unwrap();
                Answer { took: asked.elapsed(), admitted: check::admits(answer.get_ref()) }
            }
        })
        .await
    }

    /// Asks once with another secret; whether that was admitted.
    pub(crate) async fn once(&self, secret: &str) -> bool {
        check::admits(self.connections[0].clone().check(request(secret)).await.unwrap().get_ref())
    }
}

/// Begins so many a second for so long, and waits until all have ended.
pub(crate) async fn offer<T, F>(rate: usize, length: Duration, ask: impl Fn(usize) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let (begun, mut asking, mut asked, mut answers) = (Instant::now(), JoinSet::new(), 0, Vec::new());
    while begun.elapsed() < length {
        let due = usize::try_from(begun.elapsed().as_micros()).unwrap() * rate / 1_000_000;
        for nth in asked..due {
            asking.spawn(ask(nth));
        }
        asked = asked.max(due);
        while let Some(answer) = asking.try_join_next() {
            answers.push(answer.unwrap());
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    answers.extend(asking.join_all().await);
    answers
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
