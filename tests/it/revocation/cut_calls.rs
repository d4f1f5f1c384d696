//! T7: Redis is cut off after every byte of a call of `RevokeKey`, of what it is asked and of what it answers. Whatever becomes of the call,
//! OK is said only of what is revoked.

use std::sync::Arc;
use std::time::Duration;

use keyward::domain::name::{KeyId, RealmId};
use keyward::store::Store as _;
use keyward::store::redis::RedisStore;
use tonic::{Code, Status};

use super::healthy::rate;
use super::world::{REALM, Revoked, World, figure, is_full, serves, try_revoke, warm};
use crate::support::load::Load;
use crate::support::member::Plan;
use crate::support::proxy::{Fault, Proxy, Server, Then, Trap, Way};
use crate::support::redis::RedisServer;
use crate::support::seed;

const LEASE: Duration = Duration::from_secs(1);
const BOTH: [usize; 2] = [0, 1];
/// More than any call has bytes.
const MOST: usize = 20_000;
/// Keys that are made known at a time.
const KNOWN: usize = 50;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_of_a_redis_that_is_cut_off_after_any_byte_says_ok_of_what_is_not_revoked() {
    let step = if is_full() { 1 } else { 397 };
    let redis = RedisServer::durable();
    let proxy = Proxy::before(Server::Unix(redis.socket())).await;
    let prepared = World::prepare(&*redis.store(), MOST / step).await;
    let plans = |realms: &std::path::Path| vec![Plan::new(realms, &proxy.url(), LEASE), Plan::new(realms, &redis.url(), LEASE)];
    let world = World::start(prepared, plans).await;
    let load = world.load(rate() / 2);
    let mut campaign = Campaign { store: redis.store(), proxy, world, load, next: 1, known: 1, found: Found::default() };
    for after in [Fault::None, Fault::Refused] {
        for way in [Way::Requests, Way::Replies] {
            campaign.sweep(way, after, step as u64).await;
        }
    }
    campaign.found.report();
}

struct Campaign {
    store: Arc<RedisStore>,
    /// Before the first replica, which is told to revoke.
    proxy: Proxy,
    world: World,
    load: Load,
    /// The next key, and the first that is not known yet.
    next: usize,
    known: usize,
    found: Found,
}

/// What became of the calls.
#[derive(Default)]
struct Found {
    cut: usize,
    ok: Vec<Revoked>,
    false_ok: usize,
    admitted: usize,
    /// An error, and the revocation is recorded.
    recorded: usize,
    /// An error, and it is not.
    unrecorded: usize,
}

impl Campaign {
    /// Cuts one call after 0, `step`, 2 `step`... bytes, until one comes through whole.
    async fn sweep(&mut self, way: Way, after: Fault, step: u64) {
        let mut bytes = 0;
        loop {
            match self.call(Then::CutAfter { way, bytes, after }).await {
                (true, _) => (self.found.cut, bytes) = (self.found.cut + 1, bytes + step),
                (false, true) => break,
                // refused before it came to Redis: that says nothing of these bytes
                (false, false) => {}
            }
        }
        self.found.so_far(&format!("{way:?} cut every {step} bytes up to {bytes}, then {after:?}"));
    }

    /// Makes one call: whether it was cut, and whether OK was said.
    async fn call(&mut self, then: Then) -> (bool, bool) {
        let key = self.key().await;
        let bait = seed::id(key).into_bytes();
        self.proxy.lay(Trap { bait, then });
        let (returned, took, answer) = try_revoke(&self.load, &self.world.operator, key).await;
        let sprung = self.proxy.unlay();
        self.proxy.set(Fault::None);
        let recorded = self.is_recorded(key).await;
        let ok = answer.is_ok();
        match answer {
            Ok(answer) => {
                self.found.false_ok += usize::from(!recorded);
                let revoked = Revoked { key, returned, took, answer };
                revoked.refused(&self.load, &BOTH).await;
                self.found.admitted += usize::from(revoked.broken(&self.load));
                self.found.ok.push(revoked);
            }
            Err(status) => self.failed(key, &status, recorded).await,
        }
        (sprung, ok)
    }

    /// As Redis has it, which nobody cut off.
    async fn is_recorded(&self, key: usize) -> bool {
        let (realm, id) = (RealmId::parse(REALM).unwrap(), KeyId::parse(&seed::id(key)).unwrap());
        self.store.key(&realm, &id).await.unwrap().unwrap().revoked.is_some()
    }

    /// A call that failed is made again until it holds.
    async fn failed(&mut self, key: usize, status: &Status, recorded: bool) {
        assert!(is_no_answer(status), "{status:?}");
        *(if recorded { &mut self.found.recorded } else { &mut self.found.unrecorded }) += 1;
        let mut answer = try_revoke(&self.load, &self.world.operator, key).await;
        while let Err(status) = &answer.2 {
            assert!(is_no_answer(status), "{status:?}");
            // a connection that had taken the bait may be cut when the trap is up already
            self.proxy.set(Fault::None);
            answer = try_revoke(&self.load, &self.world.operator, key).await;
        }
        let revoked = Revoked { key, returned: answer.0, took: answer.1, answer: answer.2.unwrap() };
        revoked.refused(&self.load, &BOTH).await;
        self.found.admitted += usize::from(revoked.broken(&self.load));
    }

    /// The next key that both replicas know.
    async fn key(&mut self) -> usize {
        let key = self.next;
        self.next += 1;
        if key >= self.known {
            for replica in BOTH {
                serves(&self.load, replica).await;
            }
            let to = (self.known + KNOWN).min(self.world.keys);
            assert!(key < to, "a call has more bytes than there are keys");
            warm(&self.load, &BOTH, self.known..to).await;
            self.known = to;
        }
        self.load.aim(key..key + 1);
        key
    }
}

/// The replica says that it cannot tell; or its connection ends, as it does now and then: by its age, or because h2 counts the small requests that
/// were refused unread.
fn is_no_answer(status: &Status) -> bool {
    matches!(status.code(), Code::Unavailable | Code::Unknown | Code::Cancelled | Code::ResourceExhausted)
}

impl Found {
    /// A long run that ends early has shown this much.
    fn so_far(&self, what: &str) {
        let Self { cut, ok, false_ok, admitted, .. } = self;
        eprintln!("{what}; so far calls cut {cut}, OK {}, false OK {false_ok}, admits {admitted}", ok.len());
        assert_eq!((*false_ok, *admitted), (0, 0));
    }

    fn report(&self) {
        let Self { cut, ok, false_ok, admitted, recorded, unrecorded } = self;
        figure(
            "T7",
            "RevokeKey with Redis cut after every byte: calls cut, OK, false OK, admits",
            &format!("{cut}, {}, {false_ok}, {admitted}", ok.len()),
        );
        figure("T7", "calls that failed: recorded all the same, not recorded", &format!("{recorded}, {unrecorded}"));
        assert_eq!((*false_ok, *admitted), (0, 0));
        assert!(*recorded > 0, "control: none was recorded and not guaranteed, so nothing could have been said falsely");
        assert!(*unrecorded > 0, "control: none was cut before it was recorded");
        assert!(!ok.is_empty());
    }
}
