//! The engines, each on ground of its own that can be crashed under it.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use keyward::clock::SystemClock;
use keyward::store::embedded::{Embedded, Timeouts};
use keyward::store::{SharedStore, Store, StoreError};
use redb::ReadableTableMetadata as _;
use tempfile::TempDir;

use crate::support::lossy_disk::LossyDisk;
use crate::support::redis::RedisServer;

/// An engine under test.
#[async_trait]
pub(super) trait Engine: Send {
    fn store(&self) -> SharedStore;

    /// Everything that was not made durable is lost; afterwards the engine is there again.
    async fn crash(&mut self);

    /// Takes a copy of everything, to be restored once.
    async fn back_up(&mut self);

    /// Puts the copy in the place of everything, as who restores a backup does, or a promoted node that lags behind. The store is another
    /// one afterwards.
    async fn restore(&mut self);

    /// Drops all but the newest entries of the log. The store is another one afterwards.
    async fn trim(&mut self, kept: usize);
}

/// Redis, which has every write on disk before it acknowledges it, and a store that is never made again.
pub(super) struct OnRedis {
    server: RedisServer,
    store: SharedStore,
    /// By their names.
    copy: Vec<(String, Vec<u8>)>,
}

pub(super) fn redis() -> OnRedis {
    let server = RedisServer::durable();
    let store = server.store();
    OnRedis { server, store, copy: Vec::new() }
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

    async fn back_up(&mut self) {
        let names: Vec<String> = self.server.ask("KEYS *");
        let dump = |name: String| {
            let bytes = self.server.ask(&format!("DUMP {name}"));
            (name, bytes)
        };
        self.copy = names.into_iter().map(dump).collect();
    }

    async fn restore(&mut self) {
        let mut restored = redis::pipe();
        restored.atomic().cmd("FLUSHALL").arg("SYNC");
        for (name, bytes) in self.copy.drain(..) {
            restored.cmd("RESTORE").arg(name).arg(0).arg(bytes);
        }
        restored.query::<()>(&mut self.server.connection()).unwrap();
    }

    async fn trim(&mut self, kept: usize) {
        self.server.ask::<u64>(&format!("XTRIM kw:1:{{kw}}:log MAXLEN {kept}"));
    }
}

/// The embedded engine, in a folder.
pub(super) struct InFolder {
    store: SharedStore,
    folders: Vec<TempDir>,
    /// They live on in the folders before: nobody may tidy up after a crash.
    crashed: Vec<SharedStore>,
    copy: Files,
}

/// Names and contents.
type Files = Vec<(std::ffi::OsString, Vec<u8>)>;

pub(super) fn embedded() -> InFolder {
    let folder = tempfile::tempdir().unwrap();
    InFolder {
        store: patient(Embedded::open(folder.path(), Arc::new(SystemClock))),
        folders: vec![folder],
        crashed: Vec::new(),
        copy: Vec::new(),
    }
}

impl InFolder {
    fn left(&self) -> Files {
        files(self.folders.last().unwrap().path())
    }

    fn go_on_with(&mut self, left: Files) {
        let fresh = tempfile::tempdir().unwrap();
        for (name, bytes) in left {
            std::fs::write(fresh.path().join(name), bytes).unwrap();
        }
        let store = patient(Embedded::open(fresh.path(), Arc::new(SystemClock)));
        self.crashed.push(std::mem::replace(&mut self.store, store));
        self.folders.push(fresh);
    }
}

#[async_trait]
impl Engine for InFolder {
    fn store(&self) -> SharedStore {
        self.store.clone()
    }

    /// Goes on with the files as they are in this instant, which is what a killed process leaves.
    async fn crash(&mut self) {
        self.go_on_with(self.left());
    }

    async fn back_up(&mut self) {
        self.copy = self.left();
    }

    async fn restore(&mut self) {
        let copy = std::mem::take(&mut self.copy);
        self.go_on_with(copy);
    }

    async fn trim(&mut self, kept: usize) {
        let (draft, mut left) = (tempfile::tempdir().unwrap(), self.left());
        for (name, bytes) in &mut left {
            let path = draft.path().join(name);
            std::fs::write(&path, &*bytes).unwrap();
            trim(&redb::Database::open(&path).unwrap(), kept);
            *bytes = std::fs::read(&path).unwrap();
        }
        self.go_on_with(left);
    }
}

/// The embedded engine, on a disk that loses what it was not told to keep.
pub(super) struct OnLossyDisk {
    store: SharedStore,
    disk: LossyDisk,
    copy: Option<LossyDisk>,
}

pub(super) fn embedded_on_a_lossy_disk() -> OnLossyDisk {
    let disk = LossyDisk::new(1);
    OnLossyDisk { store: patient(Embedded::with_backend(disk.clone(), Arc::new(SystemClock))), disk, copy: None }
}

impl OnLossyDisk {
    fn go_on_with(&mut self, disk: LossyDisk) {
        self.disk = disk;
        self.store = patient(Embedded::with_backend(self.disk.clone(), Arc::new(SystemClock)));
    }
}

#[async_trait]
impl Engine for OnLossyDisk {
    fn store(&self) -> SharedStore {
        self.store.clone()
    }

    async fn crash(&mut self) {
        self.go_on_with(self.disk.after_power_cut());
    }

    async fn back_up(&mut self) {
        self.copy = Some(self.disk.copy());
    }

    async fn restore(&mut self) {
        let copy = self.copy.take().unwrap();
        self.go_on_with(copy);
    }

    async fn trim(&mut self, kept: usize) {
        let disk = self.disk.after_power_cut();
        trim(&redb::Database::builder().create_with_backend(disk.clone()).unwrap(), kept);
        self.go_on_with(disk);
    }
}

/// Drops entries of the log as the embedded engine keeps it.
fn trim(database: &redb::Database, kept: usize) {
    let txn = database.begin_write().unwrap();
    let mut log = txn.open_table(redb::TableDefinition::<u64, &[u8]>::new("log")).unwrap();
    let over = log.len().unwrap().saturating_sub(kept as u64);
    for _ in 0..over {
        log.pop_first().unwrap();
    }
    drop(log);
    txn.commit().unwrap();
}

/// With time enough for a busy machine's disk.
fn patient(store: Result<Embedded, StoreError>) -> SharedStore {
    let ten_seconds = Duration::from_secs(10);
    Arc::new(store.unwrap().with_timeouts(Timeouts { check: ten_seconds, admin: ten_seconds }))
}

/// Read until two readings are the same, or a write that goes on would be seen by halves.
fn files(folder: &Path) -> Files {
    let read = || -> Files {
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
