//! What must be so before keys are kept here: a server that forgets nothing, and the peppers that its keys were made under.

use std::collections::HashMap;

use ::redis::{RedisResult, cmd};
use tokio::time::Instant;
use tracing::warn;

use super::link::Link;
use super::pool::Pool;
use super::{fault, names};
use crate::domain::name::Word;
use crate::store::StoreError;

const POLICY: &str = "maxmemory-policy";

/// A server with an eviction policy forgets revocations and windows when its memory is full.
pub(super) async fn check(link: &Link, deadline: Instant) -> Result<(), StoreError> {
    let settings =
        link.run(deadline, |mut connection| async move { told(cmd("CONFIG").arg("GET").arg(POLICY).query_async(&mut connection).await) });
    match settings.await?.get(POLICY).map(String::as_str) {
        None | Some("noeviction") => Ok(()),
        Some(other) => Err(StoreError::Unavailable(format!(
            "Redis may drop keys and limits when its memory is full ({POLICY} is {other}): set {POLICY} to noeviction"
        ))),
    }
}

/// Keeps the check value if none is kept, and compares it with the one that is.
pub(super) async fn claim_pepper(pool: &Pool, deadline: Instant, version: &Word, check_value: [u8; 32]) -> Result<(), StoreError> {
    let claim = pool.run(deadline, |mut connection| async move {
        let mut both = ::redis::pipe();
        both.cmd("HSETNX").arg(names::PEPPERS).arg(version.as_str()).arg(&check_value[..]).ignore();
        both.cmd("HGET").arg(names::PEPPERS).arg(version.as_str());
        both.query_async(&mut connection).await
    });
    let (kept,): (Vec<u8>,) = claim.await?;
    if kept == check_value { Ok(()) } else { Err(StoreError::OtherPepper(version.clone())) }
}

/// A server may keep its settings to itself, as hosted ones do: the operator has to know them, then.
fn told(settings: RedisResult<HashMap<String, String>>) -> RedisResult<HashMap<String, String>> {
    match settings {
        Err(error) if fault::is_forbidden(&error) => {
            warn!("Redis does not tell its settings: see to it that {POLICY} is noeviction ({error})");
            Ok(HashMap::new())
        }
        settings => settings,
    }
}
