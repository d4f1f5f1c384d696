//! Reading: what is there for a caller, never a secret. Whatever a verb does begins here, for nothing else of the keyring asks the store for a
//! record by its name.

use super::kept::Kept;
use super::terms::Target;
use super::{Caller, Keyring, KeyringError};
use crate::domain::name::{KeyId, OwnerId, RealmId, admin_realm};
use crate::domain::owner::Owner;
use crate::domain::realm::Realm;
use crate::domain::record::Record;
use crate::revocation::Standing;
use crate::store::Page;

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing<T> {
    pub items: Vec<T>,
    /// Whether something follows.
    pub more: bool,
}

impl Keyring {
    /// One key.
    pub async fn key(&self, caller: &Caller, target: &Target<KeyId>) -> Result<Record, KeyringError> {
        self.read(caller, target).await
    }

    /// Keys of a realm, or of one of its owners, oldest first.
    pub async fn keys(
        &self,
        caller: &Caller,
        realm: &RealmId,
        owner: Option<&OwnerId>,
        page: &Page,
    ) -> Result<Listing<Record>, KeyringError> {
        self.realm(caller, realm)?;
        let owner = owner.or(caller.only_owner());
        if owner.is_some_and(|owner| !caller.sees(realm, owner)) {
            return Ok(Listing { items: Vec::new(), more: false });
        }
        Ok(Listing::cut(self.store.keys(realm, owner, &one_more(page)).await?, page.count))
    }

    /// One owner.
    pub async fn owner(&self, caller: &Caller, target: &Target<OwnerId>) -> Result<Owner, KeyringError> {
        self.read(caller, target).await
    }

    /// Owners of a realm in the order of their ids.
    pub async fn owners(&self, caller: &Caller, realm: &RealmId, page: &Page) -> Result<Listing<Owner>, KeyringError> {
        self.realm(caller, realm)?;
        let Some(only) = caller.only_owner() else {
            return Ok(Listing::cut(self.store.owners(realm, &one_more(page)).await?, page.count));
        };
        let is_after = page.after.as_ref().is_none_or(|after| only.as_str() > after.as_str());
        let found = if is_after { self.store.owner(realm, only).await? } else { None };
        Ok(Listing { items: found.into_iter().collect(), more: false })
    }

    /// The contract of a realm that is there for the caller.
    pub(super) fn realm(&self, caller: &Caller, id: &RealmId) -> Result<&Realm, KeyringError> {
        let realm = self.realms.get(id).filter(|_| caller.sees_realm(id));
        realm.map(|realm| &**realm).ok_or_else(|| KeyringError::NoRealm(id.clone()))
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
        self.realms.get(&id).map(|realm| &**realm).ok_or(KeyringError::NoRealm(id))
    }

    /// A key or an owner that is there for the caller.
    pub(super) async fn read<T: Kept>(&self, caller: &Caller, target: &Target<T::Id>) -> Result<T, KeyringError> {
        self.realm(caller, &target.realm)?;
        let found = T::stored(&*self.store, target).await?;
        found.filter(|thing| caller.sees(&target.realm, thing.owner())).ok_or_else(|| T::missing(target))
    }

    /// The same, as it is once everything is as durable as the store can make it.
    pub(super) async fn secured<T: Kept>(&self, caller: &Caller, target: &Target<T::Id>) -> Result<(T, Standing), KeyringError> {
        self.realm(caller, &target.realm)?;
        let (stored, standing) = self.store.secure(&T::what(target)).await?;
        let found = stored.and_then(T::of).filter(|thing| caller.sees(&target.realm, thing.owner()));
        Ok((found.ok_or_else(|| T::missing(target))?, standing))
    }
}

impl<T> Listing<T> {
    fn cut(mut items: Vec<T>, count: usize) -> Self {
        let more = items.len() > count;
        items.truncate(count);
        Self { items, more }
    }
}

/// The one beyond the page tells whether there is a next one.
fn one_more(page: &Page) -> Page {
    Page { after: page.after.clone(), count: page.count + 1 }
}
