//! Peppers: their check values, who has which, which one is in use, which are withdrawn.

use std::collections::HashMap;

use ::redis::Cmd;
use ::redis::aio::MultiplexedConnection;
use tokio::time::Instant;

use super::audit::{NAMES, until_appended, write};
use super::names;
use super::pool::Pool;
use super::script::Script;
use super::turn::Turn;
use crate::domain::name::Word;
use crate::domain::time::StoreTime;
use crate::store::audit::Appended;
use crate::store::pepper::{Knows, PepperClaim, PepperUse, newest};
use crate::store::{AuditNote, StoreError};

static CLAIM: Script = Script::new(include_str!("claim.lua"));
static AGREE: Script = Script::new(include_str!("agree.lua"));
static WITHDRAW: Script = Script::new(concat!(include_str!("audit.lua"), include_str!("withdraw.lua")));

/// Keeps the check values where no other is kept, and compares those that are.
pub(super) async fn claim(pool: &Pool, deadline: Instant, claims: &[PepperClaim]) -> Result<(), StoreError> {
    let other = pool.run(deadline, |mut connection| async move {
        let call = |call: &mut Cmd| {
            call.arg(1).arg(names::PEPPERS);
            for claim in claims {
                call.arg(claim.version.as_str()).arg(&claim.check_value[..]);
            }
        };
        CLAIM.run(&mut connection, call).await
    });
    let other: Option<usize> = other.await?;
    match other.and_then(|other| claims.get(other)) {
        None => Ok(()),
        Some(claim) => Err(StoreError::OtherPepper(claim.version.clone())),
    }
}

/// Which one new digests are to be under.
pub(super) async fn agree(pool: &Pool, deadline: Instant, knows: &Knows) -> Result<Word, StoreError> {
    let rest = |call: &mut Cmd| {
        call.arg(3).arg(names::PEPPER_USES).arg(names::PEPPERS_KNOWN).arg(names::LEASES);
        call.arg(knows.replica.to_string()).arg(u64::try_from(knows.lease.as_millis()).unwrap_or(u64::MAX));
        call.arg(knows.versions.iter().map(Word::as_str).collect::<Vec<_>>());
    };
    let said = pool.run(deadline, |mut connection| async move { AGREE.run(&mut connection, rest).await });
    let (what, version): (String, String) = said.await?;
    let version = word(&version)?;
    match what.as_str() {
        "use" => Ok(version),
        "missing" => Err(StoreError::PepperMissing(version)),
        "withdrawn" => Err(StoreError::PepperWithdrawn(version)),
        other => Err(StoreError::Corrupt(format!("the answer of the script about peppers: {other:?}"))),
    }
}

/// Every one that was ever claimed.
pub(super) async fn all(pool: &Pool, deadline: Instant) -> Result<Vec<PepperUse>, StoreError> {
    let read = |mut connection: MultiplexedConnection| async move {
        let mut both = ::redis::pipe();
        both.cmd("HGETALL").arg(names::PEPPERS).cmd("HGETALL").arg(names::PEPPER_USES);
        both.query_async(&mut connection).await
    };
    let (claimed, uses): (HashMap<String, Vec<u8>>, HashMap<String, String>) = pool.run(deadline, read).await?;
    let mut all: Vec<PepperUse> = claimed.keys().map(|version| one(version, uses.get(version))).collect::<Result<_, _>>()?;
    all.sort_by(|one, other| one.version.as_str().cmp(other.version.as_str()));
    Ok(all)
}

/// Marks one as withdrawn, unless it is.
pub(super) async fn withdraw(pool: &Pool, deadline: Instant, version: &Word, note: &AuditNote) -> Result<(), StoreError> {
    let all = all(pool, deadline).await?;
    if newest(&all).is_some_and(|newest| newest.version == *version) {
        return Err(StoreError::PepperInUse(version.clone()));
    }
    let known = all.iter().find(|one| one.version == *version).ok_or_else(|| StoreError::NoPepper(version.clone()))?;
    if known.withdrawn.is_some() {
        return Ok(());
    }
    let rest = |call: &mut Cmd, turn: &Turn, appended: &Appended| {
        call.arg(NAMES.len() + 1).arg(&NAMES).arg(names::PEPPER_USES);
        write(call, turn, appended);
        call.arg(version.as_str());
    };
    let rest = &rest;
    pool.run(deadline, |connection| until_appended(connection, &WITHDRAW, (note, None), rest)).await.map(drop)
}

fn one(version: &str, at: Option<&String>) -> Result<PepperUse, StoreError> {
    let (used, withdrawn) = at.map_or(Some(("0", "0")), |at| at.split_once('/')).ok_or_else(|| corrupt(version))?;
    let time = |text: &str| text.parse().map(|ms| Some(StoreTime(ms)).filter(|at| at.0 > 0)).map_err(|_| corrupt(version));
    Ok(PepperUse { version: word(version)?, used: time(used)?, withdrawn: time(withdrawn)? })
}

fn word(version: &str) -> Result<Word, StoreError> {
    Word::parse(version).map_err(|_| corrupt(version))
}

fn corrupt(version: &str) -> StoreError {
    StoreError::Corrupt(format!("what is kept of the pepper {version:?}"))
}
