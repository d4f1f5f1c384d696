//! Changing what exists: read, change, write where nothing came between. Where something did, the caller's terms say whether to begin again.

use async_trait::async_trait;

use super::terms::{Target, Terms};
use super::{Caller, Keyring, KeyringError};
use crate::domain::name::{KeyId, OwnerId};
use crate::domain::owner::Owner;
use crate::domain::record::Record;
use crate::domain::time::StoreTime;
use crate::store::{AuditNote, Change, Commit, Committed, Expect, StoreError};

/// How often a change is begun again when others come between.
pub(super) const ATTEMPTS: usize = 16;

/// What became of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed<T> {
    /// As it is now.
    pub now: T,
    /// Where the change stands in the store's log; `None`: nothing had to change.
    pub position: Option<u64>,
}

/// A change to one thing: who, to what, which.
pub(super) struct Edit<'a, T: Kept> {
    pub(super) caller: &'a Caller,
    /// The RPC's name.
    pub(super) action: &'static str,
    pub(super) target: &'a Target<T::Id>,
    pub(super) change: fn(&mut T, StoreTime),
}

/// What a store keeps and a change is made to.
#[async_trait]
pub(super) trait Kept: Clone + PartialEq + Send + Sync {
    type Id: Send + Sync;

    async fn read(keyring: &Keyring, target: &Target<Self::Id>) -> Result<Self, KeyringError>;
    fn revision(&self) -> u64;
    /// Under this revision, in place of the one that is expected.
    fn written(self, revision: u64, expect: Expect) -> Change;
    /// The resource's name in the audit log.
    fn name(target: &Target<Self::Id>) -> String;
}

impl Keyring {
    /// Makes a change, or finds that there is nothing to change. With a request id it is written all the same: a late repetition must not
    /// become a change after somebody made another one.
    pub(super) async fn edit<T: Kept>(&self, edit: Edit<'_, T>, terms: &Terms) -> Result<Changed<T>, KeyringError> {
        edit.caller.may_change(&edit.target.realm)?;
        for _ in 0..ATTEMPTS {
            let before = T::read(self, edit.target).await?;
            let seen = terms.seen.unwrap_or_else(|| before.revision());
            let mut after = before.clone();
            (edit.change)(&mut after, self.store.now().await?);
            if after == before && seen == before.revision() && terms.once.is_none() {
                return Ok(Changed { now: before, position: None });
            }
            may_be_tried(seen, before.revision(), terms)?;
            match self.store.commit(&edit.commit(after, seen, terms)).await {
                Ok(committed) => return self.changed(edit.target, &committed).await,
                Err(StoreError::Conflict) if terms.seen.is_some() => return Err(KeyringError::EtagOld),
                Err(StoreError::Conflict) => {}
                Err(other) => return Err(other.into()),
            }
        }
        Err(KeyringError::Busy)
    }

    async fn changed<T: Kept>(&self, target: &Target<T::Id>, committed: &Committed) -> Result<Changed<T>, KeyringError> {
        Ok(Changed { now: T::read(self, target).await?, position: Some(committed.position) })
    }
}

impl<T: Kept> Edit<'_, T> {
    fn commit(&self, after: T, seen: u64, terms: &Terms) -> Commit {
        Commit {
            changes: vec![after.written(seen + 1, Expect::Revision(seen))],
            audit: AuditNote { actor: Some(self.caller.key.clone()), action: self.action, subject: T::name(self.target) },
            request: terms.once.as_ref().map(|once| once.of(self.caller, None)),
            once: None,
        }
    }
}

/// An old etag ends it here, but where a request id says that this may be a repetition: then the store knows. It cannot write over what
/// came between, for revisions only grow; one from the future could, one day.
fn may_be_tried(seen: u64, revision: u64, terms: &Terms) -> Result<(), KeyringError> {
    if seen == revision || (seen < revision && terms.once.is_some()) { Ok(()) } else { Err(KeyringError::EtagOld) }
}

#[async_trait]
impl Kept for Record {
    type Id = KeyId;

    async fn read(keyring: &Keyring, target: &Target<KeyId>) -> Result<Self, KeyringError> {
        keyring.key(target).await
    }

    fn revision(&self) -> u64 {
        self.revision
    }

    fn written(self, revision: u64, expect: Expect) -> Change {
        Change::Key { record: Self { revision, ..self }, expect }
    }

    fn name(target: &Target<KeyId>) -> String {
        format!("realms/{}/keys/{}", target.realm, target.id)
    }
}

#[async_trait]
impl Kept for Owner {
    type Id = OwnerId;

    async fn read(keyring: &Keyring, target: &Target<OwnerId>) -> Result<Self, KeyringError> {
        keyring.owner(target).await
    }

    fn revision(&self) -> u64 {
        self.revision
    }

    fn written(self, revision: u64, expect: Expect) -> Change {
        Change::Owner { owner: Self { revision, ..self }, expect }
    }

    fn name(target: &Target<OwnerId>) -> String {
        format!("realms/{}/owners/{}", target.realm, target.id)
    }
}
