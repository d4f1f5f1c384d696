//! The metrics of usage: what became of what was counted.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Counters.
#[derive(Default)]
pub(super) struct Usage {
    checks: Family<Checks, Counter>,
    flushes: Family<Flush, Counter>,
    held: Gauge,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Checks {
    /// `added`, `dropped`.
    fate: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Flush {
    /// `ok`, `failed`.
    outcome: &'static str,
}

impl Usage {
    pub(super) fn registered(registry: &mut Registry) -> Self {
        let all = Self::default();
        registry.register("usage_checks", "Checks counted for people, by what became of the count", all.checks.clone());
        registry.register("usage_flushes", "How often counts were brought to the store, by outcome", all.flushes.clone());
        registry.register("usage_held", "Pieces of usage that the store has not taken yet", all.held.clone());
        all
    }

    pub(super) fn checks(&self, fate: &'static str, count: u64) {
        self.checks.get_or_create(&Checks { fate }).inc_by(count);
    }

    pub(super) fn flushed(&self, outcome: &'static str, held: usize) {
        self.flushes.get_or_create(&Flush { outcome }).inc();
        self.held.set(i64::try_from(held).unwrap_or(i64::MAX));
    }
}
