//! Processor time a check, of servers that are under the same load by turns.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use tokio::runtime::Runtime;

use crate::keys::{self, secret};
use crate::load::Load;
use crate::median;
use crate::process::cpu;
use crate::report::say;
use crate::support::keyward::{Keyward, Store};
use crate::support::redis::RedisServer;
use crate::yardstick::{Running, Yardstick};

const RUNS: usize = 7;
const CHECKS: usize = 40_000;
const IN_FLIGHT: usize = 32;
/// Of a run in which every key is seen for the first time.
const COLD: usize = 10_000;

/// Servers that stay for all rows.
struct Stage {
    decoding: Running,
    floor: Running,
    embedded: Keyward,
    on_redis: Keyward,
    redis: RedisServer,
    _realms: tempfile::TempDir,
}

/// One server under load.
struct Server<'a> {
    name: &'static str,
    pid: u32,
    load: Load,
    /// Asked for its own processor time.
    redis: Option<&'a RedisServer>,
    /// Of all runs: the store did not answer in time.
    refused: usize,
    /// Microseconds a check, of each run: the server's and Redis's.
    cost: Vec<(f64, f64)>,
}

/// One hot key, over few connections and over many.
pub(crate) fn hot(runtime: &Runtime) {
    let stage = Stage::set(runtime);
    say_how();
    for connections in [1, 2, 8] {
        let title = format!("P1: one hot key, {CHECKS} checks a run over {connections} connections");
        print(&title, &played(stage.servers(runtime, connections), CHECKS, |load, _| runtime.block_on(load.run(CHECKS, IN_FLIGHT))));
    }
}

/// Keys that are seen for the first time.
pub(crate) fn cold(runtime: &Runtime) {
    let stage = Stage::set(runtime);
    let once_each = |load: &Load, run| runtime.block_on(load.run_once_each(run * COLD..(run + 1) * COLD, IN_FLIGHT, secret));
    let mut servers = stage.servers(runtime, 2);
    // which has the hot key alone
    servers.retain(|server| server.pid != stage.embedded.pid());
    say_how();
    print(&format!("P2: {COLD} keys a run over 2 connections, each seen for the first time"), &played(servers, COLD, once_each));
}

/// One hot key, with a core for each server.
pub(crate) fn on_one_core(runtime: &Runtime) {
    let stage = with_one_core(|| Stage::set(runtime));
    say_how();
    let title = format!("P5: one hot key, {CHECKS} checks a run over 2 connections, servers on one core");
    print(&title, &played(stage.servers(runtime, 2), CHECKS, |load, _| runtime.block_on(load.run(CHECKS, IN_FLIGHT))));
}

fn say_how() {
    say!("\nCPU time a check; {IN_FLIGHT} in flight, two limits; median of {RUNS} runs by turns, after one to warm up");
}

impl Stage {
    fn set(runtime: &Runtime) -> Self {
        let (redis, realms) = (RedisServer::start(), keys::realm());
        // the first of them is the hot one
        runtime.block_on(async { keys::fill(&*redis.store(), 0..(RUNS + 1) * COLD).await });
        let embedded = Keyward::start(realms.path(), &Store::Embedded);
        let on_redis = Keyward::without_token(realms.path(), &Store::Redis(&redis.url()), |config| config);
        let (decoding, floor) = (Yardstick::ConstantOk.start(), Yardstick::NoDecode.start());
        keys::first(&embedded);
        Self { decoding, floor, embedded, on_redis, redis, _realms: realms }
    }

    fn servers(&self, runtime: &Runtime, connections: usize) -> Vec<Server<'_>> {
        let load = |address| runtime.block_on(Load::new(address, &secret(0), connections));
        let server = |name, pid, address, redis| Server { name, pid, load: load(address), redis, refused: 0, cost: Vec::new() };
        vec![
            server("constant OK, decodes the whole request", self.decoding.pid(), self.decoding.address, None),
            server("constant OK, decodes nothing", self.floor.pid(), self.floor.address, None),
            server("keyward, embedded store", self.embedded.pid(), self.embedded.envoy, None),
            server("keyward, Redis", self.on_redis.pid(), self.on_redis.envoy, Some(&self.redis)),
        ]
    }
}

/// Has each of them asked by turns; `run` says how many it admitted of `checks`.
fn played(mut servers: Vec<Server<'_>>, checks: usize, run: impl Fn(&Load, usize) -> usize) -> Vec<Server<'_>> {
    for nth in 0..=RUNS {
        for server in &mut servers {
            let before = server.spent();
            server.refused += checks - run(&server.load, nth);
            let after = server.spent();
            server.cost.push(((after.0 - before.0) / checks as f64, (after.1 - before.1) / checks as f64));
        }
    }
    servers
}

impl Server<'_> {
    fn spent(&self) -> (f64, f64) {
        (cpu(self.pid), self.redis.map_or(0.0, |redis| cpu(redis.pid().as_raw_nonzero().get().unsigned_abs())))
    }
}

fn print(title: &str, servers: &[Server<'_>]) {
    say!("{title}");
    say!(
        "{:<40} {:>8} {:>10} {:>12} {:>9} {:>12} {:>9} {:>8}",
        "",
        "CPU µs",
        "÷ decodes",
        "spread",
        "÷ floor",
        "spread",
        "Redis µs",
        "refused"
    );
    let against = |server: &Server<'_>, other: &Server<'_>| {
        let ratios: Vec<f64> = (1..=RUNS).map(|run| server.cost[run].0 / other.cost[run].0).collect();
        let (low, high) = (ratios.iter().copied().fold(f64::MAX, f64::min), ratios.iter().copied().fold(0.0, f64::max));
        (median(ratios), format!("{low:.2} to {high:.2}"))
    };
    for server in servers {
        let own = median(server.cost[1..].iter().map(|cost| cost.0));
        let ((decodes, of_decodes), (floor, of_floor)) = (against(server, &servers[0]), against(server, &servers[1]));
        let redis = server.redis.map_or("-".into(), |_| format!("{:.2}", median(server.cost[1..].iter().map(|cost| cost.1))));
        say!(
            "{:<40} {own:>8.2} {decodes:>10.2} {of_decodes:>12} {floor:>9.2} {of_floor:>12} {redis:>9} {:>8}",
            server.name,
            server.refused
        );
    }
}

/// Whatever is started meanwhile has one core.
fn with_one_core<T>(start: impl FnOnce() -> T) -> T {
    let all = sched_getaffinity(None).unwrap();
    let mut one = CpuSet::new();
    one.set((0..CpuSet::MAX_CPU).find(|cpu| all.is_set(*cpu)).unwrap());
    sched_setaffinity(None, &one).unwrap();
    let started = start();
    sched_setaffinity(None, &all).unwrap();
    started
}
