//! Three times what a replica can answer, for a while: how much of it is answered, and how it is afterwards. What it can is set by a store
//! that takes its time, so that a busy machine changes little.

use std::time::Duration;

use tokio::time::sleep;

use super::server;
use crate::hostility::resident;
use crate::support::campaign::{figure, is_full};
use crate::support::keyward::Store;
use crate::support::load::{Load, Tally, Terms};
use crate::support::proxy::Proxy;
use crate::support::redis::RedisServer;

/// Of keys that nobody has: each has to be looked up.
const KEYS: usize = 400_000;
const PLACES: usize = 32;

fn terms(rate: u32, connections: usize, in_flight: usize) -> Terms {
    Terms { host: "plain.test", secret: |key| format!("pl_{key:040x}"), keys: KEYS, rate, connections, in_flight }
}

/// What comes of it each second.
async fn offered(terms: &Terms, to: std::net::SocketAddr, nth: usize) -> Tally {
    let span = if is_full() { Duration::from_mins(1) } else { Duration::from_secs(4) };
    let load = Load::start(terms, &[to]);
    load.aim(nth * KEYS / 4..(nth + 1) * KEYS / 4);
    sleep(span / 4).await;
    let before = load.seen.total();
    sleep(span).await;
    let seen = load.seen.total().since(before);
    assert_eq!(seen.errors, 0, "{:?}", load.seen.first_error(0));
    let each = |count: u64| count / span.as_secs();
    Tally { admitted: each(seen.admitted), unavailable: each(seen.unavailable), refused: each(seen.refused), errors: 0 }
}

#[tokio::test(flavor = "multi_thread")]
async fn at_three_times_what_it_can_as_much_is_answered_as_before_the_rest_refused_in_band_and_then_all_is_as_before() {
    let redis = RedisServer::start();
    let proxy = Proxy::delaying(redis.socket(), vec![100..=100]).await;
    let url = proxy.url();
    let edit = |config: String| {
        let slow = config.replace("redis: {url", "redis: {timeout: 800ms, url");
        slow + &format!("check_deadline: 2s\nlease: 60s\nchecks_at_once: {PLACES}\n")
    };
    let (keyward, _) = tokio::task::spawn_blocking(move || server(&Store::Redis(&url), edit)).await.unwrap();
    // as many as there are places ask as fast as they are answered: all are
    let peak = offered(&terms(1_000_000, 4, PLACES / 4), keyward.envoy, 0).await;
    let resident_before = resident(&keyward);
    let rate = 3 * u32::try_from(peak.refused).unwrap();
    let over = offered(&terms(rate, 8, 64), keyward.envoy, 1).await;
    let grown = resident(&keyward).saturating_sub(resident_before) >> 20;
    let after = offered(&terms(1_000_000, 4, PLACES / 4), keyward.envoy, 2).await;

    let share = |part: u64| 100 * part / peak.refused.max(1);
    let found = format!(
        "{} of {}/s ({} %), {} shed, after: {} %, {grown} MiB",
        over.refused,
        peak.refused,
        share(over.refused),
        over.unavailable,
        share(after.refused)
    );
    figure("T15", "3x a slow store: decided, shed, afterwards, growth", &found);
    // how much is answered, and of what, is the figure: machines become slower while they are measured
    assert!(over.unavailable > 0 && over.refused > 0, "it was too much, and some found a place: {over:?}");
    assert_eq!((peak.unavailable, after.unavailable), (0, 0), "nobody is refused who finds a place");
    assert!(grown < 64, "{found}");
}
