//! The engines, each on ground of its own that can be crashed under it.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use keyward::clock::SystemClock;
use keyward::store::embedded::{Embedded, Timeouts};
use keyward::store::{SharedStore, Store, StoreError};
use tempfile::TempDir;

use crate::support::lossy_disk::LossyDisk;
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

/// The embedded engine, in a folder.
pub(super) struct InFolder {
    store: SharedStore,
    folders: Vec<TempDir>,
    /// They live on in the folders before: nobody may tidy up after a crash.
    crashed: Vec<SharedStore>,
}

pub(super) fn embedded() -> InFolder {
    let folder = tempfile::tempdir().unwrap();
    InFolder { store: patient(Embedded::open(folder.path(), Arc::new(SystemClock))), folders: vec![folder], crashed: Vec::new() }
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
        let store = patient(Embedded::open(fresh.path(), Arc::new(SystemClock)));
        self.crashed.push(std::mem::replace(&mut self.store, store));
        self.folders.push(fresh);
    }
}

/// The embedded engine, on a disk that loses what it was not told to keep.
pub(super) struct OnLossyDisk {
    store: SharedStore,
    disk: LossyDisk,
}

pub(super) fn embedded_on_a_lossy_disk() -> OnLossyDisk {
    let disk = LossyDisk::new(1);
    OnLossyDisk { store: patient(Embedded::with_backend(disk.clone(), Arc::new(SystemClock))), disk }
}

#[async_trait]
impl Engine for OnLossyDisk {
    fn store(&self) -> SharedStore {
        self.store.clone()
    }

    async fn crash(&mut self) {
        self.disk = self.disk.after_power_cut();
        self.store = patient(Embedded::with_backend(self.disk.clone(), Arc::new(SystemClock)));
    }
}

/// With time enough for a busy machine's disk.
fn patient(store: Result<Embedded, StoreError>) -> SharedStore {
    let ten_seconds = Duration::from_secs(10);
    Arc::new(store.unwrap().with_timeouts(Timeouts { check: ten_seconds, admin: ten_seconds }))
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
