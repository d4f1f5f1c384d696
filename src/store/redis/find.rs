//! Finding a key by what its caller presented: one call, read only.

use ::redis::Cmd;
use tokio::time::Instant;

use super::entries::place;
use super::link::Link;
use super::script::Script;
use super::{names, stored};
use crate::domain::key::Digest;
use crate::domain::name::RealmId;
use crate::domain::record::Holder;
use crate::domain::time::StoreTime;
use crate::store::{Finding, StoreError};

static FIND: Script = Script::reading(include_str!("find.lua"));

/// Seconds, microseconds, head; who holds the secret, the key's record and the owner's.
type Answer = (i64, i64, String, Option<String>, Option<Vec<u8>>, Option<Vec<u8>>);

pub(super) async fn find(link: &Link, deadline: Instant, realm: &RealmId, digests: &[Digest]) -> Result<Finding, StoreError> {
    let names = [names::POSITION.to_owned(), names::digests(realm), names::keys(realm), names::owners(realm)];
    let rest = |call: &mut Cmd| {
        call.arg(names.len()).arg(&names);
        for digest in digests {
            call.arg(&digest.0[..]);
        }
    };
    let (seconds, micros, head, holder, key, owner): Answer =
        link.run(deadline, |mut connection| async move { FIND.run(&mut connection, rest).await }).await?;
    let holder = match (holder, key, owner) {
        (None, ..) => None,
        (Some(_), Some(key), Some(owner)) => Some(Holder { record: stored::read_key(&key)?, owner: stored::read_owner(&owner)? }),
        (Some(holder), ..) => {
            return Err(StoreError::Corrupt(format!("a secret of {realm}/{holder}, of which the key or the owner is missing")));
        }
    };
    Ok(Finding { holder, at: place(&head)?, now: instant(seconds, micros) })
}

/// The server's time.
pub(super) async fn now(link: &Link, deadline: Instant) -> Result<StoreTime, StoreError> {
    let (seconds, micros) =
        link.run(deadline, |mut connection| async move { ::redis::cmd("TIME").query_async(&mut connection).await }).await?;
    Ok(instant(seconds, micros))
}

pub(super) fn instant(seconds: i64, micros: i64) -> StoreTime {
    StoreTime(seconds * 1000 + micros / 1000)
}
