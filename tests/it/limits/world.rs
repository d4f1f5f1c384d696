//! Replicas, each a process, on one Redis whose replies are late; what goes wrong meanwhile; and what is found when it is over.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tempfile::TempDir;

use super::attack::{Pattern, attack};
use super::clients::{Clients, Manners, Upstream, any, millis};
use super::records::{Answer, Record};
use super::table::{self, Found, Owner, Plan, worst_windows};
use crate::support::member::{self, Launch, Replica};
use crate::support::proxy::Proxy;
use crate::support::redis::RedisServer;

/// As long as no reply may be lost for being late on a busy machine, and no longer: a token that a check waits for lasts as long.
const TIMEOUT: Duration = Duration::from_millis(200);
/// Long enough that a busy machine does not lose it: what is tried here is not revocation.
const LEASE: Duration = Duration::from_secs(5);
/// The same, where none is late: what is configured unless something else is.
const PROMPT: Duration = Duration::from_millis(50);
const REPLICAS: usize = 4;

/// Replicas on a Redis of their own, with the owners of some plans.
pub struct World {
    pub redis: RedisServer,
    pub owners: Vec<Owner>,
    replicas: Vec<Replica>,
    _proxies: Vec<Proxy>,
    _realms: TempDir,
}

/// How it is hammered.
pub struct Run<'a> {
    pub patterns: &'a [Pattern],
    pub length: Duration,
    pub manners: Manners,
    pub troubles: Troubles,
}

/// What goes wrong meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Troubles {
    None,
    /// Scripts are flushed each second, replicas are killed and started again, or stand still for a while, and upstreams fail.
    All,
}

/// What came of a run.
pub struct Outcome {
    pub worst: Vec<Found>,
    pub records: Vec<Record>,
    pub met: Met,
    /// What replicas complained of in their logs, and how often.
    pub complaints: BTreeMap<String, usize>,
}

/// How often something went wrong.
#[derive(Debug, Clone, Copy, Default)]
pub struct Met {
    pub kills: usize,
    pub pauses: usize,
    pub flushes: usize,
}

impl World {
    /// Each replica has a proxy of its own where there is more than one delay.
    pub async fn start(plans: &[Plan], launch: &Launch, delays: &[RangeInclusive<u64>]) -> Self {
        let (redis, owners, realms) = (RedisServer::start(), table::owners(plans), tempfile::tempdir().unwrap());
        std::fs::write(realms.path().join("limits.yaml"), table::realm_file(plans)).unwrap();
        table::seed(&*redis.store(), &owners).await;
        let mut proxies = Vec::new();
        for delay in delays {
            proxies.push(Proxy::delaying(redis.socket(), vec![delay.clone()]).await);
        }
        let timeout = if delays.is_empty() { PROMPT } else { TIMEOUT };
        let plan = |url: &str| {
            let plan = member::Plan::new(realms.path(), url, LEASE);
            member::Plan { launch: launch.clone(), timeout, ..plan }
        };
        let plans =
            (0..REPLICAS).map(|nth| proxies.get(nth % proxies.len().max(1)).map_or_else(|| plan(&redis.url()), |proxy| plan(&proxy.url())));
        let starting: Vec<_> = plans.map(|plan| tokio::task::spawn_blocking(|| Replica::start(plan).ready())).collect();
        let replicas = join_all(starting).await.into_iter().map(Result::unwrap).collect();
        Self { redis, owners, replicas, _proxies: proxies, _realms: realms }
    }

    /// Where Envoy would ask.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.replicas.iter().map(|replica| replica.envoy).collect()
    }

    /// Hammers, and looks at what came of it.
    pub async fn hammer(&mut self, run: &Run<'_>) -> Outcome {
        let troubled = run.troubles == Troubles::All;
        let upstream = if troubled { Upstream::FailsHalf(self.redis.store()) } else { Upstream::Works };
        let clients = Clients::new(&self.addresses(), run.manners, upstream);
        let until = Instant::now() + run.length;
        let replicas = std::mem::take(&mut self.replicas);
        let (broken, mut connection) = (clients.clone(), self.redis.connection());
        let breaking =
            tokio::task::spawn_blocking(move || if troubled { disturb(replicas, &broken, until) } else { (replicas, Met::default()) });
        let flushing = tokio::spawn(async move {
            let mut flushes = 0;
            while troubled && Instant::now() < until {
                redis::cmd("SCRIPT").arg("FLUSH").exec(&mut connection).unwrap();
                flushes += 1;
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            flushes
        });
        hammer(&clients, &self.owners, run.patterns, until).await;
        let (replicas, met) = breaking.await.unwrap();
        self.replicas = replicas;
        let met = Met { flushes: flushing.await.unwrap(), ..met };
        let records = clients.records();
        let complaints = self.replicas.iter().flat_map(|replica| complaints(&replica.said())).fold(BTreeMap::new(), |mut all, said| {
            *all.entry(said).or_insert(0) += 1;
            all
        });
        Outcome { worst: worst_windows(&self.owners, &records), records, met, complaints }
    }
}

/// Warnings and errors of a log, each without its time.
fn complaints(log: &str) -> Vec<String> {
    let is_one = |line: &&str| line.contains("WARN") || line.contains("ERROR");
    log.lines().filter(is_one).map(|line| line.split_once(' ').map_or(line, |(_, said)| said).trim().to_owned()).collect()
}

/// Attacks every owner until the run is over.
pub async fn hammer(clients: &Arc<Clients>, owners: &[Owner], patterns: &[Pattern], until: Instant) {
    let attacks =
        owners.iter().enumerate().map(|(nth, owner)| tokio::spawn(run(clients.clone(), owner.clone(), patterns.to_vec(), nth, until)));
    for attacked in join_all(attacks).await {
        attacked.unwrap();
    }
}

async fn run(clients: Arc<Clients>, owner: Owner, patterns: Vec<Pattern>, nth: usize, until: Instant) {
    attack(clients, owner, &patterns, nth, until).await;
}

/// Kills one replica after the other and starts it again, and has another stand still now and then.
fn disturb(mut replicas: Vec<Replica>, clients: &Clients, until: Instant) -> (Vec<Replica>, Met) {
    let mut met = Met::default();
    for poor in (0..replicas.len()).cycle() {
        std::thread::sleep(millis(1000..2000));
        if Instant::now() >= until {
            break;
        }
        let still = &replicas[any(0..replicas.len())];
        still.pause();
        std::thread::sleep(millis(20..400));
        still.resume();
        met.pauses += 1;
        replicas[poor].kill();
        replicas[poor].again();
        replicas[poor].wait_until_ready();
        clients.moved(poor, replicas[poor].envoy);
        met.kills += 1;
    }
    (replicas, met)
}

impl Outcome {
    /// How many checks ended so.
    pub fn count(&self, answer: Answer) -> usize {
        self.records.iter().filter(|record| record.answer == answer).count()
    }

    /// The largest count in a true window, of its limit.
    pub fn worst_ratio(&self) -> f64 {
        self.worst.iter().map(Found::ratio).fold(0.0, f64::max)
    }

    /// The worst of this plan.
    pub fn worst_of(&self, plan: &str) -> f64 {
        self.worst.iter().filter(|found| found.plan == plan).map(Found::ratio).fold(0.0, f64::max)
    }

    /// How all checks ended.
    pub fn tally(&self) -> String {
        let of = |answer| format!("{} {answer:?}", self.count(answer));
        let all = [Answer::Admitted, Answer::Refunded, Answer::Limited, Answer::Unavailable, Answer::Failed, Answer::Cancelled];
        all.map(of).join(", ").to_lowercase()
    }

    /// Prints what every limit came to.
    pub fn print(&self, what: &str) {
        println!("\n{what}: {}; {:?}", self.tally(), self.met);
        self.worst.iter().for_each(|found| println!("  {found}"));
        self.complaints.iter().for_each(|(said, times)| println!("  {times} times: {said}"));
    }
}
