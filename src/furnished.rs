//! A store and a realm for tests inside rooms that may name neither an engine nor a file.

use tempfile::TempDir;

use crate::clock::SharedClock;
use crate::domain::realm::Realm;
use crate::store::SharedStore;
use crate::store::embedded::Embedded;

/// A store of its own, as long as its folder lasts.
pub(crate) fn store(clock: SharedClock) -> (SharedStore, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = Embedded::open(folder.path(), clock).unwrap();
    (std::sync::Arc::new(store), folder)
}

/// The realm of a file.
pub(crate) fn realm(text: &str) -> Realm {
    crate::config::realm("realm.yaml", text).unwrap()
}
