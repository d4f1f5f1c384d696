//! What a replica in this process has counted, brought to its store when a test says so.

use std::sync::Arc;
use std::time::Duration;

use keyward::domain::name::{KeyId, OwnerId, RealmId};
use keyward::domain::usage::{Counter, Granularity, Tally};
use keyward::store::{SharedStore, Store, SubjectName, Usage, UsageRange};
use keyward::telemetry::metrics::Metrics;
use keyward::usage::flush::{Flusher, Parts};

use super::in_process::Replica;

/// One that flushes only when it is told to.
pub fn flusher(replica: &Replica, store: &SharedStore, metrics: &Arc<Metrics>) -> Flusher {
    let (meter, session) = (replica.meter.clone(), replica.session.clone());
    let (store, metrics, by) = (store.clone(), metrics.clone(), getrandom::u64().unwrap());
    Flusher::new(Parts { meter, store, session, metrics, every: Duration::from_hours(1), by })
}

/// A key of `acme`, or `acme` itself.
pub fn subject(realm: &str, key: Option<&str>) -> SubjectName {
    let key = key.map(|key| KeyId::parse(key).unwrap());
    SubjectName { realm: RealmId::parse(realm).unwrap(), owner: OwnerId::parse("acme").unwrap(), key }
}

/// Of today and yesterday.
pub async fn usage(store: &dyn Store, of: &SubjectName) -> Usage {
    let last = Granularity::Day.number(store.now().await.unwrap());
    store.usage(of, &UsageRange { granularity: Granularity::Day, first: last - 1, last }).await.unwrap()
}

/// All that was counted of it, today and yesterday.
pub async fn total(store: &dyn Store, of: &SubjectName) -> Vec<(Counter, u64)> {
    let mut total = Tally::default();
    usage(store, of).await.series.iter().for_each(|(_, tally)| total.add_all(tally));
    total.counted().collect()
}
