//! The two stances when the store is away, each for its own call: a record that cannot be read is not a limit that cannot be counted.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use envoy_types::pb::envoy::service::auth::v3::CheckResponse;
use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use keyward::clock::SystemClock;
use keyward::domain::key::Digest;
use keyward::domain::name::{KeyId, OwnerId, RealmId};
use keyward::domain::owner::Owner;
use keyward::domain::realms::Realms;
use keyward::domain::record::Record;
use keyward::domain::time::StoreTime;
use keyward::gate::Gate;
use keyward::grpc::ext_authz::Authorizer;
use keyward::replica::tokens::Tokens;
use keyward::store::embedded::Embedded;
use keyward::store::{Charge, Commit, Committed, Finding, Page, PepperClaim, SharedStore, Store, StoreError, Taken};
use keyward::telemetry::metrics::Metrics;
use prost::Message as _;
use tonic::metadata::MetadataMap;

use crate::support::check;
use crate::support::seed::{one_key, peppers};

const SECRET: &str = "st_0123456789abcdef0123456789abcdef";

/// Which call hangs.
#[derive(Clone, Copy, PartialEq)]
enum Hangs {
    Neither,
    Find,
    Take,
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_denied_or_deferred_as_the_realm_says() {
    let deny = answer(Hangs::Find, "{records: deny, limits: allow}").await;
    assert_eq!(check::denied_status(&deny), Some(503));
    let defer = answer(Hangs::Find, "{records: defer, limits: allow}").await;
    assert!(!check::admits(&defer) && matches!(defer.http_response, Some(HttpResponse::ErrorResponse(_))));
}

#[tokio::test]
async fn a_limit_that_cannot_be_counted_is_denied_whatever_the_stance_for_records() {
    for stances in ["{records: defer, limits: deny}", "{records: deny, limits: deny}"] {
        let denied = answer(Hangs::Take, stances).await;
        assert_eq!(check::denied_status(&denied), Some(503), "{stances}");
    }
}

#[tokio::test]
async fn a_limit_that_cannot_be_counted_passes_marked_where_the_realm_says_so() {
    let passed = answer(Hangs::Take, "{records: deny, limits: allow}").await;
    assert!(check::admits(&passed));
    assert_eq!(check::metadata(&passed, "degraded").as_deref(), Some("limits"));
    let counted = answer(Hangs::Neither, "{records: deny, limits: allow}").await;
    assert_eq!(check::metadata(&counted, "degraded"), None, "control: what is counted is not marked");
}

async fn answer(hangs: Hangs, stances: &str) -> CheckResponse {
    let folder = tempfile::tempdir().unwrap();
    let store: SharedStore = Arc::new(Embedded::open(folder.path(), Arc::new(SystemClock)).unwrap());
    one_key(&*store, "stances", SECRET).await;
    let realm = format!(
        "realm: stances\nhosts: [stances.test]\ncredentials: [{{header: x-api-key}}]\nkeys: [{{prefix: st_, alphabet: hex, length: 32}}]\n\
         routes: [{{prefix: /}}]\nplans: {{few: [{{limit: minute, per: key, most: 5, window: 1m}}]}}\ndefault_plan: few\n\
         when_store_is_away: {stances}\n"
    );
    let realms = Arc::new(Realms::new([keyward::config::realm("stances.yaml", &realm).unwrap()]).unwrap());
    let store: SharedStore = Arc::new(Hanging { store, hangs });
    let tokens = Tokens::new(store.clone(), Arc::new(SystemClock), Duration::from_secs(10));
    let gate = Gate::new(realms, store, Arc::new(peppers()), tokens);
    let deadline = if hangs == Hangs::Neither { Duration::from_secs(10) } else { Duration::from_millis(300) };
    let authorizer = Authorizer::new(gate, None, deadline, Arc::new(Metrics::default()));
    let request = check::request("GET", "stances.test", "/", &[("x-api-key", SECRET)]).encode_to_vec();
    let asked = keyward::proto::envoy::service::auth::v3::CheckRequest::decode(request.as_slice());
    let response = authorizer.answer(asked, &MetadataMap::new()).await;
    CheckResponse::decode(response.encode_to_vec().as_slice()).unwrap()
}

/// A real store one of whose calls never answers.
struct Hanging {
    store: SharedStore,
    hangs: Hangs,
}

#[async_trait]
impl Store for Hanging {
    async fn find(&self, realm: &RealmId, digests: &[Digest]) -> Result<Finding, StoreError> {
        if self.hangs == Hangs::Find { std::future::pending().await } else { self.store.find(realm, digests).await }
    }

    async fn take(&self, charges: &[Charge]) -> Result<Vec<Taken>, StoreError> {
        if self.hangs == Hangs::Take { std::future::pending().await } else { self.store.take(charges).await }
    }

    async fn commit(&self, commit: &Commit) -> Result<Committed, StoreError> {
        self.store.commit(commit).await
    }

    async fn key(&self, realm: &RealmId, id: &KeyId) -> Result<Option<Record>, StoreError> {
        self.store.key(realm, id).await
    }

    async fn owner(&self, realm: &RealmId, id: &OwnerId) -> Result<Option<Owner>, StoreError> {
        self.store.owner(realm, id).await
    }

    async fn keys(&self, realm: &RealmId, owner: Option<&OwnerId>, page: &Page) -> Result<Vec<Record>, StoreError> {
        self.store.keys(realm, owner, page).await
    }

    async fn owners(&self, realm: &RealmId, page: &Page) -> Result<Vec<Owner>, StoreError> {
        self.store.owners(realm, page).await
    }

    async fn claim_peppers(&self, claims: &[PepperClaim]) -> Result<(), StoreError> {
        self.store.claim_peppers(claims).await
    }

    async fn now(&self) -> Result<StoreTime, StoreError> {
        self.store.now().await
    }
}
