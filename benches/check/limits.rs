//! What limits cost Redis, counted by Redis itself: calls of scripts and processor time a check, hot, exhausted and cold, beside a plain
//! client that counts with INCRBY and EXPIRE; and bytes a window. Beyond idle: replicas ask Redis for other things too, so the same
//! time without a check is subtracted.

use std::time::{Duration, Instant};

use keyward::domain::name::{OwnerId, RealmId, Word};
use keyward::domain::window::Spec;
use keyward::store::{Change, Charge, Generations, Store as _, Subject, SubjectName};
use tokio::runtime::Runtime;

use crate::load::Load;
use crate::median;
use crate::report::say;
use crate::support::keyward::{Keyward, Store};
use crate::support::redis::RedisServer;
use crate::support::seed;

const REALM: &str = "
realm: limits
hosts: [bench.test]
credentials: [{header: authorization, scheme: Bearer}]
keys: [{prefix: bench_, alphabet: base62, length: 40}]
routes: [{prefix: /}]
plans:
  hot: [{limit: a, per: key, most: 1000000, window: 10s}]
  exhausted: [{limit: a, per: key, most: 100, window: 10s}]
  cold:
    - {limit: a, per: key, most: 100, window: 10s}
    - {limit: b, per: key, most: 1000, window: 1h}
    - {limit: c, per: owner, most: 1000000, window: 1h}
";
const HOT: usize = 0;
const EXHAUSTED: usize = 1;
/// Keys that are asked for once begin here.
const COLD: usize = 10;
const COLD_KEYS: usize = 500;
const CONNECTIONS: usize = 2;
const RUNS: usize = 5;
const RUN: Duration = Duration::from_secs(3);
const WINDOWS: usize = 5000;

/// What Redis has counted so far. A find is an `EVALSHA_RO`, and not among the scripts that are counted here.
#[derive(Debug, Clone, Copy)]
struct Counted {
    scripts: f64,
    /// Microseconds.
    cpu: f64,
    bytes: f64,
}

/// What checks cost beyond idle, each.
struct Cost {
    scripts: f64,
    cpu: f64,
}

/// Prints a row for each.
pub(crate) fn measure(runtime: &Runtime) {
    say!("\n{:<74} {:>10} {:>10} {:>17}", "what limits cost Redis, beyond idle, a check", "EVALSHA", "CPU µs", "spread of CPU");
    for replicas in [1, 3] {
        let world = World::start(runtime, replicas);
        for rate in [1000, 3000] {
            let row = format!("hot, {rate}/s offered to {replicas}, {CONNECTIONS} connections each, W = 10 s");
            print(&row, "≤ 0.01, ≤ 0.25 µs", &world.costs(runtime, HOT, rate));
        }
        let row = format!("exhausted, 3000/s offered to {replicas}, {CONNECTIONS} connections each");
        print(&row, "≤ 0.002", &world.costs(runtime, EXHAUSTED, 3000));
        if replicas == 1 {
            print("cold: each of 500 keys once, 3 limits: takes (CPU: the find too)", "1", &[world.cold(runtime)]);
        }
    }
    print(&format!("INCRBY and EXPIRE a check, 3000/s, {CONNECTIONS} connections"), "", &plain(runtime, 3000));
    bytes(runtime);
}

fn print(row: &str, aim: &str, runs: &[Cost]) {
    let all = |of: fn(&Cost) -> f64| runs.iter().map(of).collect::<Vec<_>>();
    let (scripts, cpu) = (all(|cost| cost.scripts), all(|cost| cost.cpu));
    let (low, high) = (cpu.iter().copied().fold(f64::MAX, f64::min), cpu.iter().copied().fold(f64::MIN, f64::max));
    say!("{row:<74} {:>10.4} {:>10.2} {:>17}  {aim}", median(scripts), median(cpu), format!("{low:.2} to {high:.2}"));
}

/// Replicas on a Redis with keys of every plan.
struct World {
    redis: RedisServer,
    loads: Vec<[Load; 2]>,
    first: Load,
    _replicas: Vec<Keyward>,
    _realms: tempfile::TempDir,
}

impl World {
    fn start(runtime: &Runtime, replicas: usize) -> Self {
        let (redis, realms) = (RedisServer::start(), tempfile::tempdir().unwrap());
        std::fs::write(realms.path().join("limits.yaml"), REALM).unwrap();
        runtime.block_on(seed_keys(&redis));
        let url = redis.url();
        let replicas: Vec<_> = (0..replicas).map(|_| Keyward::without_token(realms.path(), &Store::Redis(&url), |config| config)).collect();
        let load = |replica: &Keyward, key| runtime.block_on(Load::new(replica.envoy, &secret(key), CONNECTIONS));
        let loads = replicas.iter().map(|replica| [load(replica, HOT), load(replica, EXHAUSTED)]).collect();
        let first = load(&replicas[0], COLD);
        Self { redis, loads, first, _replicas: replicas, _realms: realms }
    }

    /// Of one key, at this rate over all replicas together.
    fn costs(&self, runtime: &Runtime, key: usize, rate: usize) -> Vec<Cost> {
        let each = rate / self.loads.len();
        let load = || {
            let all = self.loads.iter().map(|loads| loads[key].offer(each, RUN));
            runtime.block_on(futures_util::future::join_all(all)).iter().map(|answers| answers.asked).sum::<usize>()
        };
        load();
        (0..RUNS).map(|_| beyond_idle(&self.redis, load)).collect()
    }

    fn cold(&self, runtime: &Runtime) -> Cost {
        beyond_idle(&self.redis, || {
            let late = runtime.block_on(async {
                let mut late = 0;
                for key in COLD..COLD + COLD_KEYS {
                    late += usize::from(!self.first.once(&secret(key)).await);
                }
                late
            });
            if late > 0 {
                say!("of the cold keys, not answered in time by this machine: {late}");
            }
            COLD_KEYS
        })
    }
}

/// Every key is of an owner of its own, but the cold ones.
async fn seed_keys(redis: &RedisServer) {
    let store = redis.store();
    for (owner, keys) in [("hot", HOT..HOT + 1), ("exhausted", EXHAUSTED..EXHAUSTED + 1), ("cold", COLD..COLD + COLD_KEYS)] {
        let Change::Owner { owner: made, expect } = seed::owner("limits", owner) else { unreachable!("an owner is made") };
        let of_plan = keyward::domain::owner::Owner { plan: Some(Word::parse(owner).unwrap()), ..made };
        seed::commit(&*store, vec![Change::Owner { owner: of_plan, expect }]).await;
        for some in keys.collect::<Vec<_>>().chunks(250) {
            let keys = some.iter().map(|key| seed::key("limits", owner, &seed::id(*key), &secret(*key)));
            seed::commit(&*store, keys.collect()).await;
        }
    }
}

fn secret(key: usize) -> String {
    format!("bench_{key:040}")
}

/// Runs it, and waits for as long without it.
fn beyond_idle(redis: &RedisServer, run: impl FnOnce() -> usize) -> Cost {
    let (before, begun) = (counted(redis), Instant::now());
    let checks = run() as f64;
    let (after, took) = (counted(redis), begun.elapsed());
    std::thread::sleep(took);
    let idle = counted(redis);
    let beyond = |of: fn(&Counted) -> f64| ((of(&after) - of(&before)) - (of(&idle) - of(&after))) / checks;
    Cost { scripts: beyond(|counted| counted.scripts), cpu: beyond(|counted| counted.cpu) }
}

fn counted(redis: &RedisServer) -> Counted {
    let text: String = redis.ask("INFO everything");
    let line = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
    let number = |name: &str| line(name).map_or(0.0, |rest| rest.split(',').next().unwrap().trim().parse::<f64>().unwrap());
    Counted {
        scripts: number("cmdstat_evalsha:calls=") + number("cmdstat_eval:calls="),
        cpu: (number("used_cpu_user:") + number("used_cpu_sys:")) * 1e6,
        bytes: number("used_memory:"),
    }
}

/// The same number of checks by a plain client: one round trip each, a counter and its end.
fn plain(runtime: &Runtime, rate: usize) -> Vec<Cost> {
    let redis = RedisServer::start();
    let client = redis::Client::open(redis.url()).unwrap();
    let open = || runtime.block_on(client.get_multiplexed_async_connection()).unwrap();
    let connections = [open(), open()];
    let run = || {
        let asked = runtime.block_on(crate::load::offer(rate, RUN, |nth| {
            let mut connection = connections[nth % connections.len()].clone();
            async move {
                let mut both = redis::pipe();
                both.cmd("INCRBY").arg("key:window").arg(1).cmd("EXPIRE").arg("key:window").arg(10);
                both.exec_async(&mut connection).await.unwrap();
            }
        }));
        asked.len()
    };
    run();
    (0..RUNS).map(|_| beyond_idle(&redis, run)).collect()
}

/// Of windows with one slot, with all their slots, and of plain counters; everything that Redis keeps for them is counted.
fn bytes(runtime: &Runtime) {
    say!("\n{:<74} {:>10}", format!("bytes a window in Redis, everything counted, {WINDOWS} of them"), "bytes");
    let redis = RedisServer::start();
    let store = redis.store();
    // a minute's window is sparse; of a second's window a slot is over every 62 ms
    let take = |length, most| {
        let charges: Vec<Charge> = (0..WINDOWS).map(|owner| charge(owner, Spec::sliding(length, most))).collect();
        for some in charges.chunks(500) {
            runtime.block_on(store.take(some)).unwrap();
        }
    };
    take(1000, 1000);
    redis.ask::<()>("FLUSHALL");
    let empty = counted(&redis).bytes;
    let of_one = |bytes: f64| (bytes - empty) / WINDOWS as f64;
    take(60_000, 1000);
    say!("{:<74} {:>10.0}  ≤ 180", "sparse: one slot", of_one(counted(&redis).bytes));
    redis.ask::<()>("FLUSHALL");
    let rounds = 17;
    for round in 0..rounds {
        let begun = Instant::now();
        take(20_000, 1000);
        if round + 1 < rounds {
            std::thread::sleep(Duration::from_millis(1260).saturating_sub(begun.elapsed()));
        }
    }
    say!("{:<74} {:>10.0}  ≤ 370", "full: B = 16, 17 slots", of_one(counted(&redis).bytes));
    redis.ask::<()>("FLUSHALL");
    let mut connection = redis.connection();
    for owner in 0..WINDOWS {
        let mut both = redis::pipe();
        let name = format!("limits:owner-{owner}:1790000000");
        both.cmd("INCRBY").arg(&name).arg(1).cmd("EXPIRE").arg(&name).arg(60).exec(&mut connection).unwrap();
    }
    say!("{:<74} {:>10.0}", "INCRBY and EXPIRE: one counter", of_one(counted(&redis).bytes));
}

fn charge(owner: usize, spec: Spec) -> Charge {
    let (realm, owner) = (RealmId::parse("limits").unwrap(), OwnerId::parse(&format!("owner-{owner}")).unwrap());
    let subject = Subject { name: SubjectName { realm, owner, key: None }, generation: 0, windows: vec![spec] };
    Charge {
        subjects: vec![subject],
        want: 1,
        cost: 1,
        ttl: Duration::from_millis(50),
        share: 1,
        generations: Generations::Heard,
        returns: Vec::new(),
    }
}
