//! Where the audit log ends, as metrics: what is scraped elsewhere is an anchor for it.

use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::domain::audit::Head;

/// The two numbers.
pub(super) struct AuditEnds {
    sequence: Gauge<u64, AtomicU64>,
    link: Gauge<u64, AtomicU64>,
}

impl AuditEnds {
    pub(super) fn registered(registry: &mut Registry) -> Self {
        let told = Self { sequence: Gauge::default(), link: Gauge::default() };
        registry.register(
            "audit_sequence",
            "The number of the last entry that this replica appended to the audit log",
            told.sequence.clone(),
        );
        registry.register("audit_link", "The first 48 bits of that entry's hash", told.link.clone());
        told
    }

    pub(super) fn at(&self, head: Head) {
        let bytes = head.link.0[..6].iter();
        self.link.set(bytes.fold(0, |link, byte| link << 8 | u64::from(*byte)));
        self.sequence.set(head.sequence);
    }
}
