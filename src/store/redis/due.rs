//! What keys are due for, by when.

use ::redis::Cmd;
use tokio::time::Instant;

use super::names;
use super::pool::Pool;
use super::script::Script;
use crate::domain::name::{KeyId, RealmId};
use crate::domain::time::StoreTime;
use crate::store::{Due, DueKey, StoreError};

static DUE: Script = Script::new(include_str!("due.lua"));

pub(super) async fn due(
    pool: &Pool,
    deadline: Instant,
    (what, before): (Due, StoreTime),
    (after, count): (Option<&DueKey>, usize),
) -> Result<Vec<DueKey>, StoreError> {
    let set = match what {
        Due::SecretEnds => names::SECRET_ENDS,
        Due::Revoked => names::REVOKED,
    };
    let (since, member) = after.map_or_else(Default::default, |after| (after.since.0.to_string(), format!("{}/{}", after.realm, after.id)));
    let rest = |call: &mut Cmd| {
        call.arg(1).arg(set).arg(before.0).arg(count).arg(&since).arg(&member);
    };
    let rest = &rest;
    let found: Vec<(String, String)> = pool.run(deadline, |mut connection| async move { DUE.run(&mut connection, rest).await }).await?;
    found.iter().map(|(member, since)| read(member, since)).collect()
}

fn read(member: &str, since: &str) -> Result<DueKey, StoreError> {
    let corrupt = || StoreError::Corrupt(format!("{member:?} is due since {since:?}, which is no key's name or no time"));
    let (realm, id) = member.split_once('/').ok_or_else(corrupt)?;
    // scores are doubles: whole ones are told without a fraction, and of no more digits than they have
    let since = since.parse().map(StoreTime).map_err(|_| corrupt())?;
    Ok(DueKey { since, realm: RealmId::parse(realm).map_err(|_| corrupt())?, id: KeyId::parse(id).map_err(|_| corrupt())? })
}
