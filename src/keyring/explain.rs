//! What a caller may have explained: requests of the realms, and keys of the owners, that are there for it.

use super::terms::Target;
use super::unknown::Unknown;
use super::{Caller, Keyring, KeyringError};
use crate::domain::name::{KeyId, OwnerId, RealmId};
use crate::domain::realms::Realms;
use crate::domain::record::Holder;
use crate::domain::time::StoreTime;

impl Keyring {
    /// One key with its owner, and the store's time.
    pub async fn holder(&self, caller: &Caller, target: &Target<KeyId>) -> Result<(Holder, StoreTime), KeyringError> {
        let record = self.key(caller, target).await?;
        let owner = self.owner(caller, &Target { realm: target.realm.clone(), id: record.owner.clone() }).await?;
        Ok((Holder { record, owner }, self.store.now().await?))
    }
}

impl Caller {
    /// The realm that the requests of this caller are taken to be in, where it names this one; `None`: whichever their host says. Whoever is
    /// bound to one hears of no other.
    pub fn explains<'a>(&'a self, named: Option<&'a RealmId>, realms: &Realms) -> Result<Option<&'a RealmId>, KeyringError> {
        match named {
            None => Ok(self.only_realm()),
            Some(realm) if self.only_realm().is_none_or(|own| own == realm) => Ok(Some(realm)),
            Some(realm) => Err(KeyringError::NoRealm(Unknown::of(realm, realms))),
        }
    }

    /// Whether the caller hears whose key it is. If not, nobody's is it, as far as the caller is told.
    #[must_use]
    pub fn hears_of(&self, realm: &RealmId, owner: &OwnerId) -> bool {
        self.sees(realm, owner)
    }
}
