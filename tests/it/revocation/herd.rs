//! T14: three replicas start at once under load: none is ready before it holds a lease, and one that is ready answers every check in band.

use std::time::Duration;

use super::healthy::rate;
use super::world::{STEADY, World, figure, secret, serves, share, warm};
use crate::support::member::Plan;
use crate::support::proxy::{Fault, Proxy, Server, Way};
use crate::support::redis::RedisServer;
use crate::support::{check, http, until};

const LEASE: Duration = Duration::from_secs(5);
const ALL: [usize; 3] = [0, 1, 2];
const KEYS: usize = 20;
/// So often a replica is asked whether it is ready while it cannot be.
const ASKED: usize = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_replicas_that_restart_at_once_are_ready_with_a_lease_and_answer_all_in_band() {
    let rounds = share(2, 50);
    let redis = RedisServer::durable();
    let proxy = Proxy::before(Server::Unix(redis.socket())).await;
    let prepared = World::prepare(&*redis.store(), KEYS).await;
    let mut world = World::start(prepared, |realms| ALL.map(|_| Plan::new(realms, &proxy.url(), LEASE)).to_vec()).await;
    let load = world.load(rate());
    warm(&load, &ALL, 1..KEYS + 1).await;
    let mut first_checks = [0; 2];
    for round in 0..rounds {
        for replica in ALL {
            load.leave(replica).await;
            if round % 2 == 0 {
                world.replicas[replica].kill();
            } else {
                assert_eq!(world.replicas[replica].stop(), Some(0));
            }
        }
        // the store does not answer: they start, and are not ready
        proxy.set(Fault::Held(Way::Replies));
        let started = proxy.accepted();
        for replica in &mut world.replicas {
            tokio::task::block_in_place(|| replica.again());
        }
        for _ in 0..ASKED {
            assert!(world.replicas.iter().all(|replica| !replica.is_ready()), "ready without a lease");
        }
        proxy.heal();
        for replica in ALL {
            let ready = world.replicas[replica].http;
            until("a replica is ready", || http::get(ready, "/readyz").is_some_and(|(status, _)| status == 200)).await;
            let admitted = first_check(world.replicas[replica].envoy).await;
            first_checks[usize::from(!admitted)] += 1;
            load.join(replica, world.replicas[replica].envoy);
        }
        for replica in ALL {
            serves(&load, replica).await;
        }
        assert!(proxy.accepted() > started);
    }
    let total = load.seen.total();
    let [admitted, not] = first_checks;
    figure("T14", "3 replicas restarted at once: rounds, first checks admitted and not", &format!("{rounds}, {admitted}, {not}"));
    figure(
        "T14",
        "checks of ready replicas: admitted, refused in band, gRPC errors",
        &format!("{}, {}, {}", total.admitted, total.unavailable + total.refused, total.errors),
    );
    assert_eq!((not, total.errors), (0, 0), "{:?}", load.seen.first_error(0));
}

/// Whether the first check that a ready replica is asked is admitted.
async fn first_check(replica: std::net::SocketAddr) -> bool {
    let request = check::request("GET", "rev.test", "/", &[("x-api-key", &secret(STEADY))]);
    check::admits(check::connect(replica).await.check(request).await.unwrap().get_ref())
}
