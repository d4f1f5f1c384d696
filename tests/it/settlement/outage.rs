//! The store is away while entries come: what was taken in is settled once it is back, and what is too much for the queue stays counted.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use keyward::domain::name::OwnerId;
use keyward::domain::outcome::Outcome;
use keyward::domain::ticket::{Ticket, TicketId};
use keyward::store::{Round, Settled, Settlement, SharedStore, Store, StoreError, SubjectName};

use super::world::{Counted, World, opened};
use crate::support::log::{ended, message, stream};
use crate::support::redis::{RedisServer, settings};
use crate::support::seed::peppers;
use crate::support::until;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_that_come_while_redis_is_killed_are_settled_when_it_is_back() {
    let mut redis = RedisServer::durable();
    let world = World::on(redis.store()).await;
    let node = world.node().await;
    let tickets = node.charge(600).await;
    // nothing is held in advance any more: what goes back while Redis is killed may be lost
    world.counts(Counted { minute: 600, hour: 600, good: 600, answered: 600, all: 600 }).await;
    let of = |from: usize| message(tickets[from..from + 300].iter().map(|ticket| ended(ticket, 401)).collect());
    stream(node.address, vec![of(0)], None).await.unwrap();
    redis.kill();
    stream(node.address, vec![of(300)], None).await.unwrap();
    until("all were read", || node.entries("ended") == 600).await;
    assert!(node.tickets("settled") < 600, "control: not without a store");
    redis.restart();
    node.settlements.done().await;
    assert_eq!((node.tickets("settled"), node.tickets("abandoned"), node.tickets("overflow")), (600, 0, 0));
    world.counts(Counted { answered: 600, all: 600, ..Counted::default() }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beyond_the_bound_what_comes_stays_counted() {
    let redis = RedisServer::start();
    let settings = keyward::store::redis::Settings { timeout: Duration::from_secs(1), ..settings(redis.url()) };
    let world = World::on(Arc::new(keyward::store::redis::RedisStore::connect(&settings).unwrap())).await;
    let node = world.node().await;
    let first = opened(&node.charge(1).await.remove(0));
    redis.pause();
    let came = 80_000;
    for number in 0..came {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&u64::to_be_bytes(number));
        let ticket = Ticket { id: TicketId(id), ..first.clone() };
        node.settlements.settle(&ticket.seal(&peppers()), Outcome::Status(401));
        if number % 1_000 == 0 {
            tokio::task::yield_now().await;
        }
    }
    let dropped = node.tickets("overflow");
    assert!(dropped > 0 && dropped < came, "{dropped}");
    redis.resume();
    node.settlements.done().await;
    assert_eq!(node.tickets("settled") + dropped, came);
}

/// A store in two parts, one of which settles nothing and says nothing. The control has them in one queue.
struct Half {
    store: SharedStore,
    parts: u64,
}

#[async_trait]
impl Round for Half {
    fn inner(&self) -> Result<&dyn Store, StoreError> {
        Ok(&*self.store)
    }

    fn part(&self, owner: &SubjectName) -> u64 {
        u64::from(is_slow(owner)) % self.parts
    }

    async fn settle(&self, settlements: &[Settlement]) -> Result<Vec<Settled>, StoreError> {
        if settlements.iter().flat_map(|settlement| &settlement.returns).any(|back| is_slow(&back.subject)) {
            return std::future::pending().await;
        }
        self.store.settle(settlements).await
    }
}

fn is_slow(owner: &SubjectName) -> bool {
    owner.owner.to_string() == "slow"
}

/// What became of the tickets of an owner whose part answers, among more of another's than may wait: how many were settled, and how many of
/// all were too many.
async fn beside_a_part_that_hangs(parts: u64) -> (u64, u64) {
    let redis = RedisServer::start();
    let world = World::on(Arc::new(Half { store: redis.store(), parts })).await;
    let node = world.node().await;
    let tickets = node.charge(20).await;
    let slow = Ticket { owner: OwnerId::parse("slow").unwrap(), ..opened(&tickets[0]) };
    for number in 0..70_000_u64 {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&number.to_be_bytes());
        node.settlements.settle(&Ticket { id: TicketId(id), ..slow.clone() }.seal(&peppers()), Outcome::Status(401));
    }
    let before = node.tickets("overflow");
    assert!(before > 0);
    for ticket in &tickets {
        node.settlements.settle(&opened(ticket).seal(&peppers()), Outcome::Status(401));
    }
    let done = || node.tickets("settled") + node.tickets("overflow") - before;
    until("the last have been settled or refused", || done() == 20).await;
    (node.tickets("settled"), node.tickets("overflow") - before)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_of_the_store_that_hangs_holds_up_its_own_settlements_and_takes_no_place_of_others() {
    assert_eq!(beside_a_part_that_hangs(2).await, (20, 0));
    assert_eq!(beside_a_part_that_hangs(1).await, (0, 20), "control: in one queue");
}
