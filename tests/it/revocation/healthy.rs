//! T1: nothing breaks. Three replicas, one Redis, revocations one after the other under load.

use std::sync::Arc;
use std::time::Duration;

use keyward::proto::keyward::admin::v1::Level;

use super::composed::{Composed, Deaf};
use super::world::{self, Revoked, World, figure, is_full, revoke, share, warm};
use crate::support::member::Plan;
use crate::support::redis::RedisServer;
use crate::support::until;

const LEASE: Duration = Duration::from_secs(5);
const ALL: [usize; 3] = [0, 1, 2];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_admitted_by_any_of_three_replicas_once_a_revocation_has_returned() {
    let trials = share(40, 10_000);
    let redis = RedisServer::durable();
    let prepared = World::prepare(&*redis.store(), trials + 1).await;
    let world = World::start(prepared, |realms| ALL.map(|_| Plan::new(realms, &redis.url(), LEASE)).to_vec()).await;
    let load = world.load(rate());
    let operators = ALL.map(|replica| world.operator.at(world.replicas[replica].admin));
    // the first one after a start waits for a lease to end: who holds one that Redis does not know of is not known yet
    revoke(&load, &world.operator, trials + 1).await;
    let mut all: Vec<Revoked> = Vec::new();
    for key in 1..=trials {
        warm(&load, &ALL, key..key + 1).await;
        let revoked = revoke(&load, &operators[key % 3], key).await;
        revoked.refused(&load, &ALL).await;
        all.push(revoked);
    }
    let broken = all.iter().filter(|revoked| revoked.broken(&load)).count();
    let mut took: Vec<Duration> = all.iter().map(|revoked| revoked.took).collect();
    let total = load.seen.total();
    figure("T1", "3 replicas, healthy: revocations, admits of checks sent after the return", &format!("{trials}, {broken}"));
    figure(
        "T1",
        "RevokeKey, the rate of checks meanwhile",
        &format!("p50 {}, p99 {}, {:.0} checks/s", world::at(50, &mut took), world::at(99, &mut took), load.seen.rate()),
    );
    assert_eq!(broken, 0);
    assert_eq!(total.errors, 0, "{:?}", load.seen.first_error(0));
    assert!(all.iter().all(|revoked| revoked.guarantee().level() == Level::Single));
    let all_spoke = all.iter().filter(|revoked| revoked.guarantee().holders_acknowledged == 3).count();
    figure("T1", "revocations that all three replicas acknowledged", &all_spoke.to_string());
    assert!(all_spoke > 0, "no revocation was acknowledged by all: each waited for the end of a lease");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_does_not_apply_the_log_admits_after_the_return() {
    let redis = RedisServer::durable();
    let prepared = World::prepare(&*redis.store(), 1).await;
    let world = World::start(prepared, |realms| vec![Plan::new(realms, &redis.url(), LEASE)]).await;
    let deaf = Composed::start(Arc::new(Deaf(redis.store())), LEASE).await;
    let load = world.load_on(rate(), &[world.replicas[0].envoy, deaf.envoy]);
    warm(&load, &[0, 1], 1..2).await;
    let revoked = revoke(&load, &world.operator, 1).await;
    assert_eq!(revoked.guarantee().holders_acknowledged, 2, "it says that it has applied what it has not");
    until("the control admits after the return", || revoked.broken(&load)).await;
    assert!(load.seen.admitted(0, 1) < revoked.returned, "the other replica does not");
}

/// What a machine of two processors can be offered, the replicas being built for tests or for use; `KEYWARD_RATE` asks for another.
pub fn rate() -> u32 {
    let asked = std::env::var("KEYWARD_RATE").ok().and_then(|text| text.parse().ok());
    asked.unwrap_or(if is_full() { 12_000 } else { 1_000 })
}
