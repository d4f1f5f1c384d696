//! What one replica remembers, and its session with the store.

use std::sync::Arc;

use anyhow::Context as _;

use crate::clock::SharedClock;
use crate::config::{Config, ReplicaConfig};
use crate::replica::memory::{Bounds, Memory};
use crate::replica::records::{Parts, Records};
use crate::replica::rehash::Rehash;
use crate::replica::remembered::Told;
use crate::replica::session::{Leased, Session};
use crate::replica::tokens::{Tokens, TokensMemory};
use crate::revocation::{Holder, Level, Terms};
use crate::store::SharedStore;
use crate::telemetry::replica::{RehashSeen, Replica, TokensSeen};

/// Digests that are remembered to be no key's.
const MOST_UNKNOWN: usize = 1 << 16;

/// Its records. The session is theirs, and has to run for them to know anything.
pub(super) fn records(
    config: &Config,
    store: SharedStore,
    clock: SharedClock,
    (tokens, rehash, holder): (Arc<TokensMemory>, Arc<Rehash>, Holder),
) -> (Records, Arc<Memory>, Arc<Session>) {
    let ReplicaConfig { lease, memory, max_age, .. } = config.replica;
    let memory = Memory::new(Bounds { bytes: memory, unknown: MOST_UNKNOWN, max_age });
    let told = Arc::new(Told::<2>([memory.clone(), tokens]));
    let session = Session::new(store.clone(), clock.clone(), Terms { lease }, holder, told);
    let parts = Parts { store, clock, session: session.clone(), memory: memory.clone(), patience: config.check_deadline };
    (Records::rehashing(parts, rehash), memory, session)
}

/// What operators see of it.
pub(super) fn watched(
    records: &Records,
    (memory, rehash): (Arc<Memory>, Arc<Rehash>),
    session: Arc<Session>,
    tokens: Tokens,
) -> impl Fn() -> Replica + use<> {
    let tally = records.tally();
    move || {
        let (fullness, status, seen) = (memory.fullness(), session.status(), rehash.seen());
        let lease = [("never", Leased::Never), ("held", Leased::Held), ("over", Leased::Over), ("rolled_back", Leased::RolledBack)];
        let levels = [("volatile", Level::Volatile), ("single", Level::Single), ("replicated", Level::Replicated)];
        Replica {
            records: fullness.records,
            bytes: fullness.bytes,
            unknown: fullness.unknown,
            finds: tally.named(),
            level: levels.map(|(name, level)| (name, status.last.as_ref().is_some_and(|last| last.footing.level == level))),
            lease: lease.map(|(name, state)| (name, status.lease == state)),
            position: status.applied.map_or(0, |applied| applied.position),
            rehash: RehashSeen { rehashed: seen.rehashed, dropped: seen.dropped, waiting: seen.waiting },
            tokens: tokens_seen(&tokens),
        }
    }
}

fn tokens_seen(tokens: &Tokens) -> TokensSeen {
    let tally = tokens.tally();
    let purses = u64::try_from(tokens.purses()).unwrap_or(u64::MAX);
    let (late, overloaded, returned) = (tally.late.get(), tally.overloaded.get(), tally.returned.get());
    TokensSeen { charges: tally.named(), late, overloaded, returned, purses }
}

/// This life of this replica.
pub(super) fn holder(config: &ReplicaConfig) -> anyhow::Result<Holder> {
    let incarnation = getrandom::u64().context("the operating system gives no randomness")?;
    let replica = config.name.clone().unwrap_or_else(|| named(&rustix::system::uname().nodename().to_string_lossy()));
    Ok(Holder { replica, incarnation })
}

/// A host's name as a replica's: what may not be in one becomes `-`.
fn named(host: &str) -> Box<str> {
    let allowed = |letter: char| if letter.is_ascii_alphanumeric() || "._-".contains(letter) { letter } else { '-' };
    let name: String = host.chars().map(allowed).take(64).collect();
    if name.is_empty() { "keyward".into() } else { name.into() }
}

#[cfg(test)]
mod tests {
    use super::named;

    #[test]
    fn a_hosts_name_is_cut_to_what_a_replica_may_be_called() {
        assert_eq!(&*named("keyward-7.pod"), "keyward-7.pod");
        assert_eq!(&*named("a b:ü"), "a-b--");
        assert_eq!(named(&"x".repeat(99)).len(), 64);
        assert_eq!(&*named(""), "keyward");
    }
}
