//! The embedded engine: one process, one file, every acknowledged write durable.
//!
//! Read [`writer`] for how writes are made, [`take`] for what it says of windows, `mutate` for commits.

mod audit;
mod calls;
mod clock;
mod copy;
mod disk;
mod glance;
mod leases;
mod log;
mod mutate;
mod peppers;
mod plan;
mod read;
mod tables;
mod take;
mod turn;
mod usage;
mod windows;
mod writer;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use redb::{Database, ReadTransaction, ReadableDatabase as _, StorageBackend};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout;

use self::clock::StoreClock;
use self::disk::{Opener, Stop};
use self::leases::Leases;
use self::tables::Persisted;
use self::writer::{Job, Reply, Writer};
use super::StoreError;
use crate::clock::SharedClock;

/// How long a call may take, the disk included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// `find` and `take`.
    pub check: Duration,
    /// Everything else.
    pub admin: Duration,
}

/// The store in a folder.
pub struct Embedded {
    shared: Arc<Shared>,
    timeouts: Timeouts,
    /// So many reads may hang on a disk that does not answer.
    readers: Arc<Semaphore>,
    /// `None`: being dropped.
    jobs: Option<SyncSender<Job>>,
    /// Says that the writer has ended, by being disconnected.
    ended: Mutex<Receiver<()>>,
}

/// What callers and the writer share.
struct Shared {
    /// `None`: it failed and was not opened again yet.
    database: ArcSwapOption<Database>,
    clock: StoreClock,
    leases: Leases,
}

/// How many jobs may wait for the writer.
const QUEUE: usize = 4096;
const READERS: usize = 64;

impl Default for Timeouts {
    fn default() -> Self {
        Self { check: Duration::from_millis(50), admin: Duration::from_secs(5) }
    }
}

impl Embedded {
    /// Opens the store in this folder, or makes it. One process at a time.
    pub fn open(folder: &Path, clock: SharedClock) -> Result<Self, StoreError> {
        Self::on(disk::in_folder(folder, |database| tables::prepare(database).map(drop))?, clock)
    }

    /// Whether there is a store in this folder.
    #[must_use]
    pub fn is_in(folder: &Path) -> bool {
        disk::is_in(folder)
    }

    /// Opens the store on another backend than a file. It is used again after a failure: its `close` must leave it usable.
    pub fn with_backend(backend: impl StorageBackend, clock: SharedClock) -> Result<Self, StoreError> {
        Self::on(disk::on_backend(backend), clock)
    }

    /// The same store with other timeouts.
    #[must_use]
    pub fn with_timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    fn on(opener: Opener, clock: SharedClock) -> Result<Self, StoreError> {
        let (database, persisted) = whole(&opener)?;
        let clock = StoreClock::after(persisted.time, clock);
        let leases = Leases::new(persisted.head, drawn()?);
        let database = ArcSwapOption::from_pointee(database);
        let shared = Arc::new(Shared { database, clock, leases });
        let (jobs, queue) = sync_channel(QUEUE);
        let (end, ended) = sync_channel(0);
        let writer = Writer::new(shared.clone(), opener, end);
        let started = thread::Builder::new().name("keyward-store".into()).spawn(move || run(writer, &queue));
        started.map_err(|error| StoreError::Unavailable(format!("its writer did not start: {error}")))?;
        let readers = Arc::new(Semaphore::new(READERS));
        Ok(Self { shared, timeouts: Timeouts::default(), readers, jobs: Some(jobs), ended: Mutex::new(ended) })
    }

    /// Reads in a thread that may wait for the disk: a disk that hangs must hold no thread that answers checks.
    async fn read<T, R>(&self, limit: Duration, reading: R) -> Result<T, StoreError>
    where
        T: Send + 'static,
        R: FnOnce(&ReadTransaction, &StoreClock) -> Result<T, Stop> + Send + 'static,
    {
        let (shared, readers) = (self.shared.clone(), self.readers.clone());
        let answer = async move {
            let permit = readers.acquire_owned().await.map_err(|_| away("it is being closed"))?;
            let work = move || {
                let _permit = permit;
                let database = shared.database.load_full().ok_or_else(|| Stop::Disk(away("its disk failed")))?;
                reading(&database.begin_read()?, &shared.clock)
            };
            tokio::task::spawn_blocking(work).await.map_err(|error| Stop::Refused(away(&error.to_string())))?
        };
        match timeout(limit, answer).await {
            Err(_) => Err(too_slow(limit)),
            Ok(Err(Stop::Disk(why))) => {
                // a full queue will open it as well
                let _ = self.jobs.as_ref().map(|jobs| jobs.try_send(Job::Open));
                Err(why)
            }
            Ok(Err(Stop::Refused(why))) => Err(why),
            Ok(Ok(answer)) => Ok(answer),
        }
    }

    /// Asks the writer.
    async fn ask<T>(&self, limit: Duration, job: impl FnOnce(Reply<T>) -> Job) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let jobs = self.jobs.as_ref().ok_or_else(|| away("it is being closed"))?;
        jobs.try_send(job(reply)).map_err(|error| match error {
            TrySendError::Full(_) => away("too many calls wait for its disk"),
            TrySendError::Disconnected(_) => away("its writer has ended: restart keyward"),
        })?;
        match timeout(limit, answer).await {
            Err(_) => Err(too_slow(limit)),
            Ok(answer) => answer.map_err(|_| away("its writer has ended: restart keyward"))?,
        }
    }
}

/// Waits for the writer to close the file, but not for a disk that hangs.
impl Drop for Embedded {
    fn drop(&mut self) {
        drop(self.jobs.take());
        let ended = self.ended.get_mut().unwrap_or_else(PoisonError::into_inner);
        // ended, or hanging: either way there is nothing left to do here
        let _ = ended.recv_timeout(self.timeouts.admin);
    }
}

/// The database and what it knows. Of a file that was damaged from outside redb may make no error but a panic.
fn whole(opener: &Opener) -> Result<(Database, Persisted), StoreError> {
    let open = || {
        let database = opener()?;
        let persisted = tables::prepare(&database)?;
        Ok((database, persisted))
    };
    let damaged = |_| Err(StoreError::Corrupt("its file is damaged: restore it from a backup".into()));
    catch_unwind(AssertUnwindSafe(open)).unwrap_or_else(damaged)
}

/// A writer that panics takes the process with it: memory may not be what the disk holds any more, and a replica that can write nothing
/// must not look alive. The next start reads the disk.
fn run(writer: Writer, queue: &Receiver<Job>) {
    if catch_unwind(AssertUnwindSafe(|| writer.run(queue))).is_err() {
        tracing::error!(
            "the store's writer failed: keyward ends; if it does so again, the store's file is damaged: restore it from a backup"
        );
        std::process::abort();
    }
}

/// A random number.
fn drawn() -> Result<u64, StoreError> {
    getrandom::u64().map_err(|error| away(&format!("the operating system gives no randomness: {error}")))
}

fn away(why: &str) -> StoreError {
    StoreError::Unavailable(why.to_owned())
}

fn too_slow(limit: Duration) -> StoreError {
    away(&format!("its disk did not answer within {limit:?}"))
}
