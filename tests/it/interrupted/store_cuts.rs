//! The connection between keyward and Redis is cut after every byte of a mutation, of what Redis is asked and of what it answers. The call is made
//! again, and is done once.

use super::book::Written;
use super::calls::Fate;
use super::sweep::{ALL, Mutation, OPEN_OWNER, Sweep};
use super::world::World;
use crate::support::campaign::{figure, is_full};
use crate::support::proxy::{Fault, Proxy, Server, Then, Trap, Way};
use crate::support::redis::RedisServer;

/// More than any call has bytes.
const MOST: u64 = 60_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mutation_whose_redis_is_cut_off_after_any_byte_is_done_once() {
    let redis = RedisServer::durable();
    let proxy = Proxy::before(Server::Unix(redis.socket())).await;
    let world = tokio::task::spawn_blocking({
        let url = proxy.url();
        move || World::redis(redis, Some(&url))
    });
    let mut campaign = Campaign { sweep: Sweep::of(world.await.unwrap()).await, proxy, found: Found::default() };
    for (number, mutation) in ALL.iter().chain([&OPEN_OWNER]).enumerate() {
        // all of those that are told apart by their commits: a key made, secrets moved, several changes at once
        let step = match (is_full(), number) {
            (true, 0..3) => 1,
            (true, _) => 13,
            _ => 997,
        };
        for way in [Way::Requests, Way::Replies] {
            campaign.sweep.next_mutation();
            campaign.cut(mutation, way, step).await;
        }
    }
    campaign.sweep.assert_whole();
    campaign.found.report();
}

struct Campaign {
    sweep: Sweep,
    proxy: Proxy,
    found: Found,
}

#[derive(Debug, Default)]
struct Found {
    cut: usize,
    /// Cut calls that were answered OK all the same, and that were not.
    ok: usize,
    unknown: usize,
    bytes: u64,
}

impl Campaign {
    /// Cuts one call after another a step later, until one comes through whole.
    async fn cut(&mut self, mutation: &Mutation, way: Way, step: u64) {
        let mut bytes = self.sweep.dice.next() % step;
        loop {
            assert!(bytes < MOST, "{mutation:?} {way:?}: is there no end to it?");
            let (call, bait) = self.sweep.call(mutation).await;
            let hand = self.sweep.world.hand(0);
            self.proxy.lay(Trap { bait: bait.into_bytes(), then: Then::CutAfter { way, bytes, after: Fault::None } });
            let mut page = Written::new(call);
            let fate = hand.make(&page.call).await;
            let is_cut = self.proxy.unlay();
            page.note(&fate);
            let is_done = matches!(fate, Fate::Done(_));
            if is_cut {
                self.found.cut += 1;
                *(if is_done { &mut self.found.ok } else { &mut self.found.unknown }) += 1;
                bytes += step;
            }
            if is_done {
                self.sweep.book.written.push(page);
            } else {
                self.sweep.until_done(page).await;
            }
            if !is_cut && is_done {
                break;
            }
        }
        self.found.bytes += bytes;
    }
}

impl Found {
    fn report(&self) {
        let Self { cut, ok, unknown, bytes } = self;
        println!("{self:?}");
        figure(
            "K3",
            "calls of mutations whose Redis was cut off, over so many bytes; answered OK, unknown; found wrong",
            &format!("{cut}, {bytes}; {ok}, {unknown}; 0"),
        );
        assert!(*unknown > 0, "control: no call was cut off");
    }
}
