//! T1 for an owner: ten thousand keys end with one call.

use std::time::Duration;

use super::healthy::rate;
use super::world::{self, REALM, World, figure, secret, share};
use crate::support::load::Stamp;
use crate::support::member::Plan;
use crate::support::redis::RedisServer;
use crate::support::{seed, until};

const LEASE: Duration = Duration::from_secs(5);
const ALL: [usize; 3] = [0, 1, 2];
const KEYS: usize = 10_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn none_of_an_owners_many_keys_is_admitted_once_it_was_disabled() {
    // every replica is asked for every key first, and a build for tests takes its time
    let (owners, keys) = (share(1, 5), share(400, KEYS));
    let redis = RedisServer::durable();
    let store = redis.store();
    let (realms, first) = World::prepare(&*store, 0).await;
    for owner in 0..owners {
        let from = first + owner * keys;
        seed::many_keys(&*store, REALM, &format!("owner-{owner}"), from..from + keys, secret).await;
    }
    let prepared = (realms, first + owners * keys);
    let world = World::start(prepared, |realms| ALL.map(|_| Plan::new(realms, &redis.url(), LEASE)).to_vec()).await;
    let load = world.load(rate());
    let (mut admitted, mut took) = (0, Vec::new());
    for owner in 0..owners {
        let from = first + owner * keys;
        world::warm(&load, &ALL, from..from + keys).await;
        let begun = std::time::Instant::now();
        world.operator.disable_owner(&format!("owner-{owner}")).await.unwrap();
        let returned = load.seen.now();
        took.push(begun.elapsed());
        let refused = |replica| (from..from + keys).filter(|key| load.seen.refused(replica, *key) > returned).count();
        until("each replica refuses most keys", || ALL.iter().all(|replica| refused(*replica) > keys * 9 / 10)).await;
        let last = |key: usize| load.seen.last_admitted(key);
        assert!((from..from + keys).all(|key| last(key) > Stamp::default()));
        admitted += (from..from + keys).filter(|key| last(*key) > returned).count();
    }
    figure("T1", "an owner of so many keys disabled: owners, keys, admits after the return", &format!("{owners}, {keys}, {admitted}"));
    figure("T1", "DisableOwner", &format!("p50 {}, longest {}", world::at(50, &mut took), world::at(100, &mut took)));
    assert_eq!(admitted, 0);
}
