//! What is told of a key beside its record: what hangs on the time, on its owner and on its realm.

use super::{Keyring, KeyringError};
use crate::domain::life::State;
use crate::domain::name::{OwnerId, RealmId};
use crate::domain::owner::Owner;
use crate::domain::record::Record;
use crate::domain::time::StoreTime;

/// A key, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub record: Record,
    /// `None`: it hangs on the owner, who could not be read.
    pub state: Option<State>,
    /// When another secret should take over; `None`: nothing is advised.
    pub rotates: Option<StoreTime>,
}

impl Keyring {
    /// A key that was read.
    pub async fn seen(&self, record: Record) -> Result<Seen, KeyringError> {
        let now = self.store.now().await?;
        let realm = record.realm.clone();
        let seen = self.all_seen(&realm, vec![record], now).await?.pop();
        seen.ok_or(KeyringError::NoRealm(realm.into()))
    }

    /// A key that was made or changed. That is done, so whatever cannot be read now is left open, and is no error.
    pub async fn told(&self, record: Record) -> Seen {
        // of a revoked one all is known: a revocation is answered without asking anybody anything more
        let seen = if record.revoked.is_none() { self.seen(record.clone()).await.ok() } else { None };
        seen.unwrap_or_else(|| self.see(record, None, StoreTime::default()))
    }

    /// Keys of a realm; their owners are read at once, and only those whose keys' state hangs on them.
    pub(super) async fn all_seen(&self, realm: &RealmId, records: Vec<Record>, now: StoreTime) -> Result<Vec<Seen>, KeyringError> {
        let open = records.iter().filter(|record| State::of(record, None, now).is_none());
        let mut ids: Vec<OwnerId> = open.map(|record| record.owner.clone()).collect();
        ids.sort_unstable_by(|one, other| one.as_str().cmp(other.as_str()));
        ids.dedup();
        let mut owners = if ids.is_empty() { Vec::new() } else { self.store.owners_of(realm, &ids).await? };
        owners.sort_unstable_by(|one, other| one.id.as_str().cmp(other.id.as_str()));
        let of = |record: &Record| owners.binary_search_by(|owner| owner.id.as_str().cmp(record.owner.as_str())).ok();
        Ok(records
            .into_iter()
            .map(|record| {
                let owner = of(&record).map(|at| &owners[at]);
                self.see(record, owner, now)
            })
            .collect())
    }

    fn see(&self, record: Record, owner: Option<&Owner>, now: StoreTime) -> Seen {
        let rotates = self.realms.get(&record.realm).and_then(|realm| realm.life.rotates(&record));
        Seen { state: State::of(&record, owner, now), rotates, record }
    }
}
