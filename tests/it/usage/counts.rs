//! What a gate decides is counted, of every key and each of its secrets.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use keyward::clock::{SharedClock, SystemClock};
use keyward::domain::name::Word;
use keyward::domain::realms::Realms;
use keyward::domain::reason::Reason;
use keyward::domain::record::KeptSecret;
use keyward::domain::usage::{Counter, LastUse};
use keyward::grpc::check_server::Answers as _;
use keyward::grpc::ext_authz::Authorizer;
use keyward::store::embedded::Embedded;
use keyward::store::{Change, SharedStore};
use keyward::telemetry::metrics::Metrics;
use tonic::codegen::http::HeaderMap;

use crate::support::check;
use crate::support::in_process::Replica;
use crate::support::redis::RedisServer;
use crate::support::seed::{commit, key, owner, peppers};
use crate::support::usage::{flusher, subject, total, usage};
use prost::Message as _;

pub(super) const OLD: &str = "use_0123456789abcdef0123456789abcdef";
pub(super) const NEW: &str = "use_fedcba9876543210fedcba9876543210";
const LIMITED: &str = "use_11111111111111111111111111111111";
pub(super) const REALM: &str = "
realm: used
hosts: [used.test]
https: any
credentials: [{header: x-api-key}]
keys: [{prefix: use_, alphabet: hex, length: 32}]
client_address: {forwarded_for: 1}
scopes: [write]
routes: [{prefix: /write, scopes: [write]}, {prefix: /read}]
plans: {few: [{limit: hour, per: key, most: 2, window: 1h}]}
";
const PATIENCE: Duration = Duration::from_secs(10);

/// A replica in this process, and its store.
pub(super) struct Stage {
    pub(super) store: SharedStore,
    pub(super) replica: Replica,
    pub(super) metrics: Arc<Metrics>,
    gate: Authorizer,
}

impl Stage {
    /// On a store that has a key with two secrets, the first of which has ended if `ends` says so, and one with few tokens.
    pub(super) async fn on(store: SharedStore, seeded: &SharedStore, ends: Option<i64>) -> Self {
        let mut rotated = key("used", "acme", "key_1", OLD);
        if let Change::Key { record, .. } = &mut rotated {
            let first = record.secrets.remove(0);
            let digest = peppers().newest().digest(&record.realm, NEW.as_bytes());
            record.secrets = vec![
                KeptSecret { digest, number: 2, ..first.clone() },
                KeptSecret { ends: ends.map(keyward::domain::time::StoreTime), ..first },
            ];
        }
        let mut limited = key("used", "acme", "key_2", LIMITED);
        if let Change::Key { record, .. } = &mut limited {
            record.plan = Some(Word::parse("few").unwrap());
        }
        commit(&**seeded, vec![owner("used", "acme"), rotated, limited]).await;
        let clock: SharedClock = Arc::new(SystemClock);
        let replica = Replica::leased(&store, &clock).await;
        let realms = Arc::new(Realms::new([keyward::config::realm("used.yaml", REALM).unwrap()]).unwrap());
        let metrics = Arc::new(Metrics::default());
        let gate = Authorizer::new(replica.gate(realms, Arc::new(peppers()), PATIENCE), PATIENCE, metrics.clone());
        Self { store, replica, metrics, gate }
    }

    /// Whether it may pass.
    pub(super) async fn ask(&self, secret: &str, path: &str, address: &str) -> bool {
        let request = check::request("GET", "used.test", path, &[("x-api-key", secret), ("x-forwarded-for", address)]);
        let response = self.gate.answer(request.encode_to_vec().into(), &HeaderMap::new()).await.message();
        check::admits(&envoy_types::pb::envoy::service::auth::v3::CheckResponse::decode(response).unwrap())
    }

    pub(super) fn metric(&self, name: &str) -> u64 {
        let text = self.metrics.text();
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.map_or(0, |value| value.parse().unwrap())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_decision_about_a_key_is_counted_of_it_and_of_its_owner_on_embedded() {
    let folder = tempfile::tempdir().unwrap();
    decisions(Arc::new(Embedded::open(folder.path(), Arc::new(SystemClock)).unwrap())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_decision_about_a_key_is_counted_of_it_and_of_its_owner_on_redis() {
    let redis = RedisServer::start();
    decisions(redis.store()).await;
}

async fn decisions(store: SharedStore) {
    let stage = Stage::on(store.clone(), &store, Some(1)).await;
    for _ in 0..25 {
        assert!(stage.ask(NEW, "/read", "192.0.2.1").await);
    }
    for _ in 0..3 {
        assert!(!stage.ask(NEW, "/write", "192.0.2.1").await, "it has no such scope");
    }
    assert!(!stage.ask(NEW, "/elsewhere", "192.0.2.2").await);
    assert!(!stage.ask(OLD, "/read", "2001:db8::9").await, "its grace is over");
    assert!(!stage.ask("use_99999999999999999999999999999999", "/read", "192.0.2.1").await, "of no key");
    assert!(stage.ask(LIMITED, "/read", "192.0.2.3").await && stage.ask(LIMITED, "/read", "192.0.2.3").await);
    assert!(!stage.ask(LIMITED, "/read", "192.0.2.3").await);
    let (first, second, all) = (subject("used", Some("key_1")), subject("used", Some("key_2")), subject("used", None));
    assert_eq!(total(&*store, &first).await, [], "control: nothing is there before it is brought");
    flusher(&stage.replica, &store, &stage.metrics).flush().await;
    let refused = Counter::Refused;
    assert_eq!(
        total(&*store, &first).await,
        [(Counter::Allowed, 25), (refused(Reason::Expired), 1), (refused(Reason::NoRoute), 1), (refused(Reason::Scope), 3)]
    );
    assert_eq!(total(&*store, &second).await, [(Counter::Allowed, 2), (refused(Reason::Limited), 1)]);
    assert_eq!(total(&*store, &all).await.iter().map(|(_, count)| count).sum::<u64>(), 33, "but of the one that is nobody's");
    let last = usage(&*store, &first).await.last;
    let from: Vec<(u32, Option<IpAddr>)> = last.iter().map(|(secret, last)| (*secret, last.address)).collect();
    assert_eq!(from, [(1, Some("2001:db8::9".parse().unwrap())), (2, Some("192.0.2.2".parse().unwrap()))]);
    let told: Vec<LastUse> = usage(&*store, &all).await.last.into_iter().map(|(_, last)| last).collect();
    let latest = last.iter().chain(&usage(&*store, &second).await.last).map(|(_, last)| last.at).max();
    assert_eq!((told.len(), Some(told[0].at)), (1, latest), "whoever came last");
    assert_eq!(stage.metric("keyward_usage_checks_total{fate=\"added\"}"), 33);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn threads_count_on_sheets_of_their_own_and_nothing_is_lost_between_them() {
    let folder = tempfile::tempdir().unwrap();
    let store: SharedStore = Arc::new(Embedded::open(folder.path(), Arc::new(SystemClock)).unwrap());
    let stage = Arc::new(Stage::on(store.clone(), &store, None).await);
    assert!(stage.ask(NEW, "/read", "192.0.2.1").await, "it is remembered from here on");
    let mut flusher = flusher(&stage.replica, &store, &stage.metrics);
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let stage = stage.clone();
            let checks = async move {
                for _ in 0..500 {
                    assert!(stage.ask(NEW, "/read", "192.0.2.1").await);
                }
            };
            std::thread::spawn(|| tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(checks))
        })
        .collect();
    while threads.iter().any(|thread| !thread.is_finished()) {
        flusher.flush().await;
    }
    for thread in threads {
        thread.join().unwrap();
    }
    flusher.flush().await;
    assert_eq!(total(&*store, &subject("used", Some("key_1"))).await, [(Counter::Allowed, 2001)]);
}
