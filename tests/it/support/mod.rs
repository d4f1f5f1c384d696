//! The parts that a test is played with: all of them real, private to the test, and stopped when it ends.
#![allow(dead_code, unused_imports, reason = "tests and benchmarks share the parts, and neither uses all")]

use std::thread::sleep;
use std::time::{Duration, Instant};

pub mod audit;
pub mod campaign;
pub mod certs;
pub mod cgroup;
pub mod check;
pub mod cluster;
pub mod collector;
pub mod decoded;
pub mod dice;
pub mod envoy;
pub mod followers;
pub mod hands;
pub mod http;
pub mod in_process;
pub mod keyward;
pub mod load;
pub mod log;
pub mod lossy_disk;
pub mod marks;
pub mod member;
pub mod namespaces;
pub mod operator;
pub mod peppers;
pub mod process;
pub mod proxy;
pub mod raw_codec;
pub mod redis;

pub mod seed;
pub mod sentinel;
pub mod shell;
pub mod upstream;
pub mod usage;
pub mod visitors;
pub mod watched;
pub mod windows;

/// Asks again and again until there is an answer; half a minute without one fails the test.
pub fn eventually<T>(what: &str, ask: impl FnMut() -> Option<T>) -> T {
    eventually_within(Duration::from_secs(30), what, ask)
}

/// The same, of what takes longer.
pub fn eventually_within<T>(patience: Duration, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "not within {patience:?}: {what}");
        sleep(Duration::from_millis(10));
    }
}

/// The same, without holding a thread.
pub async fn until(what: &str, mut is: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_mins(1);
    while !is() {
        assert!(Instant::now() < deadline, "not after a minute: {what}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
