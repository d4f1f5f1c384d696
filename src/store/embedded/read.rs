//! What read transactions answer.

use std::collections::BTreeSet;
use std::ops::Bound;

use redb::ReadTransaction;

use super::clock::StoreClock;
use super::disk::Stop;
use super::tables::{DIGESTS, KEYS, KEYS_OF_OWNERS, META, OWNERS, REVOKED, SECRET_ENDS, head};
use crate::domain::key::Digest;
use crate::domain::name::{KeyId, NameError, OwnerId, RealmId};
use crate::domain::owner::Owner;
use crate::domain::record::Holder;
use crate::domain::record::Record;
use crate::domain::time::StoreTime;
use crate::revocation::At;
use crate::store::page::BETWEEN;
use crate::store::record::{decode_key, decode_owner};
use crate::store::{Due, DueKey, Finding, Kept, Order, Page, StoreError, What};

/// No id is empty, and every one is ASCII: this comes before all of them, and the other after.
const FIRST: &str = "";
const LAST: &str = "\u{10FFFF}";

/// The key that one of the digests belongs to. Everything is read from one transaction, so place and record are of one instant.
pub(super) fn find(txn: &ReadTransaction, realm: &RealmId, digests: &[Digest], clock: &StoreClock) -> Result<Finding, Stop> {
    let at = head(&txn.open_table(META)?)?;
    let index = txn.open_table(DIGESTS)?;
    for digest in digests {
        if let Some(id) = index.get((realm.as_str(), &digest.0))? {
            let holder = Some(holder(txn, realm, id.value())?);
            return Ok(Finding { holder, at, now: clock.now() });
        }
    }
    Ok(Finding { holder: None, at, now: clock.now() })
}

/// A record, and the log's head. Both are of one instant, and a transaction reads nothing that is not on the disk.
pub(super) fn kept(txn: &ReadTransaction, what: &What) -> Result<(Option<Kept>, At), Stop> {
    let kept = match what {
        What::Key(realm, id) => key(txn, realm, id)?.map(Kept::Key),
        What::Owner(realm, id) => owner(txn, realm, id)?.map(Kept::Owner),
    };
    Ok((kept, head(&txn.open_table(META)?)?))
}

pub(super) fn key(txn: &ReadTransaction, realm: &RealmId, id: &KeyId) -> Result<Option<Record>, Stop> {
    let bytes = txn.open_table(KEYS)?.get((realm.as_str(), id.as_str()))?;
    Ok(bytes.map(|bytes| decode_key(bytes.value())).transpose()?)
}

pub(super) fn owner(txn: &ReadTransaction, realm: &RealmId, id: &OwnerId) -> Result<Option<Owner>, Stop> {
    let bytes = txn.open_table(OWNERS)?.get((realm.as_str(), id.as_str()))?;
    Ok(bytes.map(|bytes| decode_owner(bytes.value())).transpose()?)
}

pub(super) fn owners_of(txn: &ReadTransaction, realm: &RealmId, ids: &[OwnerId]) -> Result<Vec<Owner>, Stop> {
    ids.iter().filter_map(|id| owner(txn, realm, id).transpose()).collect()
}

/// Keys under these ids, and those that have one of these digests.
pub(super) fn some_keys(txn: &ReadTransaction, realm: &RealmId, ids: &[KeyId], digests: &[Digest]) -> Result<Vec<Record>, Stop> {
    let (index, table) = (txn.open_table(DIGESTS)?, txn.open_table(KEYS)?);
    let mut named: BTreeSet<String> = ids.iter().map(ToString::to_string).collect();
    for digest in digests {
        named.extend(index.get((realm.as_str(), &digest.0))?.map(|id| id.value().to_owned()));
    }
    let mut keys = Vec::new();
    for id in named {
        if let Some(bytes) = table.get((realm.as_str(), id.as_str()))? {
            keys.push(decode_key(bytes.value())?);
        }
    }
    Ok(keys)
}

/// Keys of a realm, or of one of its owners.
pub(super) fn keys(txn: &ReadTransaction, realm: &RealmId, owner: Option<&OwnerId>, page: &Page) -> Result<Vec<Record>, Stop> {
    let (index, table) = (txn.open_table(KEYS_OF_OWNERS)?, txn.open_table(KEYS)?);
    let after = page.after.as_deref().map(|after| after.split_once(BETWEEN).unwrap_or((after, FIRST)));
    let (first, last) = owner.map_or((FIRST, LAST), |owner| (owner.as_str(), owner.as_str()));
    let (low, high) = match page.order {
        Order::Ascending => (after.map_or((first, FIRST), |after| after.max((first, FIRST))), (last, LAST)),
        Order::Descending => ((first, FIRST), after.map_or((last, LAST), |after| after.min((last, LAST)))),
    };
    // a range may not end before it begins
    if low >= high {
        return Ok(Vec::new());
    }
    let range = index.range(between((realm.as_str(), low.0, low.1), (realm.as_str(), high.0, high.1)))?;
    listed(range, page, |entry| {
        let name = entry?.0;
        let (_, _, id) = name.value();
        let bytes = table.get((realm.as_str(), id))?.ok_or_else(|| missing("key", id))?;
        Ok(decode_key(bytes.value())?)
    })
}

pub(super) fn owners(txn: &ReadTransaction, realm: &RealmId, page: &Page) -> Result<Vec<Owner>, Stop> {
    let (table, (low, high)) = (txn.open_table(OWNERS)?, span(page));
    let range = table.range(between((realm.as_str(), low), (realm.as_str(), high)))?;
    listed(range, page, |entry| Ok(decode_owner(entry?.1.value())?))
}

/// From the first owner of a realm to the first behind its last.
pub(super) fn realms(txn: &ReadTransaction) -> Result<Vec<RealmId>, Stop> {
    let (table, mut found) = (txn.open_table(OWNERS)?, Vec::<RealmId>::new());
    loop {
        let low = found.last().map_or(Bound::Unbounded, |last| Bound::Excluded((last.as_str(), LAST)));
        let Some(entry) = table.range((low, Bound::Unbounded))?.next() else { return Ok(found) };
        let name = entry?.0;
        found.push(RealmId::parse(name.value().0).map_err(unreadable)?);
    }
}

/// What is due before an instant, from behind a place on.
pub(super) fn due(
    txn: &ReadTransaction,
    (what, before): (Due, StoreTime),
    (after, count): (Option<&DueKey>, usize),
) -> Result<Vec<DueKey>, Stop> {
    let table = txn.open_table(match what {
        Due::SecretEnds => SECRET_ENDS,
        Due::Revoked => REVOKED,
    })?;
    let end = (before.0, "", "");
    let place = after.map(|after| (after.since.0, after.realm.as_str(), after.id.as_str()));
    let start = match place {
        // a range may not end before it begins
        Some(place) if place >= end => return Ok(Vec::new()),
        Some(place) => Bound::Excluded(place),
        None => Bound::Unbounded,
    };
    let mut keys = Vec::new();
    for entry in table.range((start, Bound::Excluded(end)))?.take(count) {
        let (name, ()) = entry.map(|(name, _)| (name, ()))?;
        let (since, realm, id) = name.value();
        let (realm, id) = (RealmId::parse(realm).map_err(unreadable)?, KeyId::parse(id).map_err(unreadable)?);
        keys.push(DueKey { since: StoreTime(since), realm, id });
    }
    Ok(keys)
}

fn holder(txn: &ReadTransaction, realm: &RealmId, id: &str) -> Result<Holder, Stop> {
    let bytes = txn.open_table(KEYS)?.get((realm.as_str(), id))?.ok_or_else(|| missing("key", id))?;
    let record = decode_key(bytes.value())?;
    let owner = owner(txn, realm, &record.owner)?.ok_or_else(|| missing("owner", record.owner.as_str()))?;
    Ok(Holder { record, owner })
}

/// A page of what is in a range.
fn listed<E, T>(range: impl DoubleEndedIterator<Item = E>, page: &Page, read: impl FnMut(E) -> Result<T, Stop>) -> Result<Vec<T>, Stop> {
    match page.order {
        Order::Ascending => range.take(page.count).map(read).collect(),
        Order::Descending => range.rev().take(page.count).map(read).collect(),
    }
}

/// The ids between which those of a page are.
fn span(page: &Page) -> (&str, &str) {
    match (page.order, page.after.as_deref()) {
        (Order::Ascending, after) => (after.unwrap_or(FIRST), LAST),
        (Order::Descending, after) => (FIRST, after.unwrap_or(LAST)),
    }
}

fn between<T>(low: T, high: T) -> (Bound<T>, Bound<T>) {
    (Bound::Excluded(low), Bound::Excluded(high))
}

#[allow(clippy::needless_pass_by_value, reason = "what map_err hands on")]
fn unreadable(error: NameError) -> StoreError {
    StoreError::Corrupt(format!("a name that is kept: {error}"))
}

fn missing(kind: &str, id: &str) -> StoreError {
    StoreError::Corrupt(format!("{kind} {id} is named by another record and is not there"))
}
