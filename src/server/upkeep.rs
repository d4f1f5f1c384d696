//! When what is due is looked after.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use crate::domain::retention::Retention;
use crate::keyring::Keyring;
use crate::telemetry::metrics::Metrics;

/// Secrets that end are seen to this often, what is to be forgotten once in so many times.
const EVERY: Duration = Duration::from_secs(10);
const FORGETS: u64 = 360;

/// For as long as the server runs. What fails is tried again the next time.
pub(super) async fn run(keyring: Arc<Keyring>, retention: Retention, metrics: Arc<Metrics>) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for round in 0_u64.. {
        ticks.tick().await;
        match keyring.end_secrets().await {
            Ok(ended) => metrics.secrets_ended(ended.unused, ended.in_use),
            Err(error) => tracing::debug!(%error, "secrets that have ended are still kept"),
        }
        keyring.tell_refused().await;
        if round % FORGETS == 1
            && let Err(error) = keyring.forget(&retention).await
        {
            tracing::warn!(%error, "what is old enough could not be forgotten");
        }
    }
}
