//! Reading: what is there for a caller, never a secret. Whatever a verb does begins here, for nothing else of the keyring asks the store for a
//! record by its name; what it has many of is in [`list`](super::list).

use super::kept::Kept;
use super::terms::Target;
use super::{Caller, Keyring, KeyringError};
use crate::domain::name::{KeyId, OwnerId, RealmId, admin_realm};
use crate::domain::owner::Owner;
use crate::domain::realm::Realm;
use crate::domain::record::Record;
use crate::revocation::Standing;

impl Keyring {
    /// One key.
    pub async fn key(&self, caller: &Caller, target: &Target<KeyId>) -> Result<Record, KeyringError> {
        self.read(caller, target).await
    }

    /// One owner.
    pub async fn owner(&self, caller: &Caller, target: &Target<OwnerId>) -> Result<Owner, KeyringError> {
        self.read(caller, target).await
    }

    /// The contract of a realm that is there for the caller.
    pub(super) fn realm(&self, caller: &Caller, id: &RealmId) -> Result<&Realm, KeyringError> {
        let realm = self.realms.get(id).filter(|_| caller.sees_realm(id));
        realm.map(|realm| &**realm).ok_or_else(|| KeyringError::NoRealm(self.unknown(id)))
    }

    /// The same, of a realm in which the caller may change something.
    pub(super) fn realm_to_change(&self, caller: &Caller, id: &RealmId) -> Result<&Realm, KeyringError> {
        let realm = self.realm(caller, id)?;
        caller.may_change(id)?;
        Ok(realm)
    }

    /// The contract of the admin tokens, which everybody needs to be let in.
    pub(super) fn tokens(&self) -> Result<&Realm, KeyringError> {
        let id = admin_realm();
        self.realms.get(&id).map(|realm| &**realm).ok_or(KeyringError::NoRealm(id.into()))
    }

    /// A key or an owner that is there for the caller.
    pub(super) async fn read<T: Kept>(&self, caller: &Caller, target: &Target<T::Id>) -> Result<T, KeyringError> {
        self.realm(caller, &target.realm)?;
        let found = T::stored(&*self.store, target).await?;
        found.filter(|thing| caller.sees(&target.realm, thing.owner())).ok_or_else(|| T::missing(target, self))
    }

    /// The same, as it is once everything is as durable as the store can make it.
    pub(super) async fn secured<T: Kept>(&self, caller: &Caller, target: &Target<T::Id>) -> Result<(T, Standing), KeyringError> {
        self.realm(caller, &target.realm)?;
        let (stored, standing) = self.store.secure(&T::what(target)).await?;
        let found = stored.and_then(T::of).filter(|thing| caller.sees(&target.realm, thing.owner()));
        Ok((found.ok_or_else(|| T::missing(target, self))?, standing))
    }
}
