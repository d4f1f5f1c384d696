//! The metrics of overload: checks that wait, or were not decided, and connections that were not served.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Counters, and how many wait now.
#[derive(Default)]
pub(super) struct Overload {
    pub(super) waiting: Gauge,
    checks: Family<Shed, Counter>,
    connections: Family<Refused, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Shed {
    /// `overload`, `late`.
    cause: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refused {
    /// `envoy`, `admin`, `http`.
    port: &'static str,
    /// `full`, `slow`, `foreign`.
    why: &'static str,
}

impl Overload {
    pub(super) fn registered(registry: &mut Registry) -> Self {
        let all = Self::default();
        registry.register("waiting_checks", "Checks that wait for the store, or for the rest of what they ask", all.waiting.clone());
        registry.register("shed_checks", "Checks that were refused undecided, by cause", all.checks.clone());
        registry.register("refused_connections", "Connections that were not served, by port", all.connections.clone());
        all
    }

    pub(super) fn check(&self, cause: &'static str) {
        self.checks.get_or_create(&Shed { cause }).inc();
    }

    pub(super) fn connection(&self, port: &'static str, why: &'static str) {
        self.connections.get_or_create(&Refused { port, why }).inc();
    }
}
