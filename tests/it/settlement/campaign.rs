//! Many requests through a real Envoy to an upstream that answers, breaks off and keeps silent: what is counted in the end is what the
//! limits count, to the unit. Without the access log every request stays counted.

use std::sync::Arc;

use super::mixed::{Mixed, Want};
use super::world::{Counted, Node, World};
use crate::support::envoy::Envoy;
use crate::support::redis::RedisServer;
use crate::support::until;

/// Of each twenty requests.
const MIX: [Want; 20] = [
    Want::Status(200),
    Want::Status(401),
    Want::Status(200),
    Want::Status(400),
    Want::Status(500),
    Want::Reset,
    Want::Status(200),
    Want::Status(401),
    Want::Disconnect,
    Want::Status(204),
    Want::Status(200),
    Want::Status(404),
    Want::Status(503),
    Want::Status(401),
    Want::Half,
    Want::Status(500),
    Want::Timeout,
    Want::Status(302),
    Want::Status(400),
    Want::Status(200),
];
const CLIENTS: usize = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_counted_is_what_the_limits_count_to_the_unit_on_embedded() {
    play(World::embedded().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_counted_is_what_the_limits_count_to_the_unit_on_redis() {
    let redis = RedisServer::start();
    play(World::on(redis.store()).await).await;
}

async fn play(world: World) {
    let node = world.node().await;
    let requests = if std::env::var_os("KEYWARD_SOAK").is_some() { 10_000 } else { 1_000 };
    // Envoy goes on until the end
    let Through { counted: expected, envoy: _envoy, .. } = through_envoy(&node, &MIX, requests, |bootstrap| bootstrap).await;
    let all = u64::from(expected.all);
    assert_eq!(all, requests as u64);
    until("every ticket came back", || node.entries("ended") == all).await;
    node.settlements.done().await;
    world.counts(expected).await;
    assert_eq!(node.tickets("settled") + node.tickets("counted"), all, "no ticket had another fate");
    assert_eq!((node.entries("unclear"), node.entries("malformed"), node.messages("malformed")), (0, 0, 0));
    println!("{requests} requests: {expected:?}; {} settled", node.tickets("settled"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_access_log_every_request_stays_counted() {
    let world = World::embedded().await;
    let node = world.node().await;
    let deaf = |bootstrap: String| bootstrap.replace("{ key: ticket }", "{ key: nothing }");
    let Through { counted: expected, mut envoy, .. } = through_envoy(&node, &MIX, 40, deaf).await;
    world.counts(Counted { minute: 40, hour: 40, good: 40, answered: 40, all: 40 }).await;
    assert!(expected.minute < 40 && expected.hour < 40, "control: the limits do not count all of them");
    envoy.kill();
}

/// What has gone through an Envoy.
pub(super) struct Through {
    /// By the limits.
    pub(super) counted: Counted,
    pub(super) envoy: Envoy,
    pub(super) upstream: Arc<Mixed>,
}

/// Has the mix asked for, again and again.
pub(super) async fn through_envoy(node: &Node, mix: &'static [Want], requests: usize, edit: impl FnOnce(String) -> String) -> Through {
    let mixed = Arc::new(Mixed::start().await);
    let (keyward, upstream) = (node.address, mixed.address);
    let patient = |bootstrap: String| bootstrap.replace("timeout: 0.25s", "timeout: 10s").replace("timeout: 15s", "timeout: 1s");
    let start = move || Envoy::start_edited(keyward, upstream, |bootstrap| edit(patient(bootstrap)));
    // Envoy ends with the thread that started it, so that is the test's own
    let envoy = tokio::task::block_in_place(start);
    let address = envoy.plain;
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let mixed = mixed.clone();
            tokio::spawn(async move {
                let mut sum = Counted::default();
                for number in (client..requests).step_by(CLIENTS) {
                    sum = sum.and(mixed.ask(address, number, mix[number % mix.len()]).await);
                }
                sum
            })
        })
        .collect();
    let mut counted = Counted::default();
    for client in clients {
        counted = counted.and(client.await.unwrap_or_else(|error| panic!("{error}; Envoy said:\n{}", envoy.said())));
    }
    Through { counted, envoy, upstream: mixed }
}

impl Counted {
    fn and(self, more: Self) -> Self {
        Self {
            minute: self.minute + more.minute,
            hour: self.hour + more.hour,
            good: self.good + more.good,
            answered: self.answered + more.answered,
            all: self.all + more.all,
        }
    }
}
