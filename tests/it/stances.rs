//! The two stances when the store is away, each for its own call: a record that cannot be read is not a limit that cannot be counted.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use envoy_types::pb::envoy::service::auth::v3::CheckResponse;
use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use keyward::clock::{SharedClock, SystemClock};
use keyward::domain::key::Digest;
use keyward::domain::name::RealmId;
use keyward::domain::realms::Realms;
use keyward::grpc::check_server::Answers as _;
use keyward::grpc::ext_authz::Authorizer;
use keyward::store::embedded::Embedded;
use keyward::store::{Charge, Finding, Round, SharedStore, Store, StoreError, Taken};
use keyward::telemetry::metrics::Metrics;
use prost::Message as _;
use tonic::codegen::http::HeaderMap;

use crate::support::check;
use crate::support::in_process::Replica;
use crate::support::seed::{one_key, peppers};

const SECRET: &str = "st_0123456789abcdef0123456789abcdef";

/// Which call hangs, or says that what it read makes no sense.
#[derive(Clone, Copy, PartialEq)]
enum Fault {
    Neither,
    FindHangs,
    TakeHangs,
    FindIsCorrupt,
    TakeIsCorrupt,
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_denied_or_deferred_as_the_realm_says() {
    let deny = answer(Fault::FindHangs, "{records: deny, limits: allow}").await;
    assert_eq!(check::denied_status(&deny), Some(503));
    let defer = answer(Fault::FindHangs, "{records: defer, limits: allow}").await;
    assert!(!check::admits(&defer) && matches!(defer.http_response, Some(HttpResponse::ErrorResponse(_))));
}

#[tokio::test]
async fn a_limit_that_cannot_be_counted_is_denied_whatever_the_stance_for_records() {
    for stances in ["{records: defer, limits: deny}", "{records: deny, limits: deny}"] {
        let denied = answer(Fault::TakeHangs, stances).await;
        assert_eq!(check::denied_status(&denied), Some(503), "{stances}");
    }
}

#[tokio::test]
async fn a_limit_that_cannot_be_counted_passes_marked_where_the_realm_says_so() {
    let passed = answer(Fault::TakeHangs, "{records: deny, limits: allow}").await;
    assert!(check::admits(&passed));
    assert_eq!(check::metadata(&passed, "degraded").as_deref(), Some("limits"));
    let counted = answer(Fault::Neither, "{records: deny, limits: allow}").await;
    assert_eq!(check::metadata(&counted, "degraded"), None, "control: what is counted is not marked");
}

#[tokio::test]
async fn what_a_store_holds_and_cannot_read_is_denied_by_every_stance() {
    for fault in [Fault::FindIsCorrupt, Fault::TakeIsCorrupt] {
        let denied = answer(fault, "{records: defer, limits: allow}").await;
        assert_eq!(check::denied_status(&denied), Some(503), "a fault that is no absence must not take the lenient stance");
        assert_eq!(check::metadata(&denied, "reason").as_deref(), Some("internal"));
    }
}

fn corrupt() -> StoreError {
    StoreError::Corrupt("a test says so".into())
}

async fn answer(fault: Fault, stances: &str) -> CheckResponse {
    let folder = tempfile::tempdir().unwrap();
    let store: SharedStore = Arc::new(Embedded::open(folder.path(), Arc::new(SystemClock)).unwrap());
    one_key(&*store, "stances", SECRET).await;
    let realm = format!(
        "realm: stances\nhosts: [stances.test]\ncredentials: [{{header: x-api-key}}]\nkeys: [{{prefix: st_, alphabet: hex, length: 32}}]\n\
         routes: [{{prefix: /}}]\nplans: {{few: [{{limit: minute, per: key, most: 5, window: 1m}}]}}\ndefault_plan: few\n\
         when_store_is_away: {stances}\n"
    );
    let realms = Arc::new(Realms::new([keyward::config::realm("stances.yaml", &realm).unwrap()]).unwrap());
    let store: SharedStore = Arc::new(Faulty { store, fault });
    let clock: SharedClock = Arc::new(SystemClock);
    let replica = Replica::leased(&store, &clock).await;
    let gate = replica.gate(realms, Arc::new(peppers()), Duration::from_secs(10));
    let hangs = matches!(fault, Fault::FindHangs | Fault::TakeHangs);
    let deadline = if hangs { Duration::from_millis(300) } else { Duration::from_secs(10) };
    let authorizer = Authorizer::new(gate, deadline, Arc::new(Metrics::default()));
    let request = check::request("GET", "stances.test", "/", &[("x-api-key", SECRET)]).encode_to_vec();
    let response = authorizer.answer(request.into(), &HeaderMap::new()).await.message();
    CheckResponse::decode(response).unwrap()
}

/// A real store one of whose calls does not answer, or not as it must.
struct Faulty {
    store: SharedStore,
    fault: Fault,
}

#[async_trait]
impl Round for Faulty {
    fn inner(&self) -> Result<&dyn Store, StoreError> {
        Ok(&*self.store)
    }

    async fn find(&self, realm: &RealmId, digests: &[Digest]) -> Result<Finding, StoreError> {
        match self.fault {
            Fault::FindHangs => std::future::pending().await,
            Fault::FindIsCorrupt => Err(corrupt()),
            _ => self.store.find(realm, digests).await,
        }
    }

    async fn take(&self, charges: &[Charge]) -> Result<Vec<Taken>, StoreError> {
        match self.fault {
            Fault::TakeHangs => std::future::pending().await,
            Fault::TakeIsCorrupt => Err(corrupt()),
            _ => self.store.take(charges).await,
        }
    }
}
