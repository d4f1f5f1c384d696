//! T9, T10: Redis is killed and comes back, or does not. What replicas remember is served on for a lease, and then nobody is.

use std::time::{Duration, Instant};

use super::healthy::rate;
use super::standing;
use super::world::{World, figure, is_full, refuses_all, secret, serves, warm};
use crate::support::check;
use crate::support::load::{Load, Stamp};
use crate::support::member::{Launch, Plan};
use crate::support::proxy::{Proxy, Server};
use crate::support::redis::RedisServer;
use crate::support::until;

const ALL: [usize; 3] = [0, 1, 2];
/// For how long Redis is killed at least.
const AWAY: Duration = Duration::from_millis(1500);
/// Keys that every replica knows.
const KNOWN: usize = 50;
/// Keys that none knows.
const UNKNOWN: usize = 2_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_key_that_a_replica_remembers_is_admitted_while_redis_is_killed_and_started_again() {
    // a build for tests on a busy machine may take seconds for what must fit into a lease
    let lease = Duration::from_secs(if is_full() { 5 } else { 15 });
    let mut outage = Outage::start(lease, Launch::Binary).await;
    let before = outage.load.seen.total();
    let killed = Instant::now();
    outage.redis.kill();
    let mut unknown = Unknown::ask_for(&outage.world, KNOWN + 1..=KNOWN + UNKNOWN).await;
    while unknown.unavailable < 20 || killed.elapsed() < AWAY {
        unknown.next().await;
    }
    outage.redis.restart();
    let away = killed.elapsed();
    while unknown.admitted < 20 {
        unknown.next().await;
    }
    for replica in ALL {
        serves(&outage.load, replica).await;
    }
    let came = outage.load.seen.total().since(before);
    let Unknown { unavailable, admitted, .. } = unknown;
    figure("T9", "Redis killed and back: away", &format!("{:.1} s", away.as_secs_f64()));
    figure(
        "T9",
        "checks of known keys: admitted, refused, gRPC errors",
        &format!("{}, {}, {}", came.admitted, came.unavailable + came.refused, came.errors),
    );
    figure("T9", "checks of other keys: in-band 503, admitted, anything else", &format!("{unavailable}, {admitted}, 0"));
    assert_eq!((came.unavailable, came.refused, came.errors), (0, 0, 0), "{:?}", outage.load.seen.first_error(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_redis_is_gone_for_good_nobody_is_admitted_after_the_lease() {
    let lease = Duration::from_secs(if is_full() { 5 } else { 1 });
    let mut outage = Outage::start(lease, Launch::Binary).await;
    outage.redis.kill();
    let killed = outage.load.seen.now();
    for replica in ALL {
        refuses_all(&outage.load, replica).await;
    }
    let connected = outage.proxy.accepted();
    let gone = if is_full() { Duration::from_mins(1) } else { Duration::from_secs(2) };
    tokio::time::sleep(gone).await;
    let connected = f64::from(u32::try_from(outage.proxy.accepted() - connected).unwrap()) / gone.as_secs_f64();
    for replica in ALL {
        refuses_all(&outage.load, replica).await;
    }
    let last = outage.last_admitted();
    let later = Duration::from_nanos(last.0.saturating_sub(killed.0));
    let total = outage.load.seen.total();
    figure(
        "T10",
        &format!("Redis gone for good, lease {} s: the last admit, after it was killed", lease.as_secs()),
        &format!("{:.0} ms", later.as_secs_f64() * 1000.0),
    );
    figure(
        "T10",
        "in-band 503, gRPC errors, connections tried a second by one replica",
        &format!("{}, {}, {connected:.1}", total.unavailable, total.errors),
    );
    assert!(later < lease, "a lease that was granted before Redis was killed has ended a lease later");
    assert_eq!((total.errors, total.refused), (0, 0));
    outage.redis.restart();
    for replica in ALL {
        serves(&outage.load, replica).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_whose_boot_clock_stands_still_goes_on_admitting_without_redis() {
    let lease = Duration::from_secs(1);
    let mut control = Outage::start(lease, standing::LAUNCH).await;
    control.redis.kill();
    let over = Stamp(control.load.seen.now().0 + u64::try_from((lease * 2).as_nanos()).unwrap());
    until("the control admits after the lease", || control.last_admitted() > over).await;
}

struct Outage {
    redis: RedisServer,
    proxy: Proxy,
    world: World,
    load: Load,
}

impl Outage {
    /// Everyone is of this launch, and the last is behind a proxy that counts connections.
    async fn start(lease: Duration, launch: Launch) -> Self {
        let redis = RedisServer::durable();
        let proxy = Proxy::before(Server::Unix(redis.socket())).await;
        let prepared = World::prepare(&*redis.store(), KNOWN + UNKNOWN).await;
        let plans = |realms: &std::path::Path| {
            let direct = Plan { launch, ..Plan::new(realms, &redis.url(), lease) };
            vec![direct.clone(), direct.clone(), direct.at(&proxy.url())]
        };
        let world = World::start(prepared, plans).await;
        let load = world.load(rate());
        warm(&load, &ALL, 0..KNOWN + 1).await;
        Self { redis, proxy, world, load }
    }

    fn last_admitted(&self) -> Stamp {
        (0..=KNOWN).map(|key| self.load.seen.last_admitted(key)).max().unwrap()
    }
}

/// Checks of keys that a replica has not seen, one at a time.
struct Unknown {
    checks: check::Checks,
    keys: std::iter::Cycle<std::ops::RangeInclusive<usize>>,
    unavailable: usize,
    admitted: usize,
}

impl Unknown {
    async fn ask_for(world: &World, keys: std::ops::RangeInclusive<usize>) -> Self {
        let checks = check::connect(world.replicas[0].envoy).await;
        Self { checks, keys: keys.cycle(), unavailable: 0, admitted: 0 }
    }

    async fn next(&mut self) {
        let key = self.keys.next().unwrap();
        let request = check::request("GET", "rev.test", "/", &[("x-api-key", &secret(key))]);
        let response = self.checks.check(request).await.expect("no gRPC error").into_inner();
        if check::admits(&response) {
            self.admitted += 1;
        } else {
            assert_eq!(check::denied_status(&response), Some(503), "a key that cannot be looked up is neither unknown nor anything else");
            self.unavailable += 1;
        }
    }
}
