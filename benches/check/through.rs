//! Through Envoy: requests per second and their times, with keyward and with an authorizer that always says OK, each behind an Envoy of its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

use crate::keys::{self, secret};
use crate::median;
use crate::report::say;
use crate::support::envoy::Envoy;
use crate::support::keyward::{Keyward, Store};
use crate::support::redis::RedisServer;
use crate::yardstick::Yardstick;

const RUNS: usize = 7;
const REQUESTS: usize = 20_000;
const CONNECTIONS: usize = 32;
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// Requests a second, and the time within which 99 of 100 were answered, of each run.
struct Row {
    name: &'static str,
    envoy: Envoy,
    runs: Vec<(f64, Duration)>,
}

/// Prints a row for each authorizer.
pub(crate) fn measure(runtime: &Runtime) {
    let (redis, realms) = (RedisServer::start(), keys::realm());
    let constant = Yardstick::ConstantOk.start();
    let keyward = Keyward::start(realms.path(), &Store::Redis(&redis.url()));
    keys::first(&keyward);
    let upstream = runtime.block_on(upstream());
    let row = |name, authorizer| Row { name, envoy: Envoy::start(authorizer, upstream), runs: Vec::new() };
    let mut rows = [row("constant OK, decodes the whole request", constant.address), row("keyward, Redis", keyward.envoy)];
    for _ in 0..=RUNS {
        for row in &mut rows {
            let run = runtime.block_on(requests(row.envoy.plain));
            row.runs.push(run);
        }
    }
    say!(
        "\nP6: {REQUESTS} requests a run through Envoy, {CONNECTIONS} connections, one request at a time on each; median of {RUNS} runs by turns"
    );
    say!("{:<40} {:>11} {:>8} {:>8} {:>8}", "", "requests/s", "÷ OK", "p99 ms", "÷ OK");
    let ratio = |of: &dyn Fn(usize) -> f64| median((1..=RUNS).map(of));
    for row in &rows {
        let rate = median(row.runs[1..].iter().map(|run| run.0));
        let p99 = median(row.runs[1..].iter().map(|run| run.1.as_secs_f64() * 1000.0));
        let (rates, times) = (
            ratio(&|run| row.runs[run].0 / rows[0].runs[run].0),
            ratio(&|run| row.runs[run].1.as_secs_f64() / rows[0].runs[run].1.as_secs_f64()),
        );
        say!("{:<40} {rate:>11.0} {rates:>8.2} {p99:>8.2} {times:>8.2}", row.name);
    }
}

/// What stands behind Envoy: it says ok to whatever comes.
async fn upstream() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            stream.set_nodelay(true).unwrap();
            tokio::spawn(async move {
                while told(&mut stream, b"").await {
                    if stream.write_all(ANSWER).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

/// Reads as far as the end of a head without a body, and what must follow it; whether it came.
async fn told(stream: &mut TcpStream, body: &[u8]) -> bool {
    let mut message = Vec::with_capacity(2048);
    loop {
        if stream.read_buf(&mut message).await.unwrap_or(0) == 0 {
            return false;
        }
        let head = message.windows(4).position(|four| four == b"\r\n\r\n");
        let Some(head) = head else { continue };
        if !body.is_empty() {
            let line = String::from_utf8_lossy(&message[..message.iter().position(|byte| *byte == b'\r').unwrap()]).into_owned();
            assert_eq!(line, "HTTP/1.1 200 OK", "Envoy does not let it pass");
        }
        if message[head + 4..].len() >= body.len() {
            return message.ends_with(body);
        }
    }
}

async fn requests(envoy: SocketAddr) -> (f64, Duration) {
    let (left, begun) = (Arc::new(AtomicUsize::new(REQUESTS)), Instant::now());
    let request = format!(
        "GET /v1/bookings/42 HTTP/1.1\r\nhost: bench.test\r\nauthorization: Bearer {}\r\nuser-agent: bench/1.0\r\naccept: */*\r\n\r\n",
        secret(0)
    );
    let asker = |_| {
        let (left, request) = (left.clone(), request.clone());
        tokio::spawn(async move {
            let (mut stream, mut times) = (TcpStream::connect(envoy).await.unwrap(), Vec::new());
            stream.set_nodelay(true).unwrap();
            while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
                let sent = Instant::now();
                stream.write_all(request.as_bytes()).await.unwrap();
                assert!(told(&mut stream, b"ok").await, "a request was not let pass");
                times.push(sent.elapsed());
            }
            times
        })
    };
    let mut times: Vec<Duration> = join_all((0..CONNECTIONS).map(asker)).await.into_iter().flat_map(Result::unwrap).collect();
    let took = begun.elapsed();
    times.sort_unstable();
    (REQUESTS as f64 / took.as_secs_f64(), times[times.len() * 99 / 100])
}
