//! What a `CheckRequest` costs to read, and its answer to write: CPU nanoseconds of this thread, of each way beside the others in the same
//! run. `cargo bench --bench decode` runs it. Times are this machine's; ratios are what to compare.

#![allow(unreachable_pub, reason = "rooms of a binary are open to one another")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    dead_code,
    reason = "a benchmark prints, and fails loudly"
)]

#[path = "../../tests/it/support/decoded.rs"]
mod decoded;
mod messages;
mod replies;

use std::hint::black_box;

use bytes::Bytes;
use envoy_types::pb::envoy::service::auth::v3 as full;
use keyward::domain::request::Request;
use keyward::grpc::check_request;
use keyward::proto::envoy::service::auth::v3 as condensed;
use prost::Message as _;
use rustix::time::{ClockId, clock_gettime};

/// As the binary has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const RUNS: usize = 11;
const ROUNDS: usize = 20_000;

fn main() {
    println!("CPU ns each, median of {RUNS} interleaved runs of {ROUNDS}\n");
    println!("{:<34} {:>6} {:>11} {:>16} {:>8} {:>12}", "CheckRequest", "bytes", "whole API", "condensed prost", "scan", "÷ condensed");
    for (name, message) in messages::all() {
        let message = Bytes::from(message.encode_to_vec());
        let [whole, condensed, scan] = medians([
            &|| drop(black_box(full::CheckRequest::decode(black_box(message.clone())))),
            &|| {
                let asked = condensed::CheckRequest::decode(black_box(message.clone())).unwrap();
                looked_at(&decoded::borrowed(&asked));
            },
            &|| {
                let asked = black_box(message.clone());
                looked_at(&check_request::read(&asked).unwrap());
            },
        ]);
        let bytes = message.len();
        println!("{name:<34} {bytes:>6} {whole:>11.0} {condensed:>16.0} {scan:>8.0} {:>12.2}", scan / condensed);
    }
    replies::measure();
}

/// As the gate would.
fn looked_at(request: &Request<'_>) {
    black_box((request.method, request.path, request.host, request.scheme, request.headers.0.last(), request.peer, request.context.last()));
}

/// Of several things to do, run by turns.
fn medians<const N: usize>(things: [&dyn Fn(); N]) -> [f64; N] {
    let mut times = [const { Vec::new() }; N];
    // The first run warms up.
    for run in 0..=RUNS {
        for (thing, times) in things.iter().zip(&mut times) {
            let begun = now();
            for _ in 0..ROUNDS {
                thing();
            }
            if run > 0 {
                times.push((now() - begun) / ROUNDS as f64);
            }
        }
    }
    times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    })
}

/// This thread's processor time, in nanoseconds.
fn now() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}
