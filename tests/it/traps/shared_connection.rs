//! Trap 10: one connection carries everybody's checks, and clients that go away early reset theirs.

use std::time::Duration;

use super::Scene;
use crate::support::check;

#[test]
fn trap_10_clients_that_go_away_do_not_cut_the_others_off() {
    let scene = Scene::plain();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let checks = check::connect(scene.keyward.envoy).await;
        let request = || check::request("GET", "api.otesse.com", "/v1/bookings", &[("x-api-key", &scene.secret)]);
        let mut others = Vec::new();
        for _ in 0..2_000 {
            let (mut gone, request) = (checks.clone(), request());
            // Sent, and dropped before there can be an answer.
            let _ = tokio::time::timeout(Duration::from_micros(50), gone.check(request)).await;
            if others.len() < 200 {
                let (mut other, request) = (checks.clone(), self::check::request("GET", "nobody.test", "/", &[]));
                others.push(tokio::spawn(async move { other.check(request).await }));
            }
        }
        for other in others {
            let answer = other.await.unwrap();
            assert!(answer.is_ok(), "a check of another client was cut off: {answer:?}");
        }
    });
}
