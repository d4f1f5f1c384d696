//! Owners are made, disabled and enabled again.

use super::draft::OwnerDraft;
use super::edit::{Edit, Effect};
use super::kept::Kept as _;
use super::terms::Once;
use super::{Caller, Changed, Keyring, KeyringError, Target, Terms, contract};
use crate::domain::name::{OwnerId, RealmId};
use crate::domain::owner::Owner;
use crate::domain::time::StoreTime;
use crate::store::{Change, Commit, Expect, Needs, StoreError};

/// An owner to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewOwner {
    pub realm: RealmId,
    pub id: OwnerId,
    pub owner: OwnerDraft,
    pub once: Option<Once>,
}

impl Keyring {
    /// Makes an owner. A repeated request id answers with the owner as it is now.
    pub async fn create_owner(&self, caller: &Caller, new: &NewOwner) -> Result<Owner, KeyringError> {
        let realm = self.realm_to_change(caller, &new.realm)?;
        caller.is_for_more_than_its_owner("making owners")?;
        contract::of_owner(realm, &new.owner)?;
        let owner = new.made_at(self.store.now().await?);
        let committed = self.store.commit(&new.commit(self, caller, owner.clone())).await.map_err(|error| new.refused(error))?;
        match committed.replayed {
            None => Ok(owner),
            Some(_) => self.owner(caller, &new.target()).await,
        }
    }

    /// Shuts all keys of an owner, and ends when no replica admits any of them; what each of them is by itself stays as it is.
    pub async fn disable(&self, caller: &Caller, target: &Target<OwnerId>, terms: &Terms) -> Result<Changed<Owner>, KeyringError> {
        let change = |owner: &mut Owner, now| {
            owner.disabled.get_or_insert(now);
        };
        self.edit(Edit { caller, action: "DisableOwner", effect: Effect::Restricts, target, change: &change }, terms).await
    }

    /// Lets an owner's keys in again.
    pub async fn enable(&self, caller: &Caller, target: &Target<OwnerId>, terms: &Terms) -> Result<Changed<Owner>, KeyringError> {
        let change = |owner: &mut Owner, _: StoreTime| owner.disabled = None;
        self.edit(Edit { caller, action: "EnableOwner", effect: Effect::Loosens, target, change: &change }, terms).await
    }
}

impl NewOwner {
    fn target(&self) -> Target<OwnerId> {
        Target { realm: self.realm.clone(), id: self.id.clone() }
    }

    fn made_at(&self, now: StoreTime) -> Owner {
        Owner {
            realm: self.realm.clone(),
            id: self.id.clone(),
            name: self.owner.name.clone(),
            plan: self.owner.plan.clone(),
            limits: self.owner.limits.clone(),
            created: now,
            disabled: None,
            revision: 1,
            generation: 0,
        }
    }

    fn commit(&self, keyring: &Keyring, caller: &Caller, owner: Owner) -> Commit {
        Commit {
            changes: vec![Change::Owner { owner, expect: Expect::Absent }],
            audit: keyring.note(caller, "CreateOwner", Owner::name(&self.target())),
            request: self.once.as_ref().map(|once| once.of(caller, None)),
            once: None,
            needs: Needs::default(),
        }
    }

    fn refused(&self, error: StoreError) -> KeyringError {
        match error {
            StoreError::Exists(_) | StoreError::Conflict => KeyringError::OwnerExists(self.realm.clone(), self.id.clone()),
            other => other.into(),
        }
    }
}
