//! Secrets that ended when their grace was over, as metrics.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// How many.
pub(super) struct Secrets(Family<Ended, Counter>);

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    /// `yes`: somebody had used it within the last day.
    in_use: &'static str,
}

impl Secrets {
    pub(super) fn registered(registry: &mut Registry) -> Self {
        let ended = Family::default();
        registry.register("secrets_ended", "Old secrets that ended, by whether they were still in use", ended.clone());
        Self(ended)
    }

    pub(super) fn ended(&self, unused: u64, in_use: u64) {
        self.0.get_or_create(&Ended { in_use: "no" }).inc_by(unused);
        self.0.get_or_create(&Ended { in_use: "yes" }).inc_by(in_use);
    }
}
