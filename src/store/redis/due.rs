//! What keys are due for, by when.

use ::redis::aio::MultiplexedConnection;
use ::redis::cmd;
use tokio::time::Instant;

use super::names;
use super::pool::Pool;
use crate::domain::name::{KeyId, RealmId};
use crate::domain::time::StoreTime;
use crate::store::{Due, StoreError};

pub(super) async fn due(
    pool: &Pool,
    deadline: Instant,
    (what, before): (Due, StoreTime),
    count: usize,
) -> Result<Vec<(RealmId, KeyId)>, StoreError> {
    let set = match what {
        Due::SecretEnds => names::SECRET_ENDS,
        Due::Revoked => names::REVOKED,
    };
    let range = |mut connection: MultiplexedConnection| async move {
        let until = format!("({}", before.0);
        cmd("ZRANGEBYSCORE").arg(set).arg("-inf").arg(until).arg("LIMIT").arg(0).arg(count).query_async(&mut connection).await
    };
    let names: Vec<String> = pool.run(deadline, range).await?;
    names.iter().map(|name| read(name)).collect()
}

fn read(name: &str) -> Result<(RealmId, KeyId), StoreError> {
    let corrupt = || StoreError::Corrupt(format!("{name:?} is due and is no key's name"));
    let (realm, id) = name.split_once('/').ok_or_else(corrupt)?;
    Ok((RealmId::parse(realm).map_err(|_| corrupt())?, KeyId::parse(id).map_err(|_| corrupt())?))
}
