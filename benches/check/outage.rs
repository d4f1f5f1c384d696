//! How long a decision takes while Redis is stopped, and until checks pass again.

use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use crate::keys::{self, secret};
use crate::load::request;
use crate::report::say;
use crate::support::check;
use crate::support::keyward::{Keyward, Store};
use crate::support::redis::RedisServer;

const DECISIONS: usize = 500;

/// Prints three rows: Redis there, Redis killed, Redis back.
pub(crate) fn measure(runtime: &Runtime) {
    let realms = keys::realm();
    let mut redis = RedisServer::durable();
    let keyward = Keyward::start(realms.path(), &Store::Redis(&redis.url()));
    keys::first(&keyward);
    let secret = secret(0);
    say!("\n{:<48} {:>10} {:>10} {:>10}   answers", "a decision, one at a time, ms", "p50", "p99", "longest");
    row(runtime, "Redis there", &keyward, &secret);
    redis.kill();
    row(runtime, "Redis killed", &keyward, &secret);
    redis.restart();
    let back = Instant::now();
    runtime.block_on(async {
        let mut checks = check::connect(keyward.envoy).await;
        while !check::admits(checks.check(request(&secret)).await.unwrap().get_ref()) {
            assert!(back.elapsed() < Duration::from_secs(30), "keyward did not recover");
        }
    });
    say!("{:<48} {:>10.1}", "Redis back: until a check passes, ms", back.elapsed().as_secs_f64() * 1000.0);
}

fn row(runtime: &Runtime, name: &str, keyward: &Keyward, secret: &str) {
    let (mut took, mut admitted, mut refused) = (Vec::new(), 0, 0);
    runtime.block_on(async {
        let mut checks = check::connect(keyward.envoy).await;
        for _ in 0..DECISIONS {
            let start = Instant::now();
            let response = checks.check(request(secret)).await.unwrap().into_inner();
            took.push(start.elapsed());
            admitted += usize::from(check::admits(&response));
            refused += usize::from(check::denied_status(&response) == Some(503));
        }
    });
    took.sort_unstable();
    let at = |share: usize| took[(took.len() - 1) * share / 100].as_secs_f64() * 1000.0;
    say!("{name:<48} {:>10.2} {:>10.2} {:>10.2}   {admitted} admitted, {refused} in-band 503", at(50), at(99), at(100));
}
