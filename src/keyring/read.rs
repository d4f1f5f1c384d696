//! Reading: what is there, never a secret.

use super::terms::Target;
use super::{Keyring, KeyringError};
use crate::domain::name::{KeyId, OwnerId, RealmId};
use crate::domain::owner::Owner;
use crate::domain::record::Record;
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
    pub async fn key(&self, target: &Target<KeyId>) -> Result<Record, KeyringError> {
        self.realm(&target.realm)?;
        let found = self.store.key(&target.realm, &target.id).await?;
        found.ok_or_else(|| KeyringError::NoKey(target.realm.clone(), target.id.clone()))
    }

    /// Keys of a realm, or of one of its owners, oldest first.
    pub async fn keys(&self, realm: &RealmId, owner: Option<&OwnerId>, page: &Page) -> Result<Listing<Record>, KeyringError> {
        self.realm(realm)?;
        Ok(Listing::cut(self.store.keys(realm, owner, &one_more(page)).await?, page.count))
    }

    /// One owner.
    pub async fn owner(&self, target: &Target<OwnerId>) -> Result<Owner, KeyringError> {
        self.realm(&target.realm)?;
        let found = self.store.owner(&target.realm, &target.id).await?;
        found.ok_or_else(|| KeyringError::NoOwner(target.realm.clone(), target.id.clone()))
    }

    /// Owners of a realm in the order of their ids.
    pub async fn owners(&self, realm: &RealmId, page: &Page) -> Result<Listing<Owner>, KeyringError> {
        self.realm(realm)?;
        Ok(Listing::cut(self.store.owners(realm, &one_more(page)).await?, page.count))
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
