//! The engines, each on ground of its own that can be crashed under it.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use keyward::clock::SystemClock;
use keyward::store::embedded::{Embedded, Timeouts};
use keyward::store::{SharedStore, Store, StoreError};
use tempfile::TempDir;

use crate::support::redis::RedisServer;

/// An engine under test.
#[async_trait]
pub(super) trait Engine: Send {
    fn store(&self) -> SharedStore;

    /// Everything that was not made durable is lost; afterwards the engine is there again.
    async fn crash(&mut self);
}

/// Redis, which has every write on disk before it acknowledges it, and a store that is never made again.
pub(super) struct OnRedis {
    server: RedisServer,
    store: SharedStore,
}

pub(super) fn redis() -> OnRedis {
    let server = RedisServer::durable();
    let store = server.store();
    OnRedis { server, store }
}

#[async_trait]
impl Engine for OnRedis {
    fn store(&self) -> SharedStore {
        self.store.clone()
    }

    async fn crash(&mut self) {
        self.server.kill();
        self.server.restart();
        until_it_answers(&*self.store).await;
    }
}

/// The embedded engine, in a folder. (What a disk loses that was not told to keep it is tested with a disk that does, elsewhere.)
pub(super) struct InFolder {
    store: SharedStore,
    /// With those that were crashed before: they live on, as nobody may tidy up after a crash.
    crashed: Vec<SharedStore>,
    folders: Vec<TempDir>,
}

pub(super) fn embedded() -> InFolder {
    let folder = tempfile::tempdir().unwrap();
    InFolder { store: open(folder.path()), crashed: Vec::new(), folders: vec![folder] }
}

#[async_trait]
impl Engine for InFolder {
    fn store(&self) -> SharedStore {
        self.store.clone()
    }

    /// Goes on with the files as they are in this instant, which is what a killed process leaves.
    async fn crash(&mut self) {
        let (left, fresh) = (files(self.folders.last().unwrap().path()), tempfile::tempdir().unwrap());
        for (name, bytes) in left {
            std::fs::write(fresh.path().join(name), bytes).unwrap();
        }
        let crashed = std::mem::replace(&mut self.store, open(fresh.path()));
        self.crashed.push(crashed);
        self.folders.push(fresh);
    }
}

/// With time enough for a busy machine's disk.
fn open(folder: &Path) -> SharedStore {
    let patient = Timeouts { check: Duration::from_secs(10), admin: Duration::from_secs(10) };
    Arc::new(Embedded::open(folder, Arc::new(SystemClock)).unwrap().with_timeouts(patient))
}

/// Read until two readings are the same, or a write that goes on would be seen by halves.
fn files(folder: &Path) -> Vec<(std::ffi::OsString, Vec<u8>)> {
    let read = || -> Vec<_> {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
        entries.map(|entry| (entry.file_name(), std::fs::read(entry.path()).unwrap())).collect()
    };
    let mut before = read();
    loop {
        let after = read();
        if before == after {
            return after;
        }
        before = after;
    }
}

/// Asks until the store is no longer away.
pub(super) async fn until_it_answers(store: &dyn Store) {
    let until = Instant::now() + Duration::from_mins(1);
    while let Err(error) = store.now().await {
        assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
        assert!(Instant::now() < until, "the store does not come back: {error}");
        tokio::task::yield_now().await;
    }
}
