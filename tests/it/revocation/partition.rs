//! T2: one of three replicas is cut off from Redis and goes on serving. What it does not hear of ends with its lease.

use std::time::Duration;

use futures_util::future::join_all;

use super::healthy::rate;
use super::standing;
use super::world::{self, Revoked, World, figure, longest, refuses_all, revoke, serves, share, warm};
use crate::support::load::Load;
use crate::support::member::{Launch, Plan};
use crate::support::proxy::{Fault, Flapping, Proxy, Server, Way};
use crate::support::redis::RedisServer;

const LEASE: Duration = Duration::from_secs(1);
const ALL: [usize; 3] = [0, 1, 2];
/// The replica that is cut off.
const CUT: usize = 2;
/// Keys that are revoked at once in one trial.
const AT_ONCE: usize = 5;

/// How it is cut off.
#[derive(Debug, Clone, Copy)]
enum Cable {
    /// Bytes of connections that stay silent for ever.
    Lost(Way),
    /// Bytes come once it is over.
    Held(Way),
    /// Now it works, now it does not.
    Flaps(Fault),
}

const CABLES: [Cable; 6] = [
    Cable::Lost(Way::Both),
    Cable::Lost(Way::Requests),
    Cable::Lost(Way::Replies),
    Cable::Held(Way::Both),
    Cable::Flaps(Fault::Lost(Way::Both)),
    Cable::Flaps(Fault::Held(Way::Replies)),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_admitted_after_the_return_by_a_replica_that_is_cut_off_and_still_serves() {
    let trials = share(CABLES.len(), 240);
    let cut = Campaign::start(trials, Launch::Binary).await;
    let mut all = Vec::new();
    for trial in 0..trials {
        all.extend(cut.trial(trial, CABLES[trial % CABLES.len()]).await);
    }
    let broken = all.iter().filter(|revoked| revoked.broken(&cut.load)).count();
    let expired = all.iter().filter(|revoked| revoked.guarantee().holders_expired > 0).count();
    let mut took: Vec<Duration> = all.iter().map(|revoked| revoked.took).collect();
    figure(
        "T2",
        "1 of 3 replicas cut from Redis: trials, revocations, admits after the return",
        &format!("{trials}, {}, {broken}", all.len()),
    );
    figure("T2", "revocations that waited for the end of a lease", &expired.to_string());
    let bound = longest(LEASE).as_secs_f64() * 1000.0;
    figure(
        "T2",
        "RevokeKey with a lease of 1 s",
        &format!("p50 {}, longest {}, at most {bound:.0} ms", world::at(50, &mut took), world::at(100, &mut took)),
    );
    assert_eq!(broken, 0);
    assert!(expired > 0, "nobody was cut off: the campaign shows nothing");
    for replica in ALL {
        assert_eq!(cut.load.seen.tally(replica).errors, 0, "{:?}", cut.load.seen.first_error(replica));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_whose_boot_clock_stands_still_admits_after_the_return_when_it_is_cut_off() {
    let control = Campaign::start(1, standing::LAUNCH).await;
    let all = control.revoked_while(0, || control.proxy.set(Fault::Lost(Way::Both))).await;
    until_admitted(&control.load, &all).await;
}

/// The control has done its work when somebody was admitted after the return.
async fn until_admitted(load: &Load, all: &[Revoked]) {
    crate::support::until("the control admits after the return", || all.iter().any(|revoked| revoked.broken(load))).await;
}

struct Campaign {
    proxy: Proxy,
    world: World,
    load: Load,
    _redis: RedisServer,
}

impl Campaign {
    /// The third replica is of this launch, and behind a proxy.
    async fn start(trials: usize, launch: Launch) -> Self {
        let redis = RedisServer::durable();
        let proxy = Proxy::before(Server::Unix(redis.socket())).await;
        let prepared = World::prepare(&*redis.store(), trials * AT_ONCE).await;
        let plans = |realms: &std::path::Path| {
            let direct = Plan::new(realms, &redis.url(), LEASE);
            vec![direct.clone(), direct.clone(), Plan { launch, ..direct }.at(&proxy.url())]
        };
        let world = World::start(prepared, plans).await;
        let load = world.load(rate());
        Self { proxy, world, load, _redis: redis }
    }

    async fn trial(&self, trial: usize, cable: Cable) -> Vec<Revoked> {
        let mut flapping: Option<Flapping> = None;
        let all = self
            .revoked_while(trial, || match cable {
                Cable::Lost(way) => self.proxy.set(Fault::Lost(way)),
                Cable::Held(way) => self.proxy.set(Fault::Held(way)),
                Cable::Flaps(fault) => flapping = Some(self.proxy.flap(fault, 50..=400)),
            })
            .await;
        join_all(all.iter().map(|revoked| revoked.refused(&self.load, &ALL))).await;
        if flapping.is_none() {
            refuses_all(&self.load, CUT).await;
        }
        drop(flapping);
        self.proxy.set(Fault::None);
        serves(&self.load, CUT).await;
        all
    }

    /// Has everyone know the keys, breaks something, and revokes them.
    async fn revoked_while(&self, trial: usize, broken: impl FnOnce()) -> Vec<Revoked> {
        let first = 1 + trial * AT_ONCE;
        let keys = first..first + AT_ONCE;
        warm(&self.load, &ALL, keys.clone()).await;
        broken();
        join_all(keys.map(|key| revoke(&self.load, &self.world.operator, key))).await
    }
}
