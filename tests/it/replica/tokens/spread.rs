//! Tokens of a store that is spread over a Cluster: what is slow at one node is the affair of its owners.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::join_all;
use keyward::store::redis::RedisStore;
use keyward::store::{Round, SharedStore, Store, StoreError, SubjectName};
use tokio::task::block_in_place;

use super::stage::{Gate, Stage, secret};
use crate::support::cluster::Cluster;
use crate::support::seed::many_keys;

/// The control: whatever is asked goes together, wherever it is kept.
struct OnePart(SharedStore);

#[async_trait]
impl Round for OnePart {
    fn inner(&self) -> Result<&dyn Store, StoreError> {
        Ok(&*self.0)
    }

    fn part(&self, _: &SubjectName) -> u64 {
        0
    }
}

const OF_THE_SLOW: std::ops::Range<usize> = 100..120;
const OF_THE_QUICK: std::ops::Range<usize> = 200..220;

/// How many checks are admitted, of keys whose owner's node stands still and of others, asked at once.
async fn admitted(of: fn(SharedStore) -> SharedStore) -> (usize, usize) {
    let cluster = block_in_place(Cluster::start);
    block_in_place(|| cluster.nodes.iter().for_each(|(server, _)| server.ask("CONFIG SET cluster-require-full-coverage no")));
    let home = block_in_place(|| cluster.node_of("{kw}"));
    let at = |number: usize| cluster.node_of(&format!("{{stage/owner_{number}}}"));
    let (slow, quick) = block_in_place(|| ((0..999).find(|n| at(*n) != home).unwrap(), (0..999).find(|n| at(*n) == home).unwrap()));
    let node = block_in_place(|| at(slow));
    let store = of(Arc::new(RedisStore::connect(&cluster.settings()).unwrap()));
    let stage = Stage::on(cluster, store, "{limit: minute, per: key, most: 100, window: 1m}").await;
    many_keys(&*stage.store, "stage", &format!("owner_{slow}"), OF_THE_SLOW, secret).await;
    many_keys(&*stage.store, "stage", &format!("owner_{quick}"), OF_THE_QUICK, secret).await;
    let gate = stage.gate().await;
    assert_eq!(at_once(&gate).await, (20, 20), "all of them, as long as nothing is slow");
    block_in_place(|| stage.running.nodes[node].0.pause());
    let admitted = at_once(&gate).await;
    block_in_place(|| stage.running.nodes[node].0.resume());
    admitted
}

/// One of each by turns, so that they meet wherever they queue.
async fn at_once(gate: &Gate) -> (usize, usize) {
    let of_each = OF_THE_SLOW.zip(OF_THE_QUICK).map(|(slow, quick)| async move {
        let (slow, quick) = tokio::join!(gate.admits(slow, "/"), gate.admits(quick, "/"));
        (usize::from(slow), usize::from(quick))
    });
    join_all(of_each).await.into_iter().fold((0, 0), |(slow, quick), each| (slow + each.0, quick + each.1))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_stands_still_holds_up_its_own_owners_and_nobody_else() {
    assert_eq!(admitted(|store| store).await, (0, 20));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_all_calls_go_together_the_slowest_node_holds_up_everybody() {
    let (_, others) = admitted(|store| Arc::new(OnePart(store))).await;
    // one call may have left before the others came
    assert!(others < 20, "control: all {others} of them");
}
