//! T5, T11: a replicated Redis under Sentinel, whose primary is lost again and again. What was answered with OK at level `replicated` is on
//! every node that may follow it.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use keyward::domain::name::{KeyId, RealmId};
use keyward::proto::keyward::admin::v1::Level;
use keyward::store::Store as _;
use tokio::task::block_in_place;

use super::healthy::rate;
use super::world::{REALM, Revoked, World, figure, is_full, serves, share, warm};
use crate::support::load::{Load, Seen};
use crate::support::member::Plan;
use crate::support::operator::Operator;
use crate::support::proxy::{Fault, Proxy, Server, Way};
use crate::support::sentinel::{self, BETWEEN_FAILOVERS, NAME, Sentinels};
use crate::support::{eventually, seed, until};

/// Redis's nodes must notice sooner that they are alone: `min-replicas-max-lag`.
const LEASE: Duration = Duration::from_secs(3);
const LAG: &str = "2";
const BOTH: [usize; 2] = [0, 1];
/// Keys of one trial.
const KEYS: usize = 200;
/// Revocations on their way at one time.
const AT_ONCE: usize = 4;
/// Of what background writers write.
const LARGE: usize = 100_000;

/// How the primary is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loss {
    Killed,
    /// Killed while the others stand still, and so do not have what it was told last.
    KilledAlone,
    /// Cut off from everybody, and back when another is the primary.
    CutOff,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_revocation_that_was_answered_with_ok_is_lost_when_redis_fails_over() {
    let trials = share(2, 60);
    let mut redis = Redis::start(trials, Demand::Replicated, LEASE).await;
    let mut found = Found::default();
    for trial in 0..trials {
        let loss = [Loss::KilledAlone, Loss::CutOff, Loss::Killed][trial % 3];
        found.add(redis.trial(trial, loss).await);
    }
    found.report("T5", "level replicated: failovers, revocations with OK, lost or admitted", trials);
    figure("T5", "calls that failed, and said so", &found.failed.to_string());
    assert_eq!((found.lost, found.admitted), (0, 0));
    assert!(found.level == Some(Level::Replicated) && found.ok > trials);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_waiting_for_the_other_nodes_revocations_with_ok_are_lost() {
    let trials = share(1, 10);
    let (mut found, mut began) = (Found::default(), 0);
    // a busy machine may need more than one
    while began < trials || (found.lost == 0 && began < 5) {
        // what is lost ends the run: replicas see that the log went backwards, and admit nobody
        let mut redis = Redis::start(1, Demand::Volatile, LEASE).await;
        found.add(redis.trial(0, Loss::KilledAlone).await);
        began += 1;
    }
    found.report("T5", "control, without WAIT: failovers, revocations with OK, lost or admitted", began);
    assert!(found.level.is_some_and(|level| level != Level::Replicated));
    assert!(found.lost > 0, "the control lost nothing: the campaign above could not fail");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_key_that_a_replica_remembers_is_admitted_while_redis_fails_over() {
    let trials = share(1, 10);
    // a busy machine may take longer for a failover than a lease of the usual length
    let lease = Duration::from_secs(if is_full() { 5 } else { 15 });
    let mut redis = Redis::start(trials, Demand::Replicated, lease).await;
    let load = &redis.load;
    warm(load, &BOTH, 0..20).await;
    let before = load.seen.total();
    let mut took: Vec<Duration> = Vec::new();
    let mut last: Option<Instant> = None;
    for _ in 0..trials {
        let primary = block_in_place(|| redis.sentinels.primary());
        // sentinels that have just followed one primary take their time with the next, and longer than a lease
        until("sentinels would act at once", || last.is_none_or(|last| last.elapsed() > BETWEEN_FAILOVERS)).await;
        let begun = Instant::now();
        redis.sentinels.nodes[primary].server.kill();
        let next = block_in_place(|| redis.sentinels.primary());
        took.push(begun.elapsed());
        last = Some(begun);
        let proxy = &redis.proxies[primary];
        block_in_place(|| come_back(&mut redis.sentinels, proxy, (primary, Loss::Killed), next));
        for replica in BOTH {
            serves(&redis.load, replica).await;
        }
    }
    let came = redis.load.seen.total().since(before);
    took.sort_unstable();
    let (median, longest) = (took[took.len() / 2].as_secs_f64(), took[took.len() - 1].as_secs_f64());
    figure("T11", "Sentinel failovers: how many, median, longest", &format!("{trials}, {median:.1} s, {longest:.1} s"));
    let refused = came.unavailable + came.refused;
    figure("T11", "checks of known keys: admitted, refused, gRPC errors", &format!("{}, {refused}, {}", came.admitted, came.errors));
    assert_eq!((refused, came.errors), (0, 0), "{:?}", redis.load.seen.first_error(0));
}

/// A primary and two that follow it, each behind a proxy, and replicas of keyward that ask the sentinels.
struct Redis {
    demand: Demand,
    sentinels: Sentinels,
    proxies: Vec<Proxy>,
    world: World,
    load: Load,
}

/// Which keys are revoked.
struct Turn {
    next: AtomicUsize,
    keys: Range<usize>,
    ok: AtomicUsize,
    over: AtomicBool,
}

impl Turn {
    /// So many were answered with OK.
    fn ok(&self) -> usize {
        self.ok.load(Ordering::SeqCst)
    }

    /// So many calls have begun, or ended.
    fn made(&self) -> usize {
        self.next.load(Ordering::SeqCst) - self.keys.start
    }
}

/// What keyward demands of this Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Demand {
    Replicated,
    /// It does not wait for the other nodes.
    Volatile,
}

/// What became of revocations.
#[derive(Clone, Copy, Default)]
struct Found {
    ok: usize,
    failed: usize,
    lost: usize,
    admitted: usize,
    /// The lowest that was told with an OK.
    level: Option<Level>,
}

impl Redis {
    async fn start(trials: usize, demand: Demand, lease: Duration) -> Self {
        let mut proxies = Vec::new();
        let handle = tokio::runtime::Handle::current();
        let sentinels = block_in_place(|| {
            let front = |port| {
                let proxy = handle.block_on(Proxy::before(Server::Tcp(([127, 0, 0, 1], port).into())));
                proxies.push(proxy);
                proxies.last().unwrap().address.port()
            };
            let mut plan = sentinel::Plan { front: Box::new(front), ..sentinel::Plan::default() };
            plan.arguments.extend(["--min-replicas-max-lag", LAG].map(String::from));
            Sentinels::with(plan)
        });
        let prepared = World::prepare(&*sentinels.store(), trials * KEYS).await;
        let urls: Vec<String> = sentinels.urls().iter().map(|url| format!("{url:?}")).collect();
        let demands = match demand {
            Demand::Replicated => "level: replicated, replicas: 2,",
            Demand::Volatile => "level: volatile,",
        };
        let place = format!("sentinel: {{master: {NAME}, urls: [{}]}}", urls.join(", "));
        let plan = |realms: &std::path::Path| {
            let plan = Plan::new(realms, "", lease);
            let plan = Plan { place: place.clone(), store: demands.to_owned(), ..plan };
            vec![plan.clone(), plan]
        };
        let world = World::start(prepared, plan).await;
        let load = world.load(rate() / 2);
        Self { demand, sentinels, proxies, world, load }
    }

    /// Revokes keys all the time while the primary is lost, and looks at the next one for each that was answered with OK.
    async fn trial(&mut self, trial: usize, loss: Loss) -> Found {
        let keys = 1 + trial * KEYS..1 + (trial + 1) * KEYS;
        warm(&self.load, &BOTH, keys.clone()).await;
        let primary = block_in_place(|| self.sentinels.primary());
        let turn = Arc::new(Turn { next: keys.start.into(), keys: keys.clone(), ok: 0.into(), over: false.into() });
        let revoking: Vec<_> = (0..AT_ONCE)
            .map(|nth| {
                let operator = self.world.operator.at(self.world.replicas[nth % 2].admin);
                tokio::spawn(revoke_on(self.load.seen.clone(), operator, turn.clone()))
            })
            .collect();
        let proxy = &self.proxies[primary];
        let successor = lose(&mut self.sentinels, proxy, (primary, loss), &turn).await;
        if self.demand == Demand::Replicated {
            // a node that may come back keeps revocations from being guaranteed
            let before = turn.made();
            block_in_place(|| come_back(&mut self.sentinels, proxy, (primary, loss), successor));
            let enough = (before + 2 * AT_ONCE).min(keys.len());
            until("revocations go on", || turn.made() >= enough).await;
        }
        turn.over.store(true, Ordering::SeqCst);
        let mut answers = Vec::new();
        for all in revoking {
            answers.extend(all.await.unwrap());
        }
        self.found(answers).await
    }

    /// Looks at every key that was answered with OK where the primary is now.
    async fn found(&self, answers: Vec<Option<Revoked>>) -> Found {
        let store = self.sentinels.store();
        let realm = RealmId::parse(REALM).unwrap();
        let mut found = Found::default();
        for answer in answers {
            let Some(revoked) = answer else {
                found.failed += 1;
                continue;
            };
            let id = KeyId::parse(&seed::id(revoked.key)).unwrap();
            let record = loop {
                if let Ok(record) = store.key(&realm, &id).await {
                    break record;
                }
            };
            found.ok += 1;
            found.lost += usize::from(record.is_none_or(|record| record.revoked.is_none()));
            found.admitted += usize::from(revoked.broken(&self.load));
            found.level = found.level.map_or(Some(revoked.guarantee().level()), |level| Some(level.min(revoked.guarantee().level())));
        }
        found
    }
}

impl Found {
    fn add(&mut self, other: Self) {
        self.ok += other.ok;
        self.failed += other.failed;
        self.lost += other.lost;
        self.admitted += other.admitted;
        self.level = self.level.into_iter().chain(other.level).min();
    }

    fn report(&self, row: &str, what: &str, trials: usize) {
        figure(row, what, &format!("{trials}, {}, {}", self.ok, self.lost + self.admitted));
    }
}

/// Loses the primary once some revocations were made, and says who is it then.
async fn lose(sentinels: &mut Sentinels, proxy: &Proxy, (primary, loss): (usize, Loss), turn: &Turn) -> usize {
    let others: Vec<usize> = (0..sentinels.nodes.len()).filter(|node| *node != primary).collect();
    // the first wait for a lease to end, and then they come at once
    until("revocations are answered with OK", || turn.ok() > 3 * AT_ONCE).await;
    match loss {
        Loss::CutOff => proxy.set(Fault::Lost(Way::Both)),
        Loss::Killed => sentinels.nodes[primary].server.kill(),
        Loss::KilledAlone => {
            for other in &others {
                sentinels.nodes[*other].server.pause();
            }
            // more than fits into what the kernel holds for those who stand still
            block_in_place(|| fill(sentinels, primary));
            let (before, soon) = (turn.ok(), Instant::now() + Duration::from_secs(1));
            until("some are answered with OK, or will not be", || turn.ok() > before + 2 * AT_ONCE || Instant::now() > soon).await;
            // what it had not sent yet goes with it
            proxy.cut();
            sentinels.nodes[primary].server.kill();
            for other in &others {
                sentinels.nodes[*other].server.resume();
            }
        }
    }
    block_in_place(|| eventually("another primary", || Some(sentinels.primary()).filter(|now| *now != primary)))
}

/// Lets the node that was lost come back, to follow the one that is the primary now.
fn come_back(sentinels: &mut Sentinels, proxy: &Proxy, (lost, loss): (usize, Loss), primary: usize) {
    let port = sentinels.nodes[primary].port;
    if loss == Loss::CutOff {
        proxy.heal();
    } else {
        let server = &mut sentinels.nodes[lost].server;
        server.restart();
        server.ask::<()>(&format!("REPLICAOF 127.0.0.1 {port}"));
    }
    // on a busy machine the sentinels may have changed their minds once more
    eventually("two nodes follow the primary", || {
        let told: String = sentinels.nodes[sentinels.primary()].asks("INFO replication")?;
        (told.matches("state=online").count() == 2).then_some(())
    });
}

/// Revokes one key after the other until it is over. A call that fails is made again; `None` for each.
async fn revoke_on(seen: Arc<Seen>, operator: Operator, turn: Arc<Turn>) -> Vec<Option<Revoked>> {
    let mut all = Vec::new();
    while !turn.over.load(Ordering::SeqCst) {
        let key = turn.next.fetch_add(1, Ordering::SeqCst);
        if key >= turn.keys.end {
            break;
        }
        loop {
            let begun = Instant::now();
            let answer = operator.revoke(&seed::id(key)).await;
            let (returned, took, made) = (seen.now(), begun.elapsed(), answer.is_ok());
            turn.ok.fetch_add(usize::from(made), Ordering::SeqCst);
            all.push(answer.ok().map(|answer| Revoked { key, returned, took, answer }));
            tokio::time::sleep(Duration::from_millis(50)).await;
            if made || turn.over.load(Ordering::SeqCst) {
                break;
            }
        }
    }
    all
}

/// What background writers do: twenty megabytes.
fn fill(sentinels: &Sentinels, primary: usize) {
    let mut connection = sentinels.nodes[primary].server.connection();
    let value = vec![b'x'; LARGE];
    for number in 0..200 {
        let _: Result<(), _> = redis::cmd("SET").arg(format!("written:{number}")).arg(&value).query(&mut connection);
    }
}
