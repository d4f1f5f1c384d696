//! The log as a store keeps it, and the stores that one is put into: one in memory that keeps nothing else, a real Redis, and the embedded one.

use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use keyward::clock::SystemClock;
use keyward::domain::audit::{Head, Sealed, Who};
use keyward::domain::key::Peppers;
use keyward::store::audit::End;
use keyward::store::embedded::Embedded;
use keyward::store::{AuditNote, Round, SharedStore, Store, StoreError, audit};
use redb::{Database, TableDefinition};

use crate::admin::world::peppers;
use crate::support::lossy_disk::LossyDisk;
use crate::support::redis::RedisServer;

/// Entries by the number that they are kept under, and where the store says that they end.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Log {
    pub(super) entries: Vec<(u64, Vec<u8>)>,
    pub(super) head: Option<String>,
}

/// The peppers of whoever seals the newest entries and of whoever sealed the oldest.
pub(super) fn both() -> Arc<Peppers> {
    peppers(&["2", "1"])
}

/// A note of what was done to a subject.
pub(super) fn note(action: &'static str, subject: &str, peppers: Arc<Peppers>) -> AuditNote {
    let from: IpAddr = "192.0.2.7".parse().unwrap();
    AuditNote { who: Who::Keyward, from: Some(from), action, subjects: vec![subject.into()], refused: None, peppers }
}

/// A log that has seen a little of everything: entries under two peppers, the first of which were dropped for their age.
pub(super) async fn told() -> (LossyDisk, Log) {
    let disk = LossyDisk::new(1);
    let store = Embedded::with_backend(disk.clone(), Arc::new(SystemClock)).unwrap();
    for number in 0..18 {
        store.note(&note("RevokeKey", &format!("realms/otesse/keys/key_{number}"), peppers(&["1"]))).await.unwrap();
    }
    store.drop_audit(4, &note("DropAudit", "", peppers(&["1"]))).await.unwrap();
    for number in 0..22 {
        store.note(&note("CreateKey", &format!("realms/ocus/keys/key_{number}"), both())).await.unwrap();
    }
    let sealed = store.audit(0, 1_000).await.unwrap();
    let entries = sealed.iter().map(|sealed| (audit::read(sealed).unwrap().sequence, audit::encode(sealed))).collect();
    let head = End::of(sealed.last().unwrap()).unwrap();
    assert_eq!(head.head, store.audit_head().await.unwrap());
    drop(store);
    (disk, Log { entries, head: Some(head.kept) })
}

/// A store that keeps nothing but the log, as Redis keeps it.
struct InMemory(Log);

pub(super) fn in_memory(log: &Log) -> SharedStore {
    Arc::new(InMemory(log.clone()))
}

#[async_trait]
impl Round for InMemory {
    fn inner(&self) -> Result<&dyn Store, StoreError> {
        Err(StoreError::Unavailable("there is nothing but an audit log".into()))
    }

    async fn audit(&self, after: u64, count: usize) -> Result<Vec<Sealed>, StoreError> {
        let above = self.0.entries.iter().filter(|(number, _)| *number > after);
        above.take(count).map(|(_, bytes)| audit::decode(bytes)).collect()
    }

    async fn audit_head(&self) -> Result<Head, StoreError> {
        let told = self.0.head.as_ref();
        let end = told.map_or(Ok(End::default()), |head| End::parse(head));
        end.map(|end| end.head).map_err(|_| StoreError::Corrupt("the head".into()))
    }
}

/// Puts the log in the place of what a Redis has.
pub(super) fn into_redis(server: &RedisServer, log: &Log) {
    let (stream, head) = ("kw:1:{kw}:audit", "kw:1:{kw}:audit-head");
    let mut all = redis::pipe();
    all.atomic().cmd("DEL").arg(stream).arg(head);
    for (number, bytes) in &log.entries {
        all.cmd("XADD").arg(stream).arg(format!("{number}-0")).arg("entry").arg(bytes);
    }
    if let Some(ends) = &log.head {
        all.cmd("SET").arg(head).arg(ends);
    }
    all.query::<()>(&mut server.connection()).unwrap();
}

/// The embedded store, on a copy of a disk where the log stands in the place of what was there. It keeps no head.
pub(super) fn on_disk(disk: &LossyDisk, log: &Log) -> SharedStore {
    let disk = disk.copy();
    let database = Database::builder().create_with_backend(disk.clone()).unwrap();
    let txn = database.begin_write().unwrap();
    let mut table = txn.open_table(TableDefinition::<u64, &[u8]>::new("audit")).unwrap();
    table.retain(|_, _| false).unwrap();
    for (number, bytes) in &log.entries {
        table.insert(number, bytes.as_slice()).unwrap();
    }
    drop(table);
    txn.commit().unwrap();
    drop(database);
    Arc::new(Embedded::with_backend(disk, Arc::new(SystemClock)).unwrap())
}
