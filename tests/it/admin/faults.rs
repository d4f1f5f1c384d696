//! A store round a store, which may lie about how durable a change is, and be counted and held up by a test.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use keyward::revocation::{Holder, Level, Registration, Standing};
use keyward::store::{Commit, Committed, Kept, Round, SharedStore, Store, StoreError, What};

/// The store inside, until something else is said.
pub struct Faults {
    store: SharedStore,
    level: Mutex<Option<Level>>,
    asked: AtomicUsize,
}

impl Faults {
    pub fn new(store: SharedStore) -> Self {
        Self { store, level: Mutex::default(), asked: AtomicUsize::new(0) }
    }

    /// From now on every change is said to have reached this level.
    pub fn reaches(&self, level: Level) {
        *self.level.lock().unwrap_or_else(PoisonError::into_inner) = Some(level);
    }

    /// How often it was asked who holds a lease.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn told(&self, standing: Standing) -> Standing {
        let level = *self.level.lock().unwrap_or_else(PoisonError::into_inner);
        Standing { level: level.unwrap_or(standing.level), ..standing }
    }
}

#[async_trait]
impl Round for Faults {
    fn inner(&self) -> Result<&dyn Store, StoreError> {
        Ok(&*self.store)
    }

    async fn commit(&self, commit: &Commit) -> Result<Committed, StoreError> {
        let committed = self.store.commit(commit).await?;
        Ok(Committed { standing: self.told(committed.standing), ..committed })
    }

    async fn secure(&self, what: &What) -> Result<(Option<Kept>, Standing), StoreError> {
        let (kept, standing) = self.store.secure(what).await?;
        Ok((kept, self.told(standing)))
    }

    async fn holders(&self) -> Result<Vec<(Holder, Registration)>, StoreError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.store.holders().await
    }
}
