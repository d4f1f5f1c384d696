//! T3: one of three replicas stands still, is killed, or is restarted, around a revocation.

use std::time::Duration;

use futures_util::future::join_all;

use super::healthy::rate;
use super::standing;
use super::world::{Revoked, World, figure, revoke, secret, serves, share, warm};
use crate::support::load::Load;
use crate::support::member::{Launch, Plan};
use crate::support::proxy::Proxy;
use crate::support::redis::RedisServer;
use crate::support::{check, until};

const LEASE: Duration = Duration::from_secs(1);
const ALL: [usize; 3] = [0, 1, 2];
/// The replica that it happens to.
const POOR: usize = 2;
/// Keys that are revoked at once in one trial.
const AT_ONCE: usize = 5;
/// Checks for each of them that lie before a replica that stands still when it goes on.
const LYING: usize = 16;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_admitted_after_the_return_by_a_replica_that_stood_still() {
    let trials = share(2, 200);
    let mut paused = Campaign::start(trials, Launch::Binary).await;
    let mut admitted = 0;
    for trial in 0..trials {
        admitted += paused.stands_still(trial).await;
    }
    figure(
        "T3",
        "SIGSTOP, revoked, SIGCONT: trials, keys, admits after the return",
        &format!("{trials}, {}, {admitted}", trials * AT_ONCE),
    );
    assert_eq!(admitted, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_whose_boot_clock_stands_still_admits_after_the_return_when_it_goes_on() {
    let mut control = Campaign::start(5, standing::LAUNCH).await;
    let mut admitted = Vec::new();
    while admitted.len() < 5 && admitted.iter().all(|count| *count == 0) {
        admitted.push(control.stands_still(admitted.len()).await);
    }
    assert!(admitted.iter().any(|count| *count > 0), "the control admitted nobody: the campaign above could not fail");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_admitted_after_the_return_by_a_replica_that_was_killed_and_started_again() {
    let trials = share(3, 200);
    let mut killed = Campaign::start(trials, Launch::Binary).await;
    let mut all = Vec::new();
    for trial in 0..trials {
        all.extend(killed.ends(trial, Replace::Killed).await);
    }
    killed.report("kill -9 and start, around revocations", trials, &all);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_admitted_after_the_return_by_a_replica_that_was_restarted() {
    let trials = share(3, 200);
    let mut restarted = Campaign::start(trials, Launch::Binary).await;
    let mut all = Vec::new();
    for trial in 0..trials {
        all.extend(restarted.ends(trial, Replace::Restarted).await);
    }
    restarted.report("SIGTERM and start, around revocations", trials, &all);
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Replace {
    Killed,
    Restarted,
}

struct Campaign {
    _proxy: Proxy,
    world: World,
    load: Load,
    _redis: RedisServer,
}

impl Campaign {
    /// The third replica is of this launch, and what Redis tells it comes a little later than what it is asked.
    async fn start(trials: usize, launch: Launch) -> Self {
        let redis = RedisServer::durable();
        let proxy = Proxy::delaying(redis.socket(), vec![10..=20]).await;
        let prepared = World::prepare(&*redis.store(), trials * AT_ONCE).await;
        let plans = |realms: &std::path::Path| {
            let direct = Plan::new(realms, &redis.url(), LEASE);
            vec![direct.clone(), direct.clone(), Plan { launch, ..direct }.at(&proxy.url())]
        };
        let world = World::start(prepared, plans).await;
        let load = world.load(rate());
        Self { _proxy: proxy, world, load, _redis: redis }
    }

    /// How many were admitted after the return, of checks that lay before the replica when it went on or came later.
    async fn stands_still(&mut self, trial: usize) -> usize {
        let keys = keys(trial);
        warm(&self.load, &ALL, keys.clone()).await;
        let poor = &self.world.replicas[POOR];
        poor.pause();
        let all = join_all(keys.map(|key| revoke(&self.load, &self.world.operator, key))).await;
        let lying = all.iter().flat_map(|revoked| (0..LYING).map(|_| tokio::spawn(is_admitted(poor.envoy, revoked.key))));
        let lying: Vec<_> = lying.collect();
        poor.resume();
        let mut admitted = 0;
        for check in lying {
            admitted += usize::from(check.await.unwrap());
        }
        join_all(all.iter().map(|revoked| revoked.refused_or_admitted(&self.load, POOR))).await;
        admitted + all.iter().filter(|revoked| revoked.broken(&self.load)).count()
    }

    /// The replica ends while keys are revoked, and is started again meanwhile or afterwards.
    async fn ends(&mut self, trial: usize, replace: Replace) -> Vec<Revoked> {
        let keys = keys(trial);
        warm(&self.load, &ALL, keys.clone()).await;
        let load = &self.load;
        let poor = &mut self.world.replicas[POOR];
        let operator = &self.world.operator;
        let revocations = join_all(keys.map(|key| async move {
            // some before, some while, some after
            tokio::time::sleep(Duration::from_millis(u64::from(getrandom::u32().unwrap() % 60))).await;
            revoke(load, operator, key).await
        }));
        let replaced = tokio::task::block_in_place(|| {
            std::thread::scope(|scope| {
                let replacing = scope.spawn(|| {
                    if replace == Replace::Killed {
                        poor.kill();
                    } else {
                        assert_eq!(poor.stop(), Some(0));
                    }
                    poor.again();
                    poor.wait_until_ready();
                    poor.envoy
                });
                let all = tokio::runtime::Handle::current().block_on(revocations);
                (all, replacing.join().unwrap())
            })
        });
        let (all, envoy) = replaced;
        load.join(POOR, envoy);
        join_all(all.iter().map(|revoked| revoked.refused(load, &ALL))).await;
        serves(load, POOR).await;
        all
    }

    fn report(&self, what: &str, trials: usize, all: &[Revoked]) {
        let broken = all.iter().filter(|revoked| revoked.broken(&self.load)).count();
        figure("T3", &format!("{what}: trials, keys, admits after the return"), &format!("{trials}, {}, {broken}", all.len()));
        assert_eq!(broken, 0);
    }
}

/// Of one trial.
fn keys(trial: usize) -> std::ops::Range<usize> {
    let first = 1 + trial * AT_ONCE;
    first..first + AT_ONCE
}

impl Revoked {
    /// Waits until a check that was sent to the replica after the return has ended, either way.
    async fn refused_or_admitted(&self, load: &Load, replica: usize) {
        let sent = || load.seen.refused(replica, self.key).max(load.seen.admitted(replica, self.key));
        until("a check after the return ends", || sent() > self.returned).await;
    }
}

/// A check over a connection of its own.
async fn is_admitted(replica: std::net::SocketAddr, key: usize) -> bool {
    let request = check::request("GET", "rev.test", "/", &[("x-api-key", &secret(key))]);
    check::admits(check::lazily(replica).check(request).await.unwrap().get_ref())
}
