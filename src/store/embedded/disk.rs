//! Where the database lies, how it is opened again after a failure, and what a failure is called.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::ops::Bound;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use redb::backends::FileBackend;
use redb::{BackendError, Builder, Database, DatabaseError, StorageBackend};

use crate::store::StoreError;

const FILE: &str = "keyward.redb";
/// What the name of a file ends in that is being made.
const DRAFT: &str = ".new";
const CACHE_BYTES: usize = 256 << 20;

/// Opens the database, as often as it must: redb stands still after a failed read or write until it is opened anew.
pub(super) type Opener = Box<dyn Fn() -> Result<Database, StoreError> + Send>;

/// Why a transaction went no further.
#[derive(Debug)]
pub(super) enum Stop {
    /// An answer: nothing is wrong with the disk, and other jobs of the transaction go on.
    Refused(StoreError),
    /// The disk: nothing of the transaction stands.
    Disk(StoreError),
}

/// A file in this folder. Both are made where they are absent, for this user alone. `fill` makes a new file's tables.
pub(super) fn in_folder(folder: &Path, fill: impl Fn(&Database) -> Result<(), StoreError>) -> Result<Opener, StoreError> {
    let failed =
        |error: io::Error| StoreError::Unavailable(format!("{}: {error}: make it a folder that keyward may write", folder.display()));
    let path = folder.join(FILE);
    if !path.exists() {
        let new = !folder.exists();
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        make_file(folder, &path, fill)?;
        keep_names(folder, new).map_err(failed)?;
    }
    // an empty or absent file is not a store without keys: it is not made here, nor when the store is opened again
    Ok(Box::new(move || open_file(&path, OpenOptions::new().read(true).write(true))))
}

/// Whether the file is in this folder.
pub(super) fn is_in(folder: &Path) -> bool {
    folder.join(FILE).exists()
}

/// Copies the file from one folder into another, durably.
pub(super) fn copy(from: &Path, to: &Path) -> Result<(), StoreError> {
    let copied = || {
        DirBuilder::new().recursive(true).mode(0o700).create(to)?;
        let mut copy = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to.join(FILE))?;
        io::copy(&mut File::open(from.join(FILE))?, &mut copy)?;
        copy.sync_all()?;
        File::open(to)?.sync_all()
    };
    copied().map_err(|error: io::Error| StoreError::Unavailable(format!("{}: {error}", to.display())))
}

/// Any backend. It is used again after a failure, so its `close` must leave it usable.
pub(super) fn on_backend(backend: impl StorageBackend) -> Opener {
    let backend: Arc<dyn StorageBackend> = Arc::new(backend);
    Box::new(move || open(Again(backend.clone()), "the backend"))
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Refused(error)
    }
}

impl From<Stop> for StoreError {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Refused(error) | Stop::Disk(error) => error,
        }
    }
}

macro_rules! disk_errors {
    ($($error:ident),*) => {
        $(impl From<redb::$error> for Stop {
            fn from(error: redb::$error) -> Self {
                Self::Disk(match redb::Error::from(error) {
                    redb::Error::Corrupted(why) => StoreError::Corrupt(why),
                    error => StoreError::Unavailable(error.to_string()),
                })
            }
        })*
    };
}

disk_errors!(StorageError, TableError, TransactionError, CommitError);

/// Makes the file whole under another name first: a start that was cut off must not stand in the way of the next. One process at a time,
/// by a lock on the folder.
fn make_file(folder: &Path, path: &Path, fill: impl Fn(&Database) -> Result<(), StoreError>) -> Result<(), StoreError> {
    let (draft, shown) = (folder.join(format!("{FILE}{DRAFT}")), folder.display());
    let failed = |error: io::Error| StoreError::Unavailable(format!("{shown}: {error}"));
    let locked = File::open(folder).map_err(failed)?;
    locked.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => in_use(&shown.to_string()),
        TryLockError::Error(error) => failed(error),
    })?;
    if path.exists() {
        return Ok(());
    }
    if draft.exists() {
        fs::remove_file(&draft).map_err(failed)?;
    }
    let database = open_file(&draft, OpenOptions::new().read(true).write(true).create_new(true).mode(0o600))?;
    fill(&database)?;
    drop(database);
    fs::rename(&draft, path).map_err(failed)
}

/// A file's name is its folder's content: without this a crash may leave the file without its name.
fn keep_names(folder: &Path, new: bool) -> io::Result<()> {
    File::open(folder)?.sync_all()?;
    match folder.parent() {
        Some(parent) if new && parent != Path::new("") => File::open(parent)?.sync_all(),
        _ => Ok(()),
    }
}

fn open_file(path: &Path, options: &OpenOptions) -> Result<Database, StoreError> {
    let shown = path.display().to_string();
    let file = options.open(path).and_then(|file| Ok((file.metadata()?.len(), file)));
    let (length, file) = file.map_err(|error| StoreError::Unavailable(format!("{shown}: {error}")))?;
    if length == 0 && !shown.ends_with(DRAFT) {
        return Err(StoreError::Corrupt(format!("{shown} is empty: put back a copy of it, or remove it to begin without keys")));
    }
    let backend = FileBackend::new(file).map_err(|error| StoreError::Unavailable(format!("{shown}: {error}")))?;
    open(backend, &shown)
}

fn open(backend: impl StorageBackend, shown: &str) -> Result<Database, StoreError> {
    Builder::new().set_cache_size(CACHE_BYTES).create_with_backend(backend).map_err(|error| match error {
        DatabaseError::DatabaseAlreadyOpen => in_use(shown),
        DatabaseError::UpgradeRequired(version) => {
            StoreError::Corrupt(format!("{shown} has file format {version}: start the version of keyward that wrote it"))
        }
        DatabaseError::Storage(redb::StorageError::Io(error)) if error.kind() == io::ErrorKind::InvalidData => {
            StoreError::Corrupt(format!("{shown}: {error}: it is no store, or only a part of one; put back a copy of it"))
        }
        DatabaseError::Storage(redb::StorageError::Corrupted(why)) => StoreError::Corrupt(format!("{shown}: {why}")),
        error => StoreError::Unavailable(format!("{shown}: {error}")),
    })
}

fn in_use(shown: &str) -> StoreError {
    StoreError::Unavailable(format!("{shown} is in use by another process: an embedded store has one, stop the other first"))
}

/// A backend that outlives the database opened on it.
#[derive(Debug)]
struct Again(Arc<dyn StorageBackend>);

impl StorageBackend for Again {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.0.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.try_lock_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.unlock_range(start, end)
    }
}
