//! All that is kept, read from the first to the last: for a copy in another store, and for a backup.

use std::ops::Bound;
use std::path::Path;

use prost::Message as _;
use redb::{ReadTransaction, ReadableTableMetadata as _};

use super::Embedded;
use super::disk::{self, Stop};
use super::peppers;
use super::tables::{ANSWERS, KEYS, MARKS, META, OWNERS, PEPPERS, ROLLED_BACK, head};
use crate::clock::SharedClock;
use crate::domain::name::{KeyId, OwnerId, RealmId, Word};
use crate::domain::owner::Owner;
use crate::domain::record::Record;
use crate::domain::time::StoreTime;
use crate::proto::keyward::store::v1 as stored;
use crate::store::copy::{KeptAnswer, Rest};
use crate::store::record::{decode_key, decode_owner};
use crate::store::{PepperClaim, StoreError};

impl Embedded {
    /// Keys of all realms by realm and id, from after one on.
    pub async fn every_key(&self, after: Option<(RealmId, KeyId)>, count: usize) -> Result<Vec<Record>, StoreError> {
        let reading = move |txn: &ReadTransaction| {
            let table = txn.open_table(KEYS)?;
            let low = after.as_ref().map_or(Bound::Unbounded, |(realm, id)| Bound::Excluded((realm.as_str(), id.as_str())));
            table.range((low, Bound::Unbounded))?.take(count).map(|entry| Ok(decode_key(entry?.1.value())?)).collect()
        };
        self.read(self.timeouts.admin, move |txn, _| reading(txn)).await
    }

    /// Owners of all realms, the same way.
    pub async fn every_owner(&self, after: Option<(RealmId, OwnerId)>, count: usize) -> Result<Vec<Owner>, StoreError> {
        let reading = move |txn: &ReadTransaction| {
            let table = txn.open_table(OWNERS)?;
            let low = after.as_ref().map_or(Bound::Unbounded, |(realm, id)| Bound::Excluded((realm.as_str(), id.as_str())));
            table.range((low, Bound::Unbounded))?.take(count).map(|entry| Ok(decode_owner(entry?.1.value())?)).collect()
        };
        self.read(self.timeouts.admin, move |txn, _| reading(txn)).await
    }

    /// What is kept beside keys, owners and the audit log.
    pub async fn rest(&self) -> Result<Rest, StoreError> {
        self.read(self.timeouts.admin, |txn, _| rest(txn)).await
    }

    /// Copies the store's file from one folder into another, where none is yet. No process may use it; the copy was opened and found whole.
    pub fn copy_file(from: &Path, to: &Path, clock: &SharedClock) -> Result<(), StoreError> {
        drop(Self::open(from, clock.clone())?);
        if disk::is_in(to) {
            return Err(StoreError::Unavailable(format!("there is a store in {} already: name another folder", to.display())));
        }
        disk::copy(from, to)?;
        Self::open(to, clock.clone()).map(drop)
    }
}

fn rest(txn: &ReadTransaction) -> Result<Rest, Stop> {
    let mut rest = Rest { head: head(&txn.open_table(META)?)?, rolled_back: !txn.open_table(ROLLED_BACK)?.is_empty()?, ..Rest::default() };
    for entry in txn.open_table(PEPPERS)?.range::<&str>(..)? {
        let (version, check_value) = entry?;
        let version = Word::parse(version.value()).map_err(|error| StoreError::Corrupt(error.to_string()))?;
        rest.peppers.push(PepperClaim { version, check_value: *check_value.value() });
    }
    rest.pepper_uses = peppers::all(txn)?;
    for entry in txn.open_table(MARKS)?.range::<&[u8; 32]>(..)? {
        rest.marks.push(*entry?.0.value());
    }
    for entry in txn.open_table(ANSWERS)?.range::<(&str, &str)>(..)? {
        let (name, kept) = entry?;
        let ((caller, id), (until, bytes)) = (name.value(), kept.value());
        rest.answers.push(answer(caller, id, StoreTime(until), bytes)?);
    }
    Ok(rest)
}

fn answer(caller: &str, id: &str, until: StoreTime, bytes: &[u8]) -> Result<KeptAnswer, StoreError> {
    let stored::Answer { fingerprint, subject, position } =
        stored::Answer::decode(bytes).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    let fingerprint = fingerprint.try_into().map_err(|_| StoreError::Corrupt("a fingerprint that is not 32 bytes long".into()))?;
    Ok(KeptAnswer { caller: caller.into(), id: id.into(), until, fingerprint, subject, position })
}
