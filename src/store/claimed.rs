//! A store round a store: nothing passes before the store has said that its keys were made under this replica's peppers, and which of them new
//! ones are put under. To a replica with others every key would be unknown, and what it made nobody else would know.
//!
//! Whoever has been away for so long that the others may have dismissed it, and agreed on another pepper without it, agrees anew before it asks
//! for a lease.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use super::{Commit, Committed, Knows, Line, PepperClaim, Round, SharedStore, Store, StoreError};
use crate::clock::SharedClock;
use crate::domain::key::{Pepper, Peppers};
use crate::domain::name::Word;
use crate::domain::time::BootTime;
use crate::revocation::{Holder, Renewal, Renewed};

/// The store inside, closed until the claim.
pub struct Claimed {
    inner: SharedStore,
    peppers: Arc<Peppers>,
    claims: Vec<PepperClaim>,
    knows: Knows,
    clock: SharedClock,
    opened: OnceLock<()>,
    /// When the last renewal was asked for that was answered, or the claim.
    renewed: Mutex<BootTime>,
}

impl Claimed {
    /// `lease`: how long that of the replica lasts.
    pub fn new(inner: SharedStore, peppers: Arc<Peppers>, (replica, lease): (Holder, Duration), clock: SharedClock) -> Self {
        let claim = |pepper: &Pepper| PepperClaim { version: pepper.version.clone(), check_value: pepper.check_value() };
        let claims: Vec<PepperClaim> = peppers.iter().map(claim).collect();
        // nobody is kept from starting by what nobody can bring back
        let lost = peppers.lost().iter().cloned();
        let knows = Knows { replica, lease, versions: claims.iter().map(|claim| claim.version.clone()).chain(lost).collect() };
        let renewed = Mutex::new(clock.boot());
        Self { inner, peppers, claims, knows, clock, opened: OnceLock::new(), renewed }
    }

    /// Opens it, once the store has answered. Any error but [`StoreError::Unavailable`] is for good.
    pub async fn claim(&self) -> Result<(), StoreError> {
        let begun = self.clock.boot();
        self.inner.claim_peppers(&self.claims).await?;
        self.may_begin().await?;
        self.agree().await?;
        self.is_registered(begun);
        self.opened.get_or_init(|| ());
        Ok(())
    }

    /// Learns which pepper new secrets are put under. [`StoreError::PepperMissing`]: others use one that this replica does not have, so that it
    /// must not answer for what it does not find.
    pub async fn agree(&self) -> Result<(), StoreError> {
        let version = self.inner.agree_on_pepper(&self.knows).await?;
        if self.peppers.newest().version == version && self.opened.get().is_some() {
            return Ok(());
        }
        if !self.peppers.use_version(&version) {
            return Err(StoreError::PepperMissing(version));
        }
        tracing::info!(%version, "new secrets are put under this pepper");
        Ok(())
    }

    /// Whether the first of its peppers is the one in use.
    #[must_use]
    pub fn uses_its_first(&self) -> bool {
        self.knows.versions.first() == Some(&self.peppers.newest().version)
    }

    /// A new pepper may be put beside a withdrawn one, and not the other way.
    async fn may_begin(&self) -> Result<(), StoreError> {
        let known = self.inner.peppers().await?;
        let is_withdrawn = |version: &Word| known.iter().any(|one| one.version == *version && one.withdrawn.is_some());
        let mut withdrawn = self.knows.versions.iter().filter(|version| is_withdrawn(version)).peekable();
        if let Some(first) = withdrawn.next_if(|version| self.knows.versions.first() == Some(*version)) {
            return Err(StoreError::PepperWithdrawn(first.clone()));
        }
        for version in withdrawn {
            tracing::warn!(%version, "this pepper was withdrawn: its line in the pepper file is good for nothing, and can go");
        }
        Ok(())
    }

    fn is_registered(&self, since: BootTime) {
        *self.renewed.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }

    /// Whether the others may have taken this replica for gone: not before a lease is over, and a renewal is given up sooner than the rest of it.
    fn may_be_dismissed(&self, now: BootTime) -> bool {
        let renewed = *self.renewed.lock().unwrap_or_else(PoisonError::into_inner);
        now.0.saturating_sub(renewed.0) > self.knows.lease / 2
    }
}

#[async_trait]
impl Round for Claimed {
    fn inner(&self) -> Result<&dyn Store, StoreError> {
        self.opened.get().ok_or_else(|| StoreError::Unavailable("it has not answered since the start".into()))?;
        Ok(&*self.inner)
    }

    async fn renew(&self, renewal: &Renewal) -> Result<Renewed, StoreError> {
        let (inner, now) = (self.inner()?, self.clock.boot());
        if self.may_be_dismissed(now) {
            self.agree().await?;
        }
        let renewed = inner.renew(renewal).await?;
        self.is_registered(now);
        Ok(renewed)
    }

    /// A pepper that was withdrawn a moment ago is not used any more: whoever begins again does so under another.
    async fn commit_in_line(&self, commit: &Commit, line: &mut Line) -> Result<Committed, StoreError> {
        match self.inner()?.commit_in_line(commit, line).await {
            Err(StoreError::PepperWithdrawn(_)) => {
                self.agree().await?;
                Err(StoreError::Conflict)
            }
            committed => committed,
        }
    }
}
