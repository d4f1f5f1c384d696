//! Limits over three processes and one Redis whose replies come 5 to 100 ms late: no true window is above its limit. With the deadline
//! check at the moment of spending taken out (a boot clock that stands still), the same run exceeds it.
//!
//! The processes are this test binary, started again; each stamps its decisions with the host's boot clock. So it sees more sharply than what
//! clients write down, and of less: one limit, one attack, nothing that breaks.

use std::ops::RangeInclusive;
use std::pin::Pin;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use envoy_types::pb::envoy::service::auth::v3::CheckResponse;
use envoy_types::pb::google::protobuf::Value;
use envoy_types::pb::google::protobuf::value::Kind;
use futures_util::future::join_all;
use keyward::clock::{Clock, SharedClock, SystemClock};
use keyward::domain::realms::Realms;
use keyward::domain::time::{BootTime, StoreTime};
use keyward::grpc::check_server::{Answers, CheckServer};
use keyward::grpc::ext_authz::Authorizer;
use keyward::grpc::unary::LengthPrefixed;
use keyward::store::SharedStore;
use keyward::store::redis::{RedisStore, Settings};
use keyward::telemetry::metrics::Metrics;
use prost::Message as _;
use tonic::codegen::http::HeaderMap;
use tonic::transport::server::TcpIncoming;

use crate::support::check::{self, Checks};
use crate::support::in_process::Replica as InProcess;
use crate::support::proxy::Proxy;
use crate::support::redis::RedisServer;
use crate::support::seed::{one_key, peppers};

const LIMIT: usize = 10;
const WINDOW: Duration = Duration::from_secs(1);
/// Between spending a token and reading the clock for the stamp a process may lose the processor.
const STAMP_ERROR: Duration = Duration::from_millis(15);
const RUN: Duration = Duration::from_secs(8);
const SECRET: &str = "wnd_0123456789abcdef0123456789abcdef";
const REALM: &str = "
realm: windows
hosts: [windows.test]
credentials: [{header: x-api-key}]
keys: [{prefix: wnd_, alphabet: hex, length: 32}]
routes: [{prefix: /}]
plans: {small: [{limit: second, per: owner, most: 10, window: 1s}]}
default_plan: small
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_true_window_is_above_its_limit_over_three_processes_and_late_replies() {
    let steady = hammer("running", vec![5..=100], |checks, until| Box::pin(all_the_time(checks, until))).await;
    let attacked = hammer("running", LATE.to_vec(), |checks, until| Box::pin(told_late(checks, until))).await;
    for (worst, admitted) in [steady, attacked] {
        assert!(worst <= LIMIT, "{worst} admissions in one window of {LIMIT}");
        assert!(admitted > LIMIT, "only {admitted} admissions: the run shows nothing");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_deadline_check_at_the_moment_of_spending_a_window_is_exceeded() {
    let mut worst = Vec::new();
    // A machine that is busy with other things may need more than one run to be as fast as an attacker.
    while worst.len() < 5 && worst.iter().all(|worst| *worst <= LIMIT) {
        worst.push(hammer("standing", LATE.to_vec(), |checks, until| Box::pin(told_late(checks, until))).await.0);
    }
    assert!(worst.iter().any(|worst| *worst > LIMIT), "the control held {worst:?} of {LIMIT}: the test above could not fail");
}

/// The first process is told late what it was granted, and later than it may be spent; what is forgotten then the second spends early.
const LATE: [RangeInclusive<u64>; 3] = [190..=200, 5..=10, 40..=60];

/// How long after its window a token is forgotten that lives for a call of 50 ms, and a little.
const FORGOTTEN_AFTER: Duration = Duration::from_millis(70);

type Attack = fn(Vec<Checks>, Instant) -> Pin<Box<dyn Future<Output = Vec<Duration>> + Send>>;

/// Three processes hammered for a while; the largest count in any true window, and the count of all.
async fn hammer(clock: &str, delays: Vec<RangeInclusive<u64>>, attack: Attack) -> (usize, usize) {
    let redis = RedisServer::start();
    one_key(&RedisStore::connect(&settings(redis.url())).unwrap(), "windows", SECRET).await;
    let (mut proxies, mut replicas, mut checks) = (Vec::new(), Vec::new(), Vec::new());
    for delay in delays.into_iter().cycle().take(3) {
        let proxy = Proxy::delaying(redis.socket(), vec![delay]).await;
        replicas.push(Replica::start(&proxy.url(), clock));
        proxies.push(proxy);
    }
    for replica in &replicas {
        checks.push(check::connect(replica.address).await);
    }
    let mut stamps = attack(checks, Instant::now() + RUN).await;
    stamps.sort_unstable();
    (worst_window(&stamps), stamps.len())
}

/// Eight callers each, one check after the other.
async fn all_the_time(replicas: Vec<Checks>, until: Instant) -> Vec<Duration> {
    let callers = replicas.iter().flat_map(|checks| (0..8).map(|_| tokio::spawn(call(checks.clone(), until))));
    let stamps = join_all(callers.collect::<Vec<_>>()).await;
    stamps.into_iter().flat_map(Result::unwrap).collect()
}

/// More than may pass at once to the first; what it has taken is asked for at the second as soon as it is forgotten, and not before: a refusal
/// would be remembered, and on a clock that stands still for ever.
async fn told_late(replicas: Vec<Checks>, until: Instant) -> Vec<Duration> {
    let mut stamps = Vec::new();
    while Instant::now() < until {
        let begun = SystemClock.boot().0;
        let first = join_all((0..LIMIT + 2).map(|_| ask(replicas[0].clone()))).await;
        let first: Vec<Duration> = first.into_iter().flatten().collect();
        let taken = first.iter().max().map_or(begun, |told| told.saturating_sub(Duration::from_millis(*LATE[0].start())));
        tokio::time::sleep((taken + WINDOW + FORGOTTEN_AFTER).saturating_sub(SystemClock.boot().0)).await;
        stamps.extend(all_the_time(vec![replicas[1].clone()], Instant::now() + WINDOW / 8).await);
        stamps.extend(first);
        tokio::time::sleep(WINDOW * 5 / 4).await;
    }
    stamps
}

fn worst_window(stamps: &[Duration]) -> usize {
    let within =
        |from: usize| stamps[from..].iter().take_while(|stamp| **stamp < stamps[from] + WINDOW.saturating_sub(STAMP_ERROR)).count();
    (0..stamps.len()).map(within).max().unwrap_or(0)
}

async fn call(checks: Checks, until: Instant) -> Vec<Duration> {
    let mut stamps = Vec::new();
    while Instant::now() < until {
        stamps.extend(ask(checks.clone()).await);
    }
    stamps
}

/// When it was admitted, if it was.
async fn ask(mut checks: Checks) -> Option<Duration> {
    let request = check::request("GET", "windows.test", "/", &[("x-api-key", SECRET)]);
    let response = checks.check(request).await.unwrap().into_inner();
    let stamp = || check::metadata(&response, "decided_at").unwrap().parse().unwrap();
    check::admits(&response).then(|| Duration::from_nanos(stamp()))
}

struct Replica {
    process: Child,
    address: std::net::SocketAddr,
}

impl Replica {
    fn start(url: &str, clock: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("address");
        let process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "limits::stamped::a_replica_that_another_test_started", "--nocapture"])
            .envs([("KEYWARD_REPLICA_REDIS", url), ("KEYWARD_REPLICA_CLOCK", clock)])
            .env("KEYWARD_REPLICA_ADDRESS", &file)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let address = crate::support::eventually("a replica says where it listens", || std::fs::read_to_string(&file).ok()?.parse().ok());
        Self { process, address }
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Does nothing unless [`Replica::start`] started it.
#[tokio::test]
async fn a_replica_that_another_test_started() {
    let Ok(url) = std::env::var("KEYWARD_REPLICA_REDIS") else { return };
    let clock: SharedClock = match std::env::var("KEYWARD_REPLICA_CLOCK").unwrap().as_str() {
        "standing" => Arc::new(Standing),
        _ => Arc::new(SystemClock),
    };
    let store: SharedStore = Arc::new(RedisStore::connect(&settings(url)).unwrap());
    let realms = Arc::new(Realms::new([keyward::config::realm("windows.yaml", REALM).unwrap()]).unwrap());
    let memory = InProcess::leased(&store, &clock).await;
    let gate = memory.gate(realms, Arc::new(peppers()), Duration::from_millis(50));
    let authorizer = Authorizer::new(gate, Duration::from_secs(1), Arc::new(Metrics::default()));
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let file = std::path::PathBuf::from(std::env::var_os("KEYWARD_REPLICA_ADDRESS").unwrap());
    let beside = file.with_extension("part");
    std::fs::write(&beside, incoming.local_addr().unwrap().to_string()).unwrap();
    std::fs::rename(&beside, &file).unwrap();
    let service = CheckServer::new(Stamped(authorizer));
    tonic::transport::Server::builder().add_service(service).serve_with_incoming(incoming).await.unwrap();
}

/// Stamps each decision with the host's boot clock.
struct Stamped(Authorizer);

impl Answers for Stamped {
    async fn answer(&self, asked: bytes::Bytes, metadata: &HeaderMap) -> LengthPrefixed {
        let mut response = CheckResponse::decode(self.0.answer(asked, metadata).await.message()).unwrap();
        let stamp = SystemClock.boot().0.as_nanos().to_string();
        let ours = response.dynamic_metadata.as_mut().and_then(|all| all.fields.get_mut("keyward")).unwrap();
        let Some(Kind::StructValue(ours)) = &mut ours.kind else { panic!("metadata is a struct") };
        ours.fields.insert("decided_at".into(), Value { kind: Some(Kind::StringValue(stamp)) });
        LengthPrefixed::of(&response.encode_to_vec())
    }
}

/// The control: on this clock no deadline ever passes.
struct Standing;

impl Clock for Standing {
    fn boot(&self) -> BootTime {
        BootTime(Duration::ZERO)
    }

    fn wall(&self) -> StoreTime {
        SystemClock.wall()
    }
}

fn settings(url: String) -> Settings {
    Settings { timeout: Duration::from_millis(400), ..Settings::at(url) }
}
