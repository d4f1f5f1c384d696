//! Every metric, in one table. Labels never hold a key, an owner or an address.

use std::fmt::{self, Write as _};
use std::hash::{Hash, Hasher};
use std::sync::OnceLock;
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use super::audit::AuditEnds;
use super::overload::Overload;
use super::replica::{OfReplica, Replica};
use super::secrets::Secrets;
use super::settling::Settling;
use super::usage::Usage;
use crate::domain::allowance::{Allowance, tightest, would_refuse};
use crate::domain::audit::Head;
use crate::domain::name::{RealmId, Word};
use crate::domain::realm::Realm;
use crate::domain::verdict::{Counted, Grant, Refusal};

/// The metrics of one process.
pub struct Metrics {
    registry: Registry,
    checks: Family<Check, Counter>,
    uncounted: Family<InRealm, Counter>,
    limited: Family<OfLimit, Counter>,
    would_refuse: Family<OfLimit, Counter>,
    store_calls: Family<StoreCall, Counter>,
    store_seconds: Family<StoreMethod, Histogram, fn() -> Histogram>,
    audit: AuditEnds,
    secrets: Secrets,
    settling: Settling,
    overload: Overload,
    usage: Usage,
    replica: OfReplica,
    look: OnceLock<Box<dyn Fn() -> Replica + Send + Sync>>,
}

/// A realm's id; `none` of a request that is no realm's.
#[derive(Debug, Clone)]
struct OrNone(Option<RealmId>);

impl OrNone {
    fn text(&self) -> &str {
        self.0.as_ref().map_or("none", RealmId::as_str)
    }
}

/// By their text: a realm may have that name.
impl PartialEq for OrNone {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

impl Eq for OrNone {}

impl Hash for OrNone {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text().hash(state);
    }
}

impl EncodeLabelValue for OrNone {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        encoder.write_str(self.text())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Check {
    realm: OrNone,
    /// `grant` or `refusal`.
    verdict: &'static str,
    /// Why it was refused; `none` for a grant.
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct InRealm {
    realm: OrNone,
}

/// Limits are named by realm files: there are so many and no more.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfLimit {
    realm: OrNone,
    limit: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StoreCall {
    call: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StoreMethod {
    call: &'static str,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("keyward");
        let version = vec![("version".to_owned(), env!("CARGO_PKG_VERSION").to_owned())];
        registry.register("build", "The build that runs", Info::new(version));
        let checks = Family::default();
        registry.register("checks", "Decisions by realm, verdict and reason", checks.clone());
        let uncounted = Family::default();
        registry.register("uncounted_grants", "Grants whose limits could not be counted, by realm", uncounted.clone());
        let (limited, would_refuse) = (Family::default(), Family::default());
        registry.register("limited", "Refusals by the limit that refused", limited.clone());
        registry.register("would_refuse", "Checks that a shadow would have refused, by limit", would_refuse.clone());
        let store_calls = Family::default();
        registry.register("store_calls", "Calls to the store, by call and outcome", store_calls.clone());
        let store_seconds: Family<StoreMethod, Histogram, fn() -> Histogram> = Family::new_with_constructor(latencies);
        registry.register_with_unit("store_call", "How long calls to the store took", Unit::Seconds, store_seconds.clone());
        let audit = AuditEnds::registered(&mut registry);
        let secrets = Secrets::registered(&mut registry);
        let settling = Settling::registered(&mut registry);
        let overload = Overload::registered(&mut registry);
        let usage = Usage::registered(&mut registry);
        let replica = OfReplica::registered(&mut registry);
        let look = OnceLock::new();
        Self {
            registry,
            checks,
            uncounted,
            limited,
            would_refuse,
            store_calls,
            store_seconds,
            audit,
            secrets,
            settling,
            overload,
            usage,
            replica,
            look,
        }
    }
}

impl Metrics {
    /// Counts a decision.
    pub fn decided(&self, verdict: &Result<Grant, Refusal>) {
        self.count_limits(verdict);
        let (realm, verdict, reason) = match verdict {
            Ok(grant) => {
                self.count_uncounted(grant);
                (Some(&grant.realm), "grant", "none")
            }
            Err(refusal) => (refusal.realm.as_ref(), "refusal", refusal.reason.name()),
        };
        let realm = OrNone(realm.map(|realm| realm.id.clone()));
        self.checks.get_or_create(&Check { realm, verdict, reason }).inc();
    }

    /// Counts a call to the store.
    pub fn store_called(&self, call: &'static str, took: Duration, outcome: &'static str) {
        self.store_calls.get_or_create(&StoreCall { call, outcome }).inc();
        self.store_seconds.get_or_create(&StoreMethod { call }).observe(took.as_secs_f64());
    }

    /// Tells where the audit log ended when this replica appended to it.
    pub fn audit_ends(&self, head: Head) {
        self.audit.at(head);
    }

    /// Counts old secrets that ended.
    pub fn secrets_ended(&self, unused: u64, in_use: u64) {
        self.secrets.ended(unused, in_use);
    }

    /// Counts a message of an Envoy's access log, by what became of it.
    pub fn log_message(&self, how: &'static str) {
        self.settling.message(how);
    }

    /// Counts an entry of an Envoy's access log, by what it is.
    pub fn log_entry(&self, what: &'static str) {
        self.settling.entry(what);
    }

    /// Counts a ticket that came back, by what became of it.
    pub fn ticket(&self, fate: &'static str) {
        self.settling.ticket(fate);
    }

    /// Counts a check that was refused undecided, by why.
    pub fn shed(&self, cause: &'static str) {
        self.overload.check(cause);
    }

    /// Counts checks whose count was added to the store or dropped.
    pub fn usage_checks(&self, fate: &'static str, count: u64) {
        self.usage.checks(fate, count);
    }

    /// Counts that usage was brought to the store, with what it has not taken yet.
    pub fn usage_flushed(&self, outcome: &'static str, held: usize) {
        self.usage.flushed(outcome, held);
    }

    /// How many checks wait.
    pub fn waiting(&self) -> &Gauge {
        &self.overload.waiting
    }

    /// Counts a connection to one of the ports that was not served, by why.
    pub fn refused_connection(&self, port: &'static str, why: &'static str) {
        self.overload.connection(port, why);
    }

    /// Has a replica looked at whenever metrics are scraped.
    pub fn watch(&self, look: impl Fn() -> Replica + Send + Sync + 'static) {
        let _ = self.look.set(Box::new(look));
    }

    /// The text that Prometheus scrapes (`OpenMetrics` 1.0).
    #[must_use]
    pub fn text(&self) -> String {
        if let Some(look) = self.look.get() {
            self.replica.show(&look());
        }
        let mut text = String::new();
        match encode(&mut text, &self.registry) {
            Ok(()) => text,
            Err(error) => format!("# {error}\n"),
        }
    }

    fn count_limits(&self, verdict: &Result<Grant, Refusal>) {
        let Some((realm, allowances)) = standing(verdict) else { return };
        let of = |limit: &Word| OfLimit { realm: OrNone(Some(realm.id.clone())), limit: limit.to_string() };
        for limit in would_refuse(allowances) {
            tracing::debug!(realm = %realm.id, %limit, "a shadow would refuse this");
            self.would_refuse.get_or_create(&of(limit)).inc();
        }
        if verdict.is_err()
            && let Some(tightest) = tightest(allowances)
        {
            self.limited.get_or_create(&of(&tightest.limit)).inc();
        }
    }

    fn count_uncounted(&self, grant: &Grant) {
        if grant.counted == Counted::NotAtAll {
            self.uncounted.get_or_create(&InRealm { realm: OrNone(Some(grant.realm.id.clone())) }).inc();
        }
    }
}

/// The realm and how its limits stand, where that is known of a check.
fn standing(verdict: &Result<Grant, Refusal>) -> Option<(&Realm, &[Allowance])> {
    match verdict {
        Ok(grant) => Some((&grant.realm, &grant.allowances)),
        Err(refusal) => Some((refusal.realm.as_deref()?, &refusal.allowances)),
    }
}

/// From 20 µs, a hit in memory, to 1 s.
fn latencies() -> Histogram {
    Histogram::new([0.000_02, 0.000_05, 0.000_1, 0.000_2, 0.000_5, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0])
}
