//! What a check costs: CPU time of the server per check, beside a constant-OK tonic server in the same run; what limits cost Redis; and how
//! long a decision takes while Redis is stopped. `make bench` runs it. Times are this machine's; ratios are what to compare.

#![allow(unreachable_pub, reason = "rooms of a binary are open to one another")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a benchmark prints, and fails loudly"
)]

mod constant_ok;
mod limits;
mod load;
mod outage;

#[path = "../../tests/it/support/mod.rs"]
mod support;

use std::net::SocketAddr;

use load::Load;
use support::keyward::{Keyward, NewKey, Store};
use support::redis::RedisServer;

const RUNS: usize = 5;
const CHECKS: usize = 40_000;
const CONNECTIONS: usize = 2;
const IN_FLIGHT: usize = 32;

const REALM: &str = "
realm: bench
hosts: [bench.test]
credentials: [{header: authorization, scheme: Bearer}]
keys: [{prefix: bench_, alphabet: base62, length: 40}]
routes: [{prefix: /}]
plans:
  ample:
    - {limit: minute, per: key, most: 1000000000, window: 1m}
    - {limit: hour, per: owner, most: 4000000000, window: 1h}
default_plan: ample
identity: {x-owner: \"${owner.id}\"}
";

fn main() {
    if std::env::args().any(|argument| argument == constant_ok::ARGUMENT) {
        return constant_ok::serve();
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    if is_asked_for("checks") {
        println!(
            "{CHECKS} checks a run over {CONNECTIONS} connections, {IN_FLIGHT} in flight, one hot key, two limits; median of {RUNS} paired runs\n"
        );
        costs(&runtime);
    }
    if is_asked_for("limits") {
        limits::measure(&runtime);
    }
    if is_asked_for("outage") {
        outage::measure(&runtime);
    }
}

/// Arguments may name the parts to measure: `cargo bench --bench check -- limits`.
fn is_asked_for(part: &str) -> bool {
    let parts: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    parts.is_empty() || parts.iter().any(|asked| asked == part)
}

/// One server under load.
struct Server {
    name: &'static str,
    pid: u32,
    load: Load,
    /// Asked for its own CPU time.
    redis: Option<RedisServer>,
    /// Of all runs: the store did not answer in time.
    refused: usize,
    /// CPU microseconds a check, of each run: the server's and Redis's.
    cost: Vec<(f64, f64)>,
}

fn costs(runtime: &tokio::runtime::Runtime) {
    let realms = tempfile::tempdir().unwrap();
    std::fs::write(realms.path().join("bench.yaml"), REALM).unwrap();
    let constant = constant_ok::ConstantOk::start();
    let embedded = Keyward::start(realms.path(), &Store::Embedded);
    let redis = RedisServer::start();
    let on_redis = Keyward::start(realms.path(), &Store::Redis(&redis.url()));
    let server = |name, pid, address: SocketAddr, secret: &str, redis| {
        let load = runtime.block_on(Load::new(address, secret, CONNECTIONS));
        Server { name, pid, load, redis, refused: 0, cost: Vec::new() }
    };
    let mut servers = [
        server("constant OK (tonic, decodes the whole request)", constant.pid(), constant.address, "bench_none", None),
        server("keyward, embedded store", embedded.pid(), embedded.envoy, &key(&embedded), None),
        server("keyward, Redis", on_redis.pid(), on_redis.envoy, &key(&on_redis), Some(redis)),
    ];
    for _ in 0..=RUNS {
        for server in &mut servers {
            let before = (cpu(server.pid), redis_cpu(server));
            let admitted = runtime.block_on(server.load.run(CHECKS, IN_FLIGHT));
            server.refused += CHECKS - admitted;
            let per_check = |micros: f64| micros / CHECKS as f64;
            server.cost.push((per_check(cpu(server.pid) - before.0), per_check(redis_cpu(server) - before.1)));
        }
    }
    print(&servers);
}

fn print(servers: &[Server]) {
    println!("{:<48} {:>12} {:>12} {:>16} {:>12} {:>9}", "server", "CPU µs/check", "÷ constant", "spread of ratio", "Redis µs", "refused");
    for server in servers {
        // The first run warms up.
        let ratios: Vec<f64> = (1..=RUNS).map(|run| server.cost[run].0 / servers[0].cost[run].0).collect();
        let (low, high) = (ratios.iter().copied().fold(f64::MAX, f64::min), ratios.iter().copied().fold(0.0, f64::max));
        let own = median(server.cost[1..].iter().map(|cost| cost.0));
        let redis = server.redis.as_ref().map_or("-".into(), |_| format!("{:.2}", median(server.cost[1..].iter().map(|cost| cost.1))));
        let spread = format!("{low:.2}–{high:.2}");
        println!("{:<48} {own:>12.2} {:>12.2} {spread:>16} {redis:>12} {:>9}", server.name, median(ratios), server.refused);
    }
}

fn key(keyward: &Keyward) -> String {
    keyward.create_owner("bench", "acme", None);
    keyward.create_key("bench", &NewKey { owner: "acme", label: "hot", ..NewKey::default() }).secret
}

fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// User and system time of a process, in microseconds (proc(5), `/proc/pid/stat`: fields 14 and 15, in ticks of 10 ms).
fn cpu(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks = |at: usize| fields[at].parse::<f64>().unwrap();
    (ticks(11) + ticks(12)) * 10_000.0
}

fn redis_cpu(server: &Server) -> f64 {
    server.redis.as_ref().map_or(0.0, |redis| cpu(redis.pid().as_raw_nonzero().get().unsigned_abs()))
}
