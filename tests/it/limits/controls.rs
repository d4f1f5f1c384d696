//! What the campaign must find fault with, or it could find none: other ways of counting, and keyward's own with the deadline at the moment
//! of spending taken away (a boot clock that goes slowly, on which tokens last longer than they are counted).

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use keyward::clock::{Clock, SystemClock};
use keyward::domain::time::{BootTime, StoreTime};

use super::attack::Pattern;
use super::clients::{Clients, Manners, Upstream};
use super::peers::{Counting, Peer};
use super::table::{self, Found, Limit, Per, Plan, worst_windows};
use super::world::{Run, Troubles, World, hammer};
use crate::support::campaign::figure;
use crate::support::member::{ADDRESSES, CONFIG, Launch};
use crate::support::proxy::Proxy;
use crate::support::redis::RedisServer;

const LIMIT: Limit = Limit { per: Per::Key, most: 60, window: Duration::from_secs(2), counts: table::Counts::All };
const PLANS: &[Plan] = &[Plan { name: "control", limits: &[LIMIT], keys: 1, owners: 16 }];
/// A busy machine may need more than one run to be as fast as an attacker.
const RUNS: usize = 12;
/// One attack takes up to three windows.
const RUN: Duration = Duration::from_secs(8);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fixed_window_exceeds_its_limit_by_more_than_half() {
    exceeds("a fixed window", Counting::Fixed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_weighted_counter_of_two_windows_exceeds_its_limit_by_more_than_half() {
    exceeds("a weighted counter of two windows", Counting::Weighted).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_deadline_at_the_moment_of_spending_a_window_is_exceeded() {
    let mut world = World::start(PLANS, &SLOW, &[5..=100]).await;
    let mut worst: f64 = 0.0;
    for _ in 0..RUNS {
        let run = Run { patterns: &[Pattern::Hoard], length: RUN, manners: Manners::Hasty(2), troubles: Troubles::None };
        let outcome = world.hammer(&run).await;
        outcome.print("a boot clock that goes slowly");
        worst = worst.max(outcome.worst_ratio());
        if worst > 1.0 {
            break;
        }
    }
    figure("1", "control: the deadline of tokens taken away: worst window ÷ limit", &format!("{worst:.3}"));
    assert!(worst > 1.0, "the control kept its limit: the campaign could not fail");
}

async fn exceeds(what: &str, counting: Counting) {
    let (redis, owners) = (RedisServer::start(), table::owners(PLANS));
    let proxy = Proxy::delaying(redis.socket(), vec![5..=100]).await;
    let mut peers = Vec::new();
    for _ in 0..4 {
        peers.push(Peer::start(counting, &proxy, &owners).await);
    }
    let addresses: Vec<_> = peers.iter().map(|peer| peer.address).collect();
    let mut worst: f64 = 0.0;
    for _ in 0..RUNS {
        let clients = Clients::new(&addresses, Manners::Patient, Upstream::Works);
        hammer(&clients, &owners, &[Pattern::Turn], Instant::now() + RUN).await;
        worst = worst_windows(&owners, &clients.records()).iter().map(Found::ratio).fold(worst, f64::max);
        if worst > 1.5 {
            break;
        }
    }
    figure("1", &format!("control: {what}: worst window ÷ limit"), &format!("{worst:.3}"));
    assert!(worst > 1.5, "{what} kept {worst} of its limit: the campaign could not fail");
}

const SLOW: Launch = Launch::Test("limits::controls::a_server_that_another_test_started");

/// Does nothing unless [`SLOW`] started it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_another_test_started() {
    let (Some(config), Some(addresses)) = (std::env::var_os(CONFIG), std::env::var_os(ADDRESSES)) else { return };
    let config = keyward::config::load(&PathBuf::from(config)).unwrap();
    keyward::server::serve(config, Arc::new(Slow), Some(addresses.into()), std::future::pending()).await.unwrap();
}

/// A clock on which what lasts 200 ms lasts four seconds. One that stood still would never measure how fast a key is used.
struct Slow;

impl Clock for Slow {
    fn boot(&self) -> BootTime {
        BootTime(SystemClock.boot().0 / 20)
    }

    fn wall(&self) -> StoreTime {
        SystemClock.wall()
    }
}
