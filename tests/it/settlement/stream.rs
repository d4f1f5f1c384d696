//! The access log's stream: which entries count, and of what size messages may be.

use envoy_types::pb::envoy::data::accesslog::v3::AccessLogType;

use super::world::{Counted, World, opened, sealed};
use crate::support::log::{ended, message, of_type, stream};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_replica_settles_any_ticket_once() {
    let world = World::embedded().await;
    let (charging, settling, third) = (world.node().await, world.node().await, world.node().await);
    let tickets = charging.charge(4).await;
    world.counts(Counted { minute: 4, hour: 4, good: 4, answered: 4, all: 4 }).await;
    let answers = [200, 401, 400, 404];
    let entries = || message(tickets.iter().zip(answers).map(|(ticket, status)| ended(ticket, status)).collect());
    stream(settling.address, vec![entries()], None).await.unwrap();
    settling.settlements.done().await;
    let settled = Counted { minute: 3, hour: 2, good: 1, answered: 4, all: 4 };
    world.counts(settled).await;
    assert_eq!((settling.tickets("counted"), settling.tickets("settled")), (1, 3));

    stream(third.address, vec![entries(), entries()], None).await.unwrap();
    stream(charging.address, vec![entries()], None).await.unwrap();
    third.settlements.done().await;
    charging.settlements.done().await;
    assert_eq!((third.tickets("replayed"), charging.tickets("replayed")), (6, 3));
    assert_eq!(world.counted().await, settled, "a ticket that is replayed changes nothing");

    let mut again = opened(&tickets[1]);
    again.id.0[0] ^= 1;
    stream(third.address, vec![message(vec![ended(&sealed(&again), 401)])], None).await.unwrap();
    third.settlements.done().await;
    let control = world.counted().await;
    assert_eq!((control.minute, control.hour), (2, 1), "control: the same under another id does");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_of_requests_that_go_on_are_passed_over() {
    let world = World::embedded().await;
    let node = world.node().await;
    let ticket = node.charge(1).await.remove(0);
    let types = [AccessLogType::DownstreamStart, AccessLogType::DownstreamPeriodic, AccessLogType::DownstreamTunnelSuccessfullyEstablished];
    let mut entries: Vec<_> = types.into_iter().map(|sort| of_type(&ticket, sort, 401)).collect();
    let mut intermediate = of_type(&ticket, AccessLogType::NotSet, 401);
    #[expect(deprecated, reason = "older Envoys say so of entries that are not the last")]
    {
        intermediate.common_properties.as_mut().unwrap().intermediate_log_entry = true;
    }
    entries.push(intermediate);
    stream(node.address, vec![message(entries)], None).await.unwrap();
    assert_eq!((node.entries("underway"), node.tickets("settled")), (4, 0));

    stream(node.address, vec![message(vec![of_type(&ticket, AccessLogType::NotSet, 401)])], None).await.unwrap();
    node.fated("settled", 1).await;
    world.counts(Counted { answered: 1, all: 1, ..Counted::default() }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_of_five_megabytes_is_read_and_one_without_bounds_is_not() {
    let world = World::embedded().await;
    let node = world.node().await;
    let tickets = node.charge(2).await;
    let mut entries = vec![ended(&tickets[0], 401)];
    // one that a ticket is not in, as large as a request's headers may be
    let mut large = ended("", 401);
    large.common_properties.as_mut().unwrap().upstream_cluster = "x".repeat(60_000);
    entries.resize(90, large.clone());
    let five = message(entries.clone());
    assert!(five.len() > 5_000_000, "{}", five.len());
    stream(node.address, vec![five], None).await.unwrap();
    node.fated("settled", 1).await;
    assert_eq!((node.messages("read"), node.entries("no_ticket")), (1, 89));

    entries.resize(400, large);
    let unbounded = message(entries);
    assert!(unbounded.len() > 16 << 20, "{}", unbounded.len());
    // the connection may end before all of it was sent
    let _ = stream(node.address, vec![unbounded], None).await;
    assert_eq!((node.messages("cut"), node.messages("read")), (1, 1));
    stream(node.address, vec![message(vec![ended(&tickets[1], 401)])], None).await.unwrap();
    node.fated("settled", 2).await;
}
