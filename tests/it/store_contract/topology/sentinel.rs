//! A store that finds its primary through Sentinel.

use std::time::Duration;

use keyward::store::Store as _;

use super::super::samples::{commit, digest, key, new_key};
use super::{blocking, within, works, works_at};
use crate::support::sentinel::Sentinels;

#[test]
fn the_sentinels_of_these_tests_change_the_primary_when_asked_and_when_it_dies() {
    let mut all = Sentinels::start();
    assert_eq!(all.primary(), 0);
    let second = all.failover();
    assert_ne!(second, 0);
    all.until_followed(second, 2);
    let third = all.kill(second);
    assert_ne!(third, second);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_behind_sentinel_survives_failovers_without_a_restart() {
    let mut all = tokio::task::spawn_blocking(Sentinels::start).await.unwrap();
    let store = all.store();
    works(&*store, 1).await;
    // The old primary goes on, and says of itself for ten seconds that it is one.
    let second = blocking(|| all.failover());
    within("the store follows the new primary", Duration::from_secs(8), async || works_at(&*store, 2, &all.nodes[second]).await).await;
    blocking(|| all.until_followed(second, 2));
    let third = blocking(|| all.kill(second));
    within("the store follows the next primary", Duration::from_secs(8), async || works_at(&*store, 3, &all.nodes[third]).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_control_a_store_that_knows_one_address_stays_at_the_old_primary() {
    let all = tokio::task::spawn_blocking(Sentinels::start).await.unwrap();
    let store = all.nodes[0].server.store();
    works(&*store, 1).await;
    let second = blocking(|| all.failover());
    let found_there = || all.nodes[second].asks::<u64>("HLEN kw:1:{kw}:keys:otesse").unwrap();
    let before = found_there();
    let _ = store.commit(&commit(vec![new_key(&key("key_2", &[digest(2)]))])).await;
    assert_eq!(found_there(), before);
}
