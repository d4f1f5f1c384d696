//! A key is forgotten: whoever presents it is a stranger from then on, and its secrets may be given to another.

use super::edit::ATTEMPTS;
use super::guarantee::{Guarantee, Promise};
use super::kept::Kept as _;
use super::{Caller, Keyring, KeyringError, Target, Terms};
use crate::domain::name::KeyId;
use crate::domain::record::Record;
use crate::store::{Change, Commit, Expect, Needs, StoreError};

/// A key that is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deleted {
    /// Where that stands in the store's log.
    pub position: u64,
    /// Why no replica admits it.
    pub guarantee: Guarantee,
}

/// A revision that no record has: only what was done before, under the same request id, is asked for.
const NONE: u64 = u64::MAX;

impl Keyring {
    /// Removes a key, and ends when no replica admits it any more.
    pub async fn delete_key(&self, caller: &Caller, target: &Target<KeyId>, terms: &Terms) -> Result<Deleted, KeyringError> {
        self.realm_to_change(caller, &target.realm)?;
        for _ in 0..ATTEMPTS {
            let found = match self.read::<Record>(caller, target).await {
                Err(KeyringError::NoKey(..)) if terms.once.is_some() => None,
                found => Some(found?.revision),
            };
            let seen = match (terms.seen, found) {
                (Some(seen), Some(revision)) if seen != revision && terms.once.is_none() => return Err(KeyringError::EtagOld),
                // whatever its etag: it may be there for somebody else
                (_, None) => NONE,
                (Some(seen), Some(_)) => seen,
                (None, Some(revision)) => revision,
            };
            let begun = self.guard.clock.boot();
            let (realm, id) = (target.realm.clone(), target.id.clone());
            let commit = Commit {
                changes: vec![Change::Removed { realm, id, expect: Expect::Revision(seen) }],
                audit: self.note(caller, "DeleteKey", Record::name(target)),
                request: terms.once.as_ref().map(|once| once.of(caller, None)),
                once: None,
                needs: Needs::default(),
            };
            match self.store.commit(&commit).await {
                Ok(committed) => {
                    let (position, standing) = (committed.position, &committed.standing);
                    let promise = Promise { rpc: "DeleteKey", name: Record::name(target), position, standing, begun };
                    return Ok(Deleted { position, guarantee: self.guaranteed(promise).await? });
                }
                Err(StoreError::Conflict) if found.is_none() => return Err(Record::missing(target, self)),
                Err(StoreError::Conflict) if terms.seen.is_some() => return Err(KeyringError::EtagOld),
                Err(StoreError::Conflict) => {}
                Err(other) => return Err(other.into()),
            }
        }
        Err(KeyringError::Busy)
    }
}
