//! When the store is away: what was granted before is spent to its lease's end, and from then on the realm's stance decides, marked.

use std::time::Duration;

use envoy_types::pb::envoy::service::auth::v3::CheckResponse;

use super::World;
use crate::support::check;

const PLAN: &str = "plans: {hot: [{limit: minute, per: key, most: 100000, window: 1m}]}\ndefault_plan: hot\n";
/// The longest that tokens are held in advance, where there are plenty.
const LEASE: Duration = Duration::from_secs(1);

fn is_counted(response: &CheckResponse) -> bool {
    check::admits(response) && check::metadata(response, "degraded").is_none()
}

/// A key that is asked for a thousand times a second, and so holds tokens in advance; then its store is gone.
async fn hot(stance: &str) -> World {
    let world = World::of(&format!("{PLAN}when_store_is_away: {{limits: {stance}}}\n"), &[], Duration::from_millis(50)).await;
    for _ in 0..300 {
        world.hands.pass(Duration::from_millis(1));
        let response = world.ask("/").await;
        assert!(is_counted(&response), "{response:?}");
    }
    world.goes_away();
    for _ in 0..5 {
        assert!(is_counted(&world.ask("/").await), "what is held is spent without the store");
    }
    world
}

#[tokio::test]
async fn a_hot_key_goes_on_to_the_end_of_its_lease_and_is_denied_then_where_the_realm_says_deny() {
    let world = hot("deny").await;
    assert!(is_counted(&world.ask("/").await), "control: in the same instant, before the lease's end");
    world.hands.pass(LEASE);
    let denied = world.ask("/").await;
    assert_eq!((check::denied_status(&denied), check::metadata(&denied, "reason").as_deref()), (Some(503), Some("unavailable")));
    assert_eq!(check::header(&denied, "retry-after").as_deref(), Some("1"));
}

#[tokio::test]
async fn a_hot_key_passes_uncounted_after_its_lease_and_marked_where_the_realm_says_allow() {
    let world = hot("allow").await;
    let uncounted = "keyward_uncounted_grants_total{realm=\"told\"}";
    assert_eq!(world.counted(uncounted), None, "control: what a lease pays for is not marked");
    world.hands.pass(LEASE);
    let passed = world.ask("/").await;
    assert!(check::admits(&passed));
    assert_eq!(check::metadata(&passed, "degraded").as_deref(), Some("limits"));
    assert_eq!(world.counted(uncounted), Some(1));
}
