//! A store round a store: nothing passes before the store has said that its keys were made under this replica's peppers. To a replica with
//! others every key would be unknown, and what it made nobody else would know.

use std::sync::OnceLock;

use async_trait::async_trait;

use super::{Charge, Commit, Committed, Finding, Page, PepperClaim, SharedStore, Store, StoreError, Taken};
use crate::domain::key::{Digest, Peppers};
use crate::domain::name::{KeyId, OwnerId, RealmId};
use crate::domain::owner::Owner;
use crate::domain::record::Record;
use crate::domain::time::StoreTime;

/// The store inside, closed until the claim.
pub struct Claimed {
    inner: SharedStore,
    claims: Vec<PepperClaim>,
    opened: OnceLock<()>,
}

impl Claimed {
    pub fn new(inner: SharedStore, peppers: &Peppers) -> Self {
        let claims = peppers.iter().map(|pepper| PepperClaim { version: pepper.version.clone(), check_value: pepper.check_value() });
        Self { inner, claims: claims.collect(), opened: OnceLock::new() }
    }

    /// Opens it, once the store has answered. Any error but [`StoreError::Unavailable`] is for good.
    pub async fn claim(&self) -> Result<(), StoreError> {
        self.inner.claim_peppers(&self.claims).await?;
        self.opened.get_or_init(|| ());
        Ok(())
    }

    fn open(&self) -> Result<&dyn Store, StoreError> {
        self.opened.get().ok_or_else(|| StoreError::Unavailable("it has not answered since the start".into()))?;
        Ok(&*self.inner)
    }
}

#[async_trait]
impl Store for Claimed {
    async fn find(&self, realm: &RealmId, digests: &[Digest]) -> Result<Finding, StoreError> {
        self.open()?.find(realm, digests).await
    }

    async fn take(&self, charges: &[Charge]) -> Result<Vec<Taken>, StoreError> {
        self.open()?.take(charges).await
    }

    async fn commit(&self, commit: &Commit) -> Result<Committed, StoreError> {
        self.open()?.commit(commit).await
    }

    async fn key(&self, realm: &RealmId, id: &KeyId) -> Result<Option<Record>, StoreError> {
        self.open()?.key(realm, id).await
    }

    async fn owner(&self, realm: &RealmId, id: &OwnerId) -> Result<Option<Owner>, StoreError> {
        self.open()?.owner(realm, id).await
    }

    async fn keys(&self, realm: &RealmId, owner: Option<&OwnerId>, page: &Page) -> Result<Vec<Record>, StoreError> {
        self.open()?.keys(realm, owner, page).await
    }

    async fn owners(&self, realm: &RealmId, page: &Page) -> Result<Vec<Owner>, StoreError> {
        self.open()?.owners(realm, page).await
    }

    async fn claim_peppers(&self, claims: &[PepperClaim]) -> Result<(), StoreError> {
        self.inner.claim_peppers(claims).await
    }

    async fn now(&self) -> Result<StoreTime, StoreError> {
        self.open()?.now().await
    }
}
