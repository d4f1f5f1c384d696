//! The metrics of settlement: what Envoys' access logs bring, and what becomes of the tickets in them.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// Counters.
#[derive(Default)]
pub(super) struct Settling {
    messages: Family<Message, Counter>,
    entries: Family<Entry, Counter>,
    tickets: Family<Ticket, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Message {
    /// `read`, `malformed`, `cut`; `refused` for a stream without the Envoy secret.
    how: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Entry {
    /// `ended`, `unclear`, `underway`, `no_ticket`, `malformed`.
    what: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ticket {
    /// `counted`, `settled`, `replayed`, `too_late`, `malformed`, `forged`, `overflow`, `abandoned`.
    fate: &'static str,
}

impl Settling {
    pub(super) fn registered(registry: &mut Registry) -> Self {
        let all = Self::default();
        registry.register("access_log_messages", "Messages of Envoys' access logs, by what became of them", all.messages.clone());
        registry.register("access_log_entries", "Entries of Envoys' access logs, by what they are", all.entries.clone());
        registry.register("tickets", "Tickets that came back, by what became of them", all.tickets.clone());
        all
    }

    pub(super) fn message(&self, how: &'static str) {
        self.messages.get_or_create(&Message { how }).inc();
    }

    pub(super) fn entry(&self, what: &'static str) {
        self.entries.get_or_create(&Entry { what }).inc();
    }

    pub(super) fn ticket(&self, fate: &'static str) {
        self.tickets.get_or_create(&Ticket { fate }).inc();
    }
}
