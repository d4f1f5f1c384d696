//! What a change can be made to: keys and owners, as the ladder of a change sees them.

use async_trait::async_trait;

use super::terms::Target;
use super::{Caller, Keyring, KeyringError};
use crate::domain::lowered::{Says, may_lower};
use crate::domain::name::{KeyId, OwnerId};
use crate::domain::owner::Owner;
use crate::domain::record::Record;
use crate::store::{Change, Expect, Kept as Stored, Store, StoreError, What};

/// What a store keeps and a change is made to.
#[async_trait]
pub(super) trait Kept: Clone + PartialEq + Send + Sync {
    type Id: Send + Sync;

    /// What the store has under a name, whoever asks: for [`read`](Keyring::read) alone.
    async fn stored(store: &dyn Store, target: &Target<Self::Id>) -> Result<Option<Self>, StoreError>;
    /// The owner that it is, or that it belongs to.
    fn owner(&self) -> &OwnerId;
    /// Whether a caller that it is there for may change such a thing.
    fn is_open_to(caller: &Caller) -> Result<(), KeyringError>;
    /// What was read of the store as such.
    fn of(stored: Stored) -> Option<Self>;
    fn what(target: &Target<Self::Id>) -> What;
    fn missing(target: &Target<Self::Id>, keyring: &Keyring) -> KeyringError;
    fn revision(&self) -> u64;
    fn under(self, revision: u64) -> Self;
    /// What is made of another state of it: of the next generation, if a limit may be lower than it was.
    fn succeeding(self, before: &Self) -> Self;
    /// In place of what is expected.
    fn written(self, expect: Expect) -> Change;
    /// The resource's name in the audit log.
    fn name(target: &Target<Self::Id>) -> String;
}

#[async_trait]
impl Kept for Record {
    type Id = KeyId;

    async fn stored(store: &dyn Store, target: &Target<KeyId>) -> Result<Option<Self>, StoreError> {
        store.key(&target.realm, &target.id).await
    }

    fn owner(&self) -> &OwnerId {
        &self.owner
    }

    fn is_open_to(_: &Caller) -> Result<(), KeyringError> {
        Ok(())
    }

    fn of(stored: Stored) -> Option<Self> {
        if let Stored::Key(record) = stored { Some(record) } else { None }
    }

    fn what(target: &Target<KeyId>) -> What {
        What::Key(target.realm.clone(), target.id.clone())
    }

    fn missing(target: &Target<KeyId>, keyring: &Keyring) -> KeyringError {
        KeyringError::NoKey(target.realm.clone(), keyring.unknown(&target.id))
    }

    fn revision(&self) -> u64 {
        self.revision
    }

    fn under(self, revision: u64) -> Self {
        Self { revision, ..self }
    }

    fn succeeding(self, before: &Self) -> Self {
        let lowered = may_lower(of_key(before), of_key(&self));
        Self { generation: before.generation + u64::from(lowered), ..self }
    }

    fn written(self, expect: Expect) -> Change {
        Change::Key { record: self, expect }
    }

    fn name(target: &Target<KeyId>) -> String {
        format!("realms/{}/keys/{}", target.realm, target.id)
    }
}

#[async_trait]
impl Kept for Owner {
    type Id = OwnerId;

    async fn stored(store: &dyn Store, target: &Target<OwnerId>) -> Result<Option<Self>, StoreError> {
        store.owner(&target.realm, &target.id).await
    }

    fn owner(&self) -> &OwnerId {
        &self.id
    }

    fn is_open_to(caller: &Caller) -> Result<(), KeyringError> {
        caller.is_for_more_than_its_owner("the owner itself")
    }

    fn of(stored: Stored) -> Option<Self> {
        if let Stored::Owner(owner) = stored { Some(owner) } else { None }
    }

    fn what(target: &Target<OwnerId>) -> What {
        What::Owner(target.realm.clone(), target.id.clone())
    }

    fn missing(target: &Target<OwnerId>, keyring: &Keyring) -> KeyringError {
        KeyringError::NoOwner(target.realm.clone(), keyring.unknown(&target.id))
    }

    fn revision(&self) -> u64 {
        self.revision
    }

    fn under(self, revision: u64) -> Self {
        Self { revision, ..self }
    }

    fn succeeding(self, before: &Self) -> Self {
        let lowered = may_lower(of_owner(before), of_owner(&self));
        Self { generation: before.generation + u64::from(lowered), ..self }
    }

    fn written(self, expect: Expect) -> Change {
        Change::Owner { owner: self, expect }
    }

    fn name(target: &Target<OwnerId>) -> String {
        format!("realms/{}/owners/{}", target.realm, target.id)
    }
}

fn of_key(record: &Record) -> Says<'_> {
    Says { plan: record.plan.as_ref(), limits: &record.limits }
}

fn of_owner(owner: &Owner) -> Says<'_> {
    Says { plan: owner.plan.as_ref(), limits: &owner.limits }
}
