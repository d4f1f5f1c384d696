//! What upstreams answered is counted of keys, whether a limit gives something back for it or not.

use keyward::domain::usage::Counter;

use super::campaign::{Through, through_envoy};
use super::mixed::Want;
use super::world::World;
use crate::support::log::{ended, message, stream};
use crate::support::redis::RedisServer;
use crate::support::until;
use crate::support::usage::{flusher, subject, total};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_class_of_every_answer_is_counted_of_its_key_on_embedded() {
    classes(World::embedded().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_class_of_every_answer_is_counted_of_its_key_on_redis() {
    let redis = RedisServer::start();
    classes(World::on(redis.store()).await).await;
}

async fn classes(world: World) {
    let node = world.node().await;
    let tickets = node.charge(6).await;
    let answers = [200, 204, 404, 401, 500];
    let entries = tickets.iter().zip(answers).map(|(ticket, status)| ended(ticket, status)).collect();
    stream(node.address, vec![message(entries)], None).await.unwrap();
    until("all were read", || node.entries("ended") == 5).await;
    flusher(&node.replica, &world.store, &node.metrics).flush().await;
    let answered = Counter::Answered;
    let expected = [(Counter::Allowed, 6), (answered(2), 2), (answered(4), 2), (answered(5), 1)];
    for of in [subject("settle", Some("key_1")), subject("settle", None)] {
        assert_eq!(total(&*world.store, &of).await, expected, "the sixth was not heard of again");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_goes_through_a_real_envoy_is_counted_with_its_answers() {
    const MIX: [Want; 4] = [Want::Status(200), Want::Status(401), Want::Status(503), Want::NoKey];
    let world = World::embedded().await;
    let node = world.node().await;
    let Through { envoy: _envoy, .. } = through_envoy(&node, &MIX, 40, |bootstrap| bootstrap).await;
    until("every ticket came back", || node.entries("ended") == 30).await;
    flusher(&node.replica, &world.store, &node.metrics).flush().await;
    let answered = Counter::Answered;
    let expected = [(Counter::Allowed, 30), (answered(2), 10), (answered(4), 10), (answered(5), 10)];
    assert_eq!(total(&*world.store, &subject("settle", Some("key_1"))).await, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn control_without_the_access_log_no_answer_is_known() {
    let world = World::embedded().await;
    let node = world.node().await;
    let deaf = |bootstrap: String| bootstrap.replace("{ key: ticket }", "{ key: nothing }");
    let Through { mut envoy, .. } = through_envoy(&node, &[Want::Status(200)], 10, deaf).await;
    flusher(&node.replica, &world.store, &node.metrics).flush().await;
    assert_eq!(total(&*world.store, &subject("settle", Some("key_1"))).await, [(Counter::Allowed, 10)]);
    envoy.kill();
}
