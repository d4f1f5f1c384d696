//! Records, one by one and in the order of their ids.

use ::redis::aio::MultiplexedConnection;
use ::redis::{RedisResult, cmd};
use tokio::time::Instant;

use super::pool::Pool;
use super::{names, stored};
use crate::domain::name::{KeyId, OwnerId, RealmId};
use crate::domain::owner::Owner;
use crate::domain::record::Record;
use crate::store::{Page, StoreError};

pub(super) async fn key(pool: &Pool, deadline: Instant, realm: &RealmId, id: &KeyId) -> Result<Option<Record>, StoreError> {
    one(pool, deadline, &names::keys(realm), id.as_str()).await?.map(|kept| stored::read_key(&kept)).transpose()
}

pub(super) async fn owner(pool: &Pool, deadline: Instant, realm: &RealmId, id: &OwnerId) -> Result<Option<Owner>, StoreError> {
    one(pool, deadline, &names::owners(realm), id.as_str()).await?.map(|kept| stored::read_owner(&kept)).transpose()
}

/// Keys of a realm, or of one of its owners.
pub(super) async fn keys(
    pool: &Pool,
    deadline: Instant,
    (realm, owner): (&RealmId, Option<&OwnerId>),
    page: &Page,
) -> Result<Vec<Record>, StoreError> {
    let ids = owner.map_or_else(|| names::key_ids(realm), |owner| names::key_ids_of(realm, owner));
    let records = names::keys(realm);
    let kept = pool.run(deadline, |connection| many(connection, &ids, &records, page)).await?;
    kept.into_iter().map(|kept| stored::read_key(&present(kept)?)).collect()
}

pub(super) async fn owners(pool: &Pool, deadline: Instant, realm: &RealmId, page: &Page) -> Result<Vec<Owner>, StoreError> {
    let (ids, records) = (names::owner_ids(realm), names::owners(realm));
    let kept = pool.run(deadline, |connection| many(connection, &ids, &records, page)).await?;
    kept.into_iter().map(|kept| stored::read_owner(&present(kept)?)).collect()
}

async fn one(pool: &Pool, deadline: Instant, records: &str, id: &str) -> Result<Option<Vec<u8>>, StoreError> {
    pool.run(deadline, |mut connection| async move { cmd("HGET").arg(records).arg(id).query_async(&mut connection).await }).await
}

/// Ids first, then their records: a record is never removed, so none is missing between the two.
async fn many(mut connection: MultiplexedConnection, ids: &str, records: &str, page: &Page) -> RedisResult<Vec<Option<Vec<u8>>>> {
    let from = page.after.as_ref().map_or_else(|| "-".into(), |after| format!("({after}"));
    let mut range = cmd("ZRANGEBYLEX");
    range.arg(ids).arg(from).arg("+").arg("LIMIT").arg(0).arg(page.count);
    let ids: Vec<String> = range.query_async(&mut connection).await?;
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    cmd("HMGET").arg(records).arg(ids).query_async(&mut connection).await
}

fn present(kept: Option<Vec<u8>>) -> Result<Vec<u8>, StoreError> {
    kept.ok_or_else(|| StoreError::Corrupt("an id in a list that has no record".into()))
}
