//! A store that is away, or whose answers are lost: what was counted is kept and added once; what there is no room for is dropped and counted.

use std::sync::Arc;
use std::sync::Mutex;

use async_trait::async_trait;
use keyward::clock::SystemClock;
use keyward::domain::usage::Counter;
use keyward::store::embedded::Embedded;
use keyward::store::{Round, SharedStore, Store, StoreError, UsagePiece};
use keyward::usage::flush::Flusher;

use super::counts::{NEW, Stage};
use crate::support::usage::{flusher, subject, total};

/// What becomes of usage that is to be added.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    Open,
    /// Nothing comes there.
    Closed,
    /// It is done, and nobody hears of it.
    Mute,
    /// The same, and whoever repeats it seems to be another: the protection is off.
    Forgetful,
}

struct Wayward {
    store: SharedStore,
    way: Mutex<Way>,
}

impl Wayward {
    fn goes(&self, way: Way) {
        *self.way.lock().unwrap() = way;
    }
}

#[async_trait]
impl Round for Wayward {
    fn inner(&self) -> Result<&dyn Store, StoreError> {
        Ok(&*self.store)
    }

    async fn add_usage(&self, pieces: &[UsagePiece]) -> Result<Vec<Result<(), StoreError>>, StoreError> {
        let way = *self.way.lock().unwrap();
        let lost = || Err(StoreError::Unavailable("a test says so".into()));
        match way {
            Way::Open => self.store.add_usage(pieces).await,
            Way::Closed => lost(),
            Way::Mute => {
                self.store.add_usage(pieces).await?;
                lost()
            }
            Way::Forgetful => {
                let others = |piece: &UsagePiece| UsagePiece { by: getrandom::u64().unwrap(), ..piece.clone() };
                self.store.add_usage(&pieces.iter().map(others).collect::<Vec<_>>()).await?;
                lost()
            }
        }
    }
}

struct World {
    store: SharedStore,
    way: Arc<Wayward>,
    stage: Stage,
    flusher: Flusher,
    _folder: tempfile::TempDir,
}

async fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let store: SharedStore = Arc::new(Embedded::open(folder.path(), Arc::new(SystemClock)).unwrap());
    let way = Arc::new(Wayward { store: store.clone(), way: Mutex::new(Way::Open) });
    let stage = Stage::on(way.clone(), &store, None).await;
    let flusher = flusher(&stage.replica, &stage.store, &stage.metrics);
    World { store, way, stage, flusher, _folder: folder }
}

impl World {
    async fn uses(&self, count: usize) {
        for _ in 0..count {
            assert!(self.stage.ask(NEW, "/read", "192.0.2.1").await, "checks go on whatever becomes of their counts");
        }
    }

    async fn allowed(&self) -> u64 {
        let total = total(&*self.store, &subject("used", Some("key_1"))).await;
        total.iter().find(|(counter, _)| *counter == Counter::Allowed).map_or(0, |(_, count)| *count)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_counted_while_the_store_is_away_is_added_when_it_is_back() {
    let mut world = world().await;
    world.way.goes(Way::Closed);
    for _ in 0..3 {
        world.uses(5).await;
        world.flusher.flush().await;
    }
    assert_eq!(world.allowed().await, 0);
    assert_eq!(world.stage.metric("keyward_usage_held"), 3);
    assert_eq!(world.stage.metric("keyward_usage_flushes_total{outcome=\"failed\"}"), 3);
    world.way.goes(Way::Open);
    world.flusher.flush().await;
    assert_eq!(world.allowed().await, 15);
    assert_eq!((world.stage.metric("keyward_usage_held"), world.stage.metric("keyward_usage_checks_total{fate=\"dropped\"}")), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_added_and_whose_answer_was_lost_is_counted_once() {
    let mut world = world().await;
    world.uses(7).await;
    world.way.goes(Way::Mute);
    world.flusher.flush().await;
    world.flusher.flush().await;
    world.way.goes(Way::Open);
    world.flusher.flush().await;
    assert_eq!(world.allowed().await, 7);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn control_of_pieces_that_cannot_be_told_apart_each_is_counted() {
    let mut world = world().await;
    world.uses(7).await;
    world.way.goes(Way::Forgetful);
    world.flusher.flush().await;
    world.way.goes(Way::Open);
    world.flusher.flush().await;
    assert_eq!(world.allowed().await, 14);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_flushed_when_a_replica_is_killed_is_lost_and_a_clean_end_flushes() {
    for (clean, expected) in [(true, 9), (false, 0)] {
        let world = world().await;
        world.uses(9).await;
        let World { stage, flusher, store, .. } = world;
        let running = tokio::spawn(flusher.run(
            async move {
                if !clean {
                    std::future::pending::<()>().await;
                }
            },
            std::time::Duration::from_secs(9),
        ));
        if clean {
            running.await.unwrap();
        } else {
            running.abort();
        }
        drop(stage);
        let total = total(&*store, &subject("used", Some("key_1"))).await;
        assert_eq!(total.first().map_or(0, |(_, count)| *count), expected);
    }
}
