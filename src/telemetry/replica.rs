//! The metrics of a replica: what it remembers, its lease, its tokens. They are looked at when somebody scrapes.

use std::sync::atomic::Ordering;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

/// What there is to see of a replica's memory and its session, whenever somebody looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replica {
    pub records: u64,
    pub bytes: u64,
    pub unknown: u64,
    /// How many checks were answered in each way.
    pub finds: [(&'static str, u64); 6],
    /// Each way that a lease can be, and whether it is.
    pub lease: [(&'static str, bool); 4],
    /// Each level that a revocation can reach, and whether it is the one that it would reach now.
    pub level: [(&'static str, bool); 3],
    /// Up to where the log is applied.
    pub position: u64,
    pub tokens: TokensSeen,
    pub rehash: RehashSeen,
}

/// What there is to see of secrets that get another digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RehashSeen {
    pub rehashed: u64,
    /// Those that are left until they are presented again.
    pub dropped: u64,
    pub waiting: u64,
}

/// What there is to see of tokens under leases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokensSeen {
    /// How many checks that some limit is for were answered in each way.
    pub charges: [(&'static str, u64); 3],
    /// Checks whose grant came too late.
    pub late: u64,
    /// Checks that this replica had too many of for its store.
    pub overloaded: u64,
    /// Tokens that were given back unspent.
    pub returned: u64,
    /// Keys that something is held for, or known of.
    pub purses: u64,
}

#[derive(Default)]
pub(super) struct OfReplica {
    records: Gauge,
    bytes: Gauge,
    unknown: Gauge,
    finds: Family<Find, Counter>,
    lease: Family<Lease, Gauge>,
    level: Family<Reached, Gauge>,
    position: Gauge,
    charges: Family<Find, Counter>,
    late: Counter,
    overloaded: Counter,
    returned: Counter,
    purses: Gauge,
    rehashed: Counter,
    not_rehashed: Counter,
    rehash_queue: Gauge,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Find {
    how: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Lease {
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reached {
    level: &'static str,
}

impl OfReplica {
    pub(super) fn registered(registry: &mut Registry) -> Self {
        let all = Self::default();
        registry.register("records", "Records that are remembered", all.records.clone());
        registry.register_with_unit("records_memory", "What they take, at most", Unit::Bytes, all.bytes.clone());
        registry.register("unknown_digests", "Digests that are remembered to be no key's", all.unknown.clone());
        registry.register("record_finds", "Checks that asked for a record, by how they were answered", all.finds.clone());
        registry.register("lease", "1 for the state that this replica's lease is in", all.lease.clone());
        registry.register("revocation_level", "1 for the level that a revocation would reach now", all.level.clone());
        registry.register("log_position", "Up to where this replica has applied the store's log", all.position.clone());
        registry.register("charges", "Checks that some limit is for, by how they were answered", all.charges.clone());
        registry.register("late_grants", "Checks whose grant came when it could not be spent any more", all.late.clone());
        registry.register("overloaded_checks", "Checks that waited for their turn at the store, and had none", all.overloaded.clone());
        registry.register("tokens_returned", "Tokens that were given back unspent", all.returned.clone());
        registry.register("purses", "Keys that tokens are held for, or were lately", all.purses.clone());
        registry.register("rehashed_secrets", "Secrets that were put under the pepper in use", all.rehashed.clone());
        registry.register("rehash_dropped", "Secrets that were left as they are until they are used again", all.not_rehashed.clone());
        registry.register("rehash_queue", "Secrets that wait to be put under the pepper in use", all.rehash_queue.clone());
        all
    }

    /// Sets them to what is seen now.
    pub(super) fn show(&self, seen: &Replica) {
        self.show_tokens(&seen.tokens);
        self.rehashed.inner().store(seen.rehash.rehashed, Ordering::Relaxed);
        self.not_rehashed.inner().store(seen.rehash.dropped, Ordering::Relaxed);
        self.rehash_queue.set(i64::try_from(seen.rehash.waiting).unwrap_or(i64::MAX));
        for (gauge, value) in
            [(&self.records, seen.records), (&self.bytes, seen.bytes), (&self.unknown, seen.unknown), (&self.position, seen.position)]
        {
            gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        }
        for (how, count) in seen.finds {
            self.finds.get_or_create(&Find { how }).inner().store(count, Ordering::Relaxed);
        }
        for (state, is) in seen.lease {
            self.lease.get_or_create(&Lease { state }).set(i64::from(is));
        }
        for (level, is) in seen.level {
            self.level.get_or_create(&Reached { level }).set(i64::from(is));
        }
    }

    fn show_tokens(&self, seen: &TokensSeen) {
        for (how, count) in seen.charges {
            self.charges.get_or_create(&Find { how }).inner().store(count, Ordering::Relaxed);
        }
        self.late.inner().store(seen.late, Ordering::Relaxed);
        self.overloaded.inner().store(seen.overloaded, Ordering::Relaxed);
        self.returned.inner().store(seen.returned, Ordering::Relaxed);
        self.purses.set(i64::try_from(seen.purses).unwrap_or(i64::MAX));
    }
}
