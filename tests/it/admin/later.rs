//! A store round a store, whose time a test may move forward.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use keyward::domain::key::Digest;
use keyward::domain::name::{KeyId, OwnerId, RealmId};
use keyward::domain::owner::Owner;
use keyward::domain::record::Record;
use keyward::domain::time::StoreTime;
use keyward::store::{Charge, Commit, Committed, Finding, Page, PepperClaim, SharedStore, Store, StoreError, Taken};

/// The store inside, some time later.
pub struct Later {
    store: SharedStore,
    by_ms: AtomicI64,
}

impl Later {
    pub fn new(store: SharedStore) -> Self {
        Self { store, by_ms: AtomicI64::new(0) }
    }

    /// Moves time forward.
    pub fn pass(&self, time: Duration) {
        self.by_ms.fetch_add(time.as_millis().try_into().unwrap(), Ordering::SeqCst);
    }

    fn later(&self, time: StoreTime) -> StoreTime {
        StoreTime(time.0 + self.by_ms.load(Ordering::SeqCst))
    }
}

#[async_trait]
impl Store for Later {
    async fn find(&self, realm: &RealmId, digests: &[Digest]) -> Result<Finding, StoreError> {
        let finding = self.store.find(realm, digests).await?;
        Ok(Finding { now: self.later(finding.now), ..finding })
    }

    async fn now(&self) -> Result<StoreTime, StoreError> {
        Ok(self.later(self.store.now().await?))
    }

    async fn take(&self, charges: &[Charge]) -> Result<Vec<Taken>, StoreError> {
        self.store.take(charges).await
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
}
