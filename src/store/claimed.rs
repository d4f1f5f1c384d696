//! A store round a store: nothing passes before the store has said that its keys were made under this replica's peppers. To a replica with
//! others every key would be unknown, and what it made nobody else would know.

use std::sync::OnceLock;

use super::{PepperClaim, Round, SharedStore, Store, StoreError};
use crate::domain::key::Peppers;

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
}

impl Round for Claimed {
    fn inner(&self) -> Result<&dyn Store, StoreError> {
        self.opened.get().ok_or_else(|| StoreError::Unavailable("it has not answered since the start".into()))?;
        Ok(&*self.inner)
    }
}
