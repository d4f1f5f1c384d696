//! Records, one by one and in their order.

use ::redis::aio::MultiplexedConnection;
use ::redis::{Cmd, FromRedisValue, RedisResult, cmd};
use tokio::time::Instant;

use super::pool::Pool;
use super::{names, stored};
use crate::domain::key::Digest;
use crate::domain::name::{KeyId, OwnerId, RealmId};
use crate::domain::owner::Owner;
use crate::domain::record::Record;
use crate::store::page::BETWEEN;
use crate::store::{Order, Page, StoreError};

pub(super) async fn key(pool: &Pool, deadline: Instant, realm: &RealmId, id: &KeyId) -> Result<Option<Record>, StoreError> {
    one(pool, deadline, &names::keys(realm), id.as_str()).await?.map(|kept| stored::read_key(&kept)).transpose()
}

pub(super) async fn owner(pool: &Pool, deadline: Instant, realm: &RealmId, id: &OwnerId) -> Result<Option<Owner>, StoreError> {
    one(pool, deadline, &names::owners(realm), id.as_str()).await?.map(|kept| stored::read_owner(&kept)).transpose()
}

/// Those that are there.
pub(super) async fn owners_of(pool: &Pool, deadline: Instant, realm: &RealmId, ids: &[OwnerId]) -> Result<Vec<Owner>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let (records, ids): (_, Vec<&str>) = (names::owners(realm), ids.iter().map(OwnerId::as_str).collect());
    let kept = pool.run(deadline, |mut connection| {
        let mut read = cmd("HMGET");
        read.arg(&records).arg(&ids);
        async move { read.query_async::<Vec<Option<Vec<u8>>>>(&mut connection).await }
    });
    kept.await?.into_iter().flatten().map(|kept| stored::read_owner(&kept)).collect()
}

/// Keys under these ids, and those that have one of these digests. Whoever has one may lose it between the two reads, and is passed over.
pub(super) async fn keys_of(
    pool: &Pool,
    deadline: Instant,
    realm: &RealmId,
    (ids, digests): (&[KeyId], &[Digest]),
) -> Result<Vec<Record>, StoreError> {
    let (records, index) = (names::keys(realm), names::digests(realm));
    let mut ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    if !digests.is_empty() {
        let holders: Vec<Option<String>> =
            pool.run(deadline, |connection| some(connection, &index, digests.iter().map(|digest| &digest.0[..]))).await?;
        ids.extend(holders.iter().flatten().map(|holder| id(holder).to_owned()));
        ids.sort_unstable();
        ids.dedup();
    }
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let kept: Vec<Option<Vec<u8>>> = pool.run(deadline, |connection| some(connection, &records, ids.iter().map(String::as_bytes))).await?;
    kept.into_iter().flatten().map(|kept| stored::read_key(&kept)).collect()
}

/// Some fields of a hash.
async fn some<'a, T: FromRedisValue>(
    mut connection: MultiplexedConnection,
    hash: &str,
    fields: impl Iterator<Item = &'a [u8]>,
) -> RedisResult<T> {
    let mut read = cmd("HMGET");
    read.arg(hash);
    for field in fields {
        read.arg(field);
    }
    read.query_async(&mut connection).await
}

/// Keys of a realm, or of one of its owners.
pub(super) async fn keys(
    pool: &Pool,
    deadline: Instant,
    (realm, owner): (&RealmId, Option<&OwnerId>),
    page: &Page,
) -> Result<Vec<Record>, StoreError> {
    let of = owner.map_or_else(String::new, |owner| [owner.as_str(), BETWEEN].concat());
    let list = List { members: names::keys_by_owner(realm), of, records: names::keys(realm) };
    let kept = pool.run(deadline, |connection| many(connection, &list, page)).await?;
    kept.into_iter().map(|kept| stored::read_key(&kept)).collect()
}

pub(super) async fn owners(pool: &Pool, deadline: Instant, realm: &RealmId, page: &Page) -> Result<Vec<Owner>, StoreError> {
    let list = List { members: names::owner_ids(realm), of: String::new(), records: names::owners(realm) };
    let kept = pool.run(deadline, |connection| many(connection, &list, page)).await?;
    kept.into_iter().map(|kept| stored::read_owner(&kept)).collect()
}

/// All at once: there are as many as operators have ever written files for.
pub(super) async fn realms(pool: &Pool, deadline: Instant) -> Result<Vec<RealmId>, StoreError> {
    let read = |mut connection: MultiplexedConnection| async move {
        cmd("ZRANGEBYLEX").arg(names::REALMS).arg("-").arg("+").query_async::<Vec<String>>(&mut connection).await
    };
    let unreadable = |error| StoreError::Corrupt(format!("a realm that has owners: {error}"));
    pool.run(deadline, read).await?.iter().map(|id| RealmId::parse(id).map_err(unreadable)).collect()
}

async fn one(pool: &Pool, deadline: Instant, records: &str, id: &str) -> Result<Option<Vec<u8>>, StoreError> {
    pool.run(deadline, |mut connection| async move { cmd("HGET").arg(records).arg(id).query_async(&mut connection).await }).await
}

/// Comes behind whatever a member may hold.
const BEHIND: &str = "\u{ff}";

/// Members in their order, whose last word is a record's id.
struct List {
    members: String,
    /// How those that are meant begin.
    of: String,
    records: String,
}

/// Members first, then their records. A record may be removed between the two: it is passed over, and the page filled up from what follows, so
/// that one that is not full is still the last.
async fn many(mut connection: MultiplexedConnection, list: &List, page: &Page) -> RedisResult<Vec<Vec<u8>>> {
    let (mut kept, mut after) = (Vec::new(), page.after.clone());
    loop {
        let wanted = page.count - kept.len();
        let part: Vec<String> = range(list, after.as_deref(), page.order, wanted).query_async(&mut connection).await?;
        let Some(end) = part.last().cloned() else { return Ok(kept) };
        let ids: Vec<&str> = part.iter().map(|member| id(member)).collect();
        let read: Vec<Option<Vec<u8>>> = cmd("HMGET").arg(&list.records).arg(ids).query_async(&mut connection).await?;
        kept.extend(read.into_iter().flatten());
        if part.len() < wanted || kept.len() == page.count {
            return Ok(kept);
        }
        after = Some(end);
    }
}

/// The last word: a key's id of an owner and a key, an owner's of itself.
fn id(member: &str) -> &str {
    member.rsplit(BETWEEN).next().unwrap_or(member)
}

/// So many members after this one, in this order. Whatever it is, none is told but those that are meant.
fn range(List { members, of, .. }: &List, after: Option<&str>, order: Order, count: usize) -> Cmd {
    let end = [of, BEHIND].concat();
    let (first, last) = if of.is_empty() { ("-".to_owned(), "+".to_owned()) } else { (format!("[{of}"), format!("({end}")) };
    // what is before all of them is no reason to begin there
    let after = after.filter(|after| match order {
        Order::Ascending => *after >= of.as_str(),
        Order::Descending => of.is_empty() || *after < end.as_str(),
    });
    let (name, start, end) = match order {
        Order::Ascending => ("ZRANGEBYLEX", first, last),
        Order::Descending => ("ZREVRANGEBYLEX", last, first),
    };
    let from = after.map_or(start, |after| format!("({after}"));
    let mut range = cmd(name);
    range.arg(members).arg(from).arg(end).arg("LIMIT").arg(0).arg(count);
    range
}
