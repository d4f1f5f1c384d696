//! T4: a record is read, then its key is revoked, then what was read arrives.

use std::time::Duration;

use futures_util::future::join_all;

use super::composed::{Composed, Late, Told};
use super::world::{REALM, World, figure, secret, share};
use crate::support::check::{self, Checks};
use crate::support::load::Load;
use crate::support::member::Plan;
use crate::support::proxy::{Proxy, Server, Then, Trap};
use crate::support::redis::RedisServer;
use crate::support::seed::peppers;
use crate::support::until;
use keyward::domain::name::RealmId;

const LEASE: Duration = Duration::from_secs(5);
/// Fills that are kept back together.
const AT_ONCE: usize = 50;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_admitted_after_the_return_on_what_was_read_before_the_revocation() {
    let trials = share(200, 100_000);
    let admitted = race(trials, Told::Truly).await;
    figure("T4", "fills that arrive after the revocation has returned, admits after the return", &format!("{trials}, {admitted}"));
    assert_eq!(admitted, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_read_before_admits_after_the_return_where_its_place_in_the_log_is_not_told() {
    let admitted = race(AT_ONCE, Told::Newest).await;
    assert!(admitted > 0, "the control admitted nobody: the campaign above could not fail");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_admitted_on_a_reply_of_redis_that_was_held_past_the_return() {
    let trials = share(5, 500);
    let redis = RedisServer::durable();
    let proxy = Proxy::before(Server::Unix(redis.socket())).await;
    let prepared = World::prepare(&*redis.store(), trials).await;
    let plans = |realms: &std::path::Path| {
        let direct = Plan::new(realms, &redis.url(), LEASE);
        vec![direct.clone(), direct.at(&proxy.url())]
    };
    let world = World::start(prepared, plans).await;
    let load = world.load(1);
    let checks = check::connect(world.replicas[1].envoy).await;
    let mut admitted = 0;
    for key in 1..=trials {
        let digest = peppers().newest().digest(&RealmId::parse(REALM).unwrap(), secret(key).as_bytes());
        proxy.lay(Trap { bait: digest.0.to_vec(), then: Then::HoldReplies });
        let first = tokio::spawn(ask(checks.clone(), key));
        until("the reply is held", || proxy.sprung()).await;
        let revoked = super::world::revoke(&load, &world.operator, key).await;
        assert!(proxy.unlay());
        first.await.unwrap();
        admitted += usize::from(ask(checks.clone(), key).await) + usize::from(revoked.broken(&load));
    }
    figure("T4", "replies of Redis held past the return: trials, admits after the return", &format!("{trials}, {admitted}"));
    assert_eq!(admitted, 0);
}

/// How many keys are admitted for a check that was sent after they were revoked, and after the fill of an earlier check has arrived.
async fn race(trials: usize, told: Told) -> usize {
    // what is on the disk does not matter here, and would take its time
    let redis = RedisServer::start();
    let prepared = World::prepare(&*redis.store(), trials + 1).await;
    let world = World::start(prepared, |realms| vec![Plan::new(realms, &redis.url(), LEASE)]).await;
    let late = Late::new(redis.store(), told);
    let composed = Composed::start(late.clone(), LEASE).await;
    let load: Load = world.load(1);
    let checks = check::connect(composed.envoy).await;
    // the first revocation after a start waits for a lease to end, and what was read a lease ago is refused for that alone
    super::world::revoke(&load, &world.operator, trials + 1).await;
    let mut admitted = 0;
    for first in (1..=trials).step_by(AT_ONCE) {
        let keys = first..(first + AT_ONCE).min(trials + 1);
        late.hold();
        let early: Vec<_> = keys.clone().map(|key| tokio::spawn(ask(checks.clone(), key))).collect();
        let all = u32::try_from(keys.len()).unwrap();
        late.kept_back.acquire_many(all).await.unwrap().forget();
        join_all(keys.clone().map(|key| super::world::revoke(&load, &world.operator, key))).await;
        late.release();
        join_all(early).await;
        admitted += join_all(keys.map(|key| ask(checks.clone(), key))).await.into_iter().filter(|admitted| *admitted).count();
    }
    admitted
}

async fn ask(mut checks: Checks, key: usize) -> bool {
    let request = check::request("GET", "rev.test", "/", &[("x-api-key", &secret(key))]);
    check::admits(checks.check(request).await.unwrap().get_ref())
}
