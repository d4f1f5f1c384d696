//! What one replica is called, how long its leases last, and how much it remembers.

use std::time::Duration;

use super::bytes::bytes;
use super::document::{At, Read};
use super::duration::{duration, show};
use super::map::Map;

/// One replica.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicaConfig {
    /// For people. `None`: the host's name.
    pub name: Option<Box<str>>,
    /// How long known keys outlive a lost store, and how long a revocation may have to wait for a replica that is cut off.
    pub lease: Duration,
    /// Of remembered records, in bytes.
    pub memory: u64,
    /// A record that was read longer ago is read again.
    pub max_age: Duration,
}

const LEASE: Duration = Duration::from_secs(5);
const MEMORY: u64 = 256 << 20;
const MAX_AGE: Duration = Duration::from_mins(10);

/// A lease is renewed every fifth of it, and a fourth of that after a renewal that failed. With a timeout of a fifth at most two renewals in
/// a row may run into it before the lease ends.
const TIMEOUTS_IN_A_LEASE: u32 = 5;

/// `replica`, `lease` and `records` of the server's file.
pub(super) fn replica(map: &mut Map<'_>) -> Read<ReplicaConfig> {
    let name = map.optional("replica", name);
    let lease = map.or("lease", LEASE, |at| duration(at, &(Duration::from_secs(1)..=Duration::from_mins(1))));
    let records = map.or("records", (MEMORY, MAX_AGE), records);
    let (name, lease, (memory, max_age)) = (name?, lease?, records?);
    Ok(ReplicaConfig { name, lease, memory, max_age })
}

/// What must hold between a lease and the time that a store's call may take.
pub(super) fn outlasts(at: &At<'_>, lease: Duration, timeout: Duration) -> Read<()> {
    if lease >= timeout * TIMEOUTS_IN_A_LEASE {
        return Ok(());
    }
    let (shortest, timeout) = (show(timeout * TIMEOUTS_IN_A_LEASE), show(timeout));
    at.problem(format_args!(
        "must be at least {shortest}, five times the timeout of redis, which is {timeout}: or two renewals that run into it in a row would end the lease"
    ))
}

fn records(at: &At<'_>) -> Read<(u64, Duration)> {
    let mut map = at.map()?;
    let memory = map.or("memory", MEMORY, |at| bytes(at, &(1 << 20..=1 << 40)));
    let max_age = map.or("max_age", MAX_AGE, |at| duration(at, &(Duration::from_secs(1)..=Duration::from_hours(24))));
    map.finish()?;
    Ok((memory?, max_age?))
}

fn name(at: &At<'_>) -> Read<Box<str>> {
    let text = at.text()?;
    let fits = (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    if fits { Ok(text.into()) } else { at.must_be("1 to 64 of A-Z a-z 0-9 . _ -") }
}
