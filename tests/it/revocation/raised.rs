//! A limit is raised that three replicas have found full, and remember so: each of them admits again soon, though nobody waits for them.

use std::time::{Duration, Instant};

use super::hammer::{Hammer, How};
use super::world::{self, World, figure, share};
use crate::support::member::Plan;
use crate::support::operator::Limits;
use crate::support::redis::RedisServer;
use crate::support::{seed, until};

const LEASE: Duration = Duration::from_secs(5);
const ALL: [usize; 3] = [0, 1, 2];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_that_was_raised_lets_more_pass_at_every_replica() {
    let trials = share(3, 200);
    let redis = RedisServer::durable();
    let prepared = World::prepare(&*redis.store(), trials).await;
    let world = World::start(prepared, |realms| ALL.map(|_| Plan::new(realms, &redis.url(), LEASE)).to_vec()).await;
    let addresses = ALL.map(|replica| world.replicas[replica].envoy);
    let (mut of_keys, mut of_owners) = (Vec::new(), Vec::new());
    for key in 1..=trials {
        let few = Limits { plan: "wide", number: Some(("hour", 40)) };
        world.operator.limit_key(&seed::id(key), &few).await.unwrap();
        let (begun, hammer) = (Instant::now(), Hammer::start(&addresses, &[key]));
        let all = |how, least, since| ALL.iter().all(|replica| hammer.count(*replica, how, since) >= least);
        until("every replica refuses the key", || all(How::Limited, 30, begun)).await;
        let raised = Limits { number: Some(("hour", 1_000_000)), ..few };
        let answer = world.operator.limit_key(&seed::id(key), &raised).await.unwrap();
        assert!(answer.position > 0 && answer.guarantee.is_none(), "it waits for nobody");
        of_keys.push(lasts(|since| all(How::Admitted, 1, since)).await);

        // the owner's keys share one window, and have used some of it
        let few = Limits { plan: "wide", number: Some(("together", 1)) };
        world.operator.limit_owner("acme", &few).await.unwrap();
        let full = Instant::now();
        until("every replica refuses the owner's key", || all(How::Limited, 30, full)).await;
        let raised = Limits { number: Some(("together", 1_000_000)), ..few };
        let answer = world.operator.limit_owner("acme", &raised).await.unwrap();
        assert!(answer.position > 0 && answer.guarantee.is_none(), "it waits for nobody");
        of_owners.push(lasts(|since| all(How::Admitted, 1, since)).await);
        hammer.ended().await;
    }
    for (what, took) in [("a key's", &mut of_keys), ("an owner's", &mut of_owners)] {
        let row = format!("{what} limit raised: trials, until every replica admits again");
        figure("L1", &row, &format!("{trials}, p50 {}, longest {}", world::at(50, took), world::at(100, took)));
    }
}

/// How long it lasts from now on until it is so of the checks that are sent from now on.
async fn lasts(is_so: impl Fn(Instant) -> bool) -> Duration {
    let returned = Instant::now();
    until("every replica admits again", || is_so(returned)).await;
    returned.elapsed()
}
