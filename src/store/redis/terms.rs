//! What must be so before keys are kept here: a server that forgets nothing, and the peppers that its keys were made under.

use std::collections::HashMap;

use ::redis::{Cmd, RedisResult, cmd};
use tokio::time::Instant;
use tracing::warn;

use super::link::Link;
use super::pool::Pool;
use super::script::Script;
use super::{fault, names};
use crate::store::{PepperClaim, StoreError};

const POLICY: &str = "maxmemory-policy";
static CLAIM: Script = Script::new(include_str!("claim.lua"));

/// A server with an eviction policy forgets revocations and windows when its memory is full.
pub(super) async fn check(link: &Link, deadline: Instant) -> Result<(), StoreError> {
    let settings =
        link.run(deadline, |mut connection| async move { told(cmd("CONFIG").arg("GET").arg(POLICY).query_async(&mut connection).await) });
    match settings.await?.get(POLICY).map(String::as_str) {
        None | Some("noeviction") => Ok(()),
        Some(other) => Err(StoreError::Unfit(format!(
            "Redis may drop keys and limits when its memory is full ({POLICY} is {other}): set {POLICY} to noeviction"
        ))),
    }
}

/// Keeps the check values where no other is kept, and compares those that are.
pub(super) async fn claim_peppers(pool: &Pool, deadline: Instant, claims: &[PepperClaim]) -> Result<(), StoreError> {
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
