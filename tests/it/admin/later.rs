//! A store round a store, whose time a test may move forward.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use keyward::domain::key::Digest;
use keyward::domain::name::RealmId;
use keyward::domain::time::StoreTime;
use keyward::store::{Finding, Round, SharedStore, Store, StoreError};

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
impl Round for Later {
    fn inner(&self) -> Result<&dyn Store, StoreError> {
        Ok(&*self.store)
    }

    async fn find(&self, realm: &RealmId, digests: &[Digest]) -> Result<Finding, StoreError> {
        let finding = self.store.find(realm, digests).await?;
        Ok(Finding { now: self.later(finding.now), ..finding })
    }

    async fn now(&self) -> Result<StoreTime, StoreError> {
        Ok(self.later(self.store.now().await?))
    }
}
