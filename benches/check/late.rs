//! A hot key while each reply of Redis is late by a millisecond, beside the same without.

use tokio::runtime::{Builder, Runtime};

use crate::keys::{self, secret};
use crate::load::Load;
use crate::report::say;
use crate::steady::{Keys, Steady, compare};
use crate::support::keyward::{Keyward, Store};
use crate::support::proxy::Proxy;
use crate::support::redis::RedisServer;

const RATE: usize = 2000;

/// Prints a row for each.
pub(crate) fn measure(runtime: &Runtime) {
    let (redis, realms) = (RedisServer::start(), keys::realm());
    runtime.block_on(async { keys::fill(&*redis.store(), 0..1).await });
    // which goes on while nothing is asked
    let proxies = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let servers = [0, 1].map(|delay| {
        let proxy = proxies.block_on(Proxy::delaying(redis.socket(), vec![delay..=delay]));
        let keyward = Keyward::without_token(realms.path(), &Store::Redis(&proxy.url()), |config| config);
        (delay, proxy, keyward)
    });
    let steady = servers.iter().map(|(delay, _, keyward)| {
        let load = runtime.block_on(Load::new(keyward.envoy, &secret(0), 2));
        Steady::new(format!("keyward, Redis, replies later by {delay} ms"), keyward.pid(), load, Keys::One(0))
    });
    compare(runtime, "P7: one hot key, two limits", RATE, steady.collect(), secret);
    say!("wanted: p99 with 1 ms ÷ without ≤ 1.05");
}
