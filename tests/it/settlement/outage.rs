//! The store is away while entries come: what was taken in is settled once it is back, and what is too much for the queue stays counted.

use std::time::Duration;

use keyward::domain::outcome::Outcome;
use keyward::domain::ticket::TicketId;

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
    let world = World::on(std::sync::Arc::new(keyward::store::redis::RedisStore::connect(&settings).unwrap())).await;
    let node = world.node().await;
    let first = opened(&node.charge(1).await.remove(0));
    redis.pause();
    let came = 80_000;
    for number in 0..came {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&u64::to_be_bytes(number));
        let ticket = keyward::domain::ticket::Ticket { id: TicketId(id), ..first.clone() };
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
