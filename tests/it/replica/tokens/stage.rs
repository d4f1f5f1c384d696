//! A Redis, or a Cluster, with keys in a realm whose plan a test chooses, and replicas on it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use envoy_types::pb::envoy::service::auth::v3::CheckResponse;
use futures_util::future::join_all;
use keyward::clock::{SharedClock, SystemClock};
use keyward::domain::name::{KeyId, OwnerId, RealmId};
use keyward::domain::realms::Realms;
use keyward::domain::window::Spec;
use keyward::grpc::check_server::Answers as _;
use keyward::grpc::ext_authz::Authorizer;
use keyward::store::{Charge, Generations, Round, SharedStore, Store, StoreError, Subject, SubjectName, Taken};
use keyward::telemetry::metrics::Metrics;
use prost::Message as _;
use tonic::codegen::http::HeaderMap;

use crate::support::check;
use crate::support::in_process::Replica;
use crate::support::redis::RedisServer;
use crate::support::seed::{id, many_keys, peppers};

/// Longer than any machine holds a test up.
pub(super) const PATIENCE: Duration = Duration::from_mins(2);

/// As long as a busy machine's Redis may take, and short enough that tokens are held in advance.
const ONCE: Duration = Duration::from_millis(900);

/// A store with eight keys of the owner `acme`, in a realm with a plan of its own. `K`: what keeps the store running.
pub(super) struct Stage<K = RedisServer> {
    pub running: K,
    pub store: Arc<Watched>,
    realms: Arc<Realms>,
}

/// One replica, in this process.
pub(super) struct Gate {
    pub replica: Replica,
    pub authorizer: Arc<Authorizer>,
}

/// Counts charges, and has them take longer where a test says so.
pub(super) struct Watched {
    store: SharedStore,
    charges: AtomicUsize,
    longest_ms: u32,
}

impl Stage {
    pub(super) async fn set(plan: &str) -> Self {
        Self::delayed(plan, 0).await
    }

    pub(super) async fn delayed(plan: &str, longest_ms: u32) -> Self {
        let redis = RedisServer::start();
        let store: SharedStore = redis.store();
        let stage = Self::on(redis, store, plan).await;
        let store = Watched { store: stage.store.store.clone(), charges: AtomicUsize::new(0), longest_ms };
        Self { store: Arc::new(store), ..stage }
    }

    /// How many scripts Redis has run, as it says itself.
    pub(super) fn scripts(&self) -> usize {
        let told: String = self.running.ask("INFO commandstats");
        let calls = |command: &str| {
            let line = told.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
            line.and_then(|rest| rest.split(',').next()?.parse::<usize>().ok()).unwrap_or(0)
        };
        calls("eval") + calls("evalsha")
    }
}

impl<K> Stage<K> {
    /// On any store.
    pub(super) async fn on(running: K, store: SharedStore, plan: &str) -> Self {
        many_keys(&*store, "stage", "acme", 0..8, secret).await;
        let realm = format!(
            "realm: stage\nhosts: [stage.test]\ncredentials: [{{header: x-api-key}}]\nkeys: [{{prefix: st_, alphabet: hex, length: 32}}]\n\
             routes: [{{prefix: /seven, cost: 7}}, {{prefix: /}}]\nplans: {{plan: [{plan}]}}\ndefault_plan: plan\n"
        );
        let realms = Arc::new(Realms::new([keyward::config::realm("stage.yaml", &realm).unwrap()]).unwrap());
        let store = Arc::new(Watched { store, charges: AtomicUsize::new(0), longest_ms: 0 });
        Self { running, store, realms }
    }

    pub(super) async fn gate(&self) -> Gate {
        let (store, clock): (SharedStore, SharedClock) = (self.store.clone(), Arc::new(SystemClock));
        let replica = Replica::leased(&store, &clock).await;
        let gate = replica.gate(self.realms.clone(), Arc::new(peppers()), ONCE);
        let authorizer = Arc::new(Authorizer::new(gate, PATIENCE, Arc::new(Metrics::default())));
        Gate { replica, authorizer }
    }

    /// Waits until so many are counted, and no more.
    pub(super) async fn counts(&self, key: Option<usize>, spec: Spec, tokens: u32) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while self.counted(key, spec).await != tokens {
            assert!(Instant::now() < deadline, "{tokens} are not what is counted");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// How many tokens the store counts in a window of a key, or of the owner.
    pub(super) async fn counted(&self, key: Option<usize>, spec: Spec) -> u32 {
        let (realm, owner) = (RealmId::parse("stage").unwrap(), OwnerId::parse("acme").unwrap());
        let key = key.map(|number| KeyId::parse(&id(number)).unwrap());
        let subject = Subject { name: SubjectName { realm, owner, key }, generation: 0, windows: vec![spec] };
        let look = Charge {
            subjects: vec![subject],
            want: 0,
            cost: 0,
            ttl: Duration::ZERO,
            share: 1,
            generations: Generations::Heard,
            returns: Vec::new(),
        };
        match &self.store.store.take(&[look]).await.unwrap()[..] {
            [Taken::Granted { windows, .. }] => spec.most - windows[0].left,
            other => panic!("{other:?}"),
        }
    }
}

impl Gate {
    pub(super) async fn check(&self, key: usize, path: &str) -> CheckResponse {
        answer(&self.authorizer, key, path).await
    }

    pub(super) async fn admits(&self, key: usize, path: &str) -> bool {
        check::admits(&self.check(key, path).await)
    }

    /// Begins so many checks at once, and says how many are admitted.
    pub(super) async fn at_once(&self, key: usize, count: usize) -> usize {
        let checks = (0..count).map(|_| self.admits(key, "/"));
        join_all(checks).await.into_iter().filter(|admits| *admits).count()
    }
}

pub(super) async fn answer(authorizer: &Authorizer, key: usize, path: &str) -> CheckResponse {
    let request = check::request("GET", "stage.test", path, &[("x-api-key", &secret(key))]).encode_to_vec();
    let response = authorizer.answer(request.into(), &HeaderMap::new()).await.message();
    CheckResponse::decode(response).unwrap()
}

pub(super) fn secret(number: usize) -> String {
    format!("st_{number:032x}")
}

#[async_trait]
impl Round for Watched {
    fn inner(&self) -> Result<&dyn Store, StoreError> {
        Ok(&*self.store)
    }

    async fn take(&self, charges: &[Charge]) -> Result<Vec<Taken>, StoreError> {
        self.charges.fetch_add(charges.iter().filter(|charge| charge.want > 0).count(), Ordering::SeqCst);
        self.lag().await;
        let taken = self.store.take(charges).await;
        self.lag().await;
        taken
    }
}

impl Watched {
    pub(super) fn charges(&self) -> usize {
        self.charges.load(Ordering::SeqCst)
    }

    async fn lag(&self) {
        if self.longest_ms > 0 {
            tokio::time::sleep(up_to(self.longest_ms)).await;
        }
    }
}

pub(super) fn up_to(longest_ms: u32) -> Duration {
    Duration::from_micros(u64::from(getrandom::u32().unwrap() % (longest_ms * 1000)))
}
