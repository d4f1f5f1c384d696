//! What callers and proxies are told of limits: headers, gRPC details, metadata and metrics, from a gate whose clock a test moves, and through
//! a real Envoy.

mod away;
mod envoy;
mod told;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use envoy_types::pb::envoy::service::auth::v3::CheckResponse;
use keyward::clock::SharedClock;
use keyward::domain::limit::Override;
use keyward::domain::name::Word;
use keyward::domain::realms::Realms;
use keyward::grpc::check_server::Answers as _;
use keyward::grpc::ext_authz::Authorizer;
use keyward::store::embedded::{Embedded, Timeouts};
use keyward::store::{Charge, Round, SharedStore, Store, StoreError, Taken};
use keyward::telemetry::metrics::Metrics;
use prost::Message as _;
use tempfile::TempDir;
use tonic::codegen::http::HeaderMap;

use crate::support::check;
use crate::support::hands::Hands;
use crate::support::in_process::Replica;
use crate::support::seed::{one_key_with, peppers};

const SECRET: &str = "to_0123456789abcdef0123456789abcdef";
/// Longer than any machine holds a call up.
const PATIENCE: Duration = Duration::from_mins(10);

/// One realm, `told`, with one key, at one replica.
struct World {
    authorizer: Authorizer,
    hands: Arc<Hands>,
    /// Whether the store's limits are out of reach.
    away: Arc<AtomicBool>,
    metrics: Arc<Metrics>,
    _replica: Replica,
    _folder: TempDir,
}

impl World {
    /// `rest`: what the realm's file says beside the least. `once`: how long a token may be spent that somebody waited for.
    async fn of(rest: &str, own: &[(&str, u32)], once: Duration) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let hands = Hands::new();
        let clock: SharedClock = hands.clone();
        let store = Embedded::open(folder.path(), clock.clone()).unwrap();
        let store: SharedStore = Arc::new(store.with_timeouts(Timeouts { check: PATIENCE, admin: PATIENCE }));
        let own: Vec<Override> = own.iter().map(|(limit, most)| Override { limit: Word::parse(limit).unwrap(), most: *most }).collect();
        one_key_with(&*store, "told", SECRET, &own).await;
        let realm = format!(
            "realm: told\nhosts: [told.test]\ncredentials: [{{header: x-api-key}}]\nkeys: [{{prefix: to_, alphabet: hex, length: 32}}]\n\
             routes: [{{path: /dear, cost: 2}}, {{}}]\n{rest}"
        );
        let realm = keyward::config::realm("told.yaml", &realm).unwrap_or_else(|problems| panic!("{problems}"));
        let realms = Arc::new(Realms::new([realm]).unwrap());
        let away = Arc::new(AtomicBool::new(false));
        let store: SharedStore = Arc::new(AtTimesAway { store, away: away.clone() });
        // longer than any test moves the clock
        let replica = Replica::with(&store, &clock, Duration::from_mins(10));
        replica.session.leased().await;
        let metrics = Arc::new(Metrics::default());
        let authorizer = Authorizer::new(replica.gate(realms, Arc::new(peppers()), once), PATIENCE, metrics.clone());
        Self { authorizer, hands, away, metrics, _replica: replica, _folder: folder }
    }

    async fn ask(&self, path: &str) -> CheckResponse {
        self.ask_with(path, &[]).await
    }

    async fn ask_with(&self, path: &str, headers: &[(&str, &str)]) -> CheckResponse {
        self.ask_as(path, &[headers, &[("x-api-key", SECRET)]].concat()).await
    }

    /// Without the key.
    async fn ask_as(&self, path: &str, headers: &[(&str, &str)]) -> CheckResponse {
        let request = check::request("GET", "told.test", path, headers).encode_to_vec();
        let answer = self.authorizer.answer(request.into(), &HeaderMap::new()).await.message();
        CheckResponse::decode(answer).unwrap()
    }

    /// The value of a counter in the text that Prometheus scrapes.
    fn counted(&self, series: &str) -> Option<u64> {
        let text = self.metrics.text();
        let line = text.lines().find(|line| line.starts_with(series))?;
        line.rsplit(' ').next()?.parse().ok()
    }

    fn goes_away(&self) {
        self.away.store(true, Ordering::SeqCst);
    }
}

/// A real store whose limits cannot be reached at times.
struct AtTimesAway {
    store: SharedStore,
    away: Arc<AtomicBool>,
}

#[async_trait]
impl Round for AtTimesAway {
    fn inner(&self) -> Result<&dyn Store, StoreError> {
        Ok(&*self.store)
    }

    async fn take(&self, charges: &[Charge]) -> Result<Vec<Taken>, StoreError> {
        if self.away.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable("a test says so".into()));
        }
        self.store.take(charges).await
    }
}
