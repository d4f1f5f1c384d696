//! The log over failures: that it went backwards is not forgotten, nor that an operator went on; who follows it misses nothing.

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use keyward::clock::SystemClock;
use keyward::proto::keyward::store::v1 as stored;
use keyward::revocation::{At, Entry, Holder, Log, Mark, Renewal, Terms};
use keyward::store::embedded::Embedded;
use keyward::store::{AuditNote, Store as _, StoreError, audit};
use prost::Message as _;
use redb::{ReadableTable as _, TableDefinition, TableHandle as _};
use tokio::time::timeout;

use super::records::{self, PATIENT, commit, digest, key_id, new_key, new_owner, owner_id, realm, record};
use crate::support::audit::note;
use crate::support::lossy_disk::LossyDisk;
use crate::support::peppers::claim;

const LOG: TableDefinition<u64, &[u8]> = TableDefinition::new("log");

fn open(disk: &LossyDisk) -> Embedded {
    Embedded::with_backend(disk.clone(), Arc::new(SystemClock)).unwrap().with_timeouts(PATIENT)
}

/// A key and its owner: two entries of the log. Tells the place of the second.
async fn make(store: &Embedded, number: u64) -> Result<At, StoreError> {
    let (owner, key) = (owner_id(number), key_id(number));
    let changes = vec![new_owner(records::owner(&owner)), new_key(record(&key, &owner))];
    store.commit(&commit(changes, format!("made {key}"))).await.map(|done| done.standing.at)
}

/// What a renewal brings to who has applied nothing.
async fn told(store: &Embedded, secured: At) -> Result<Log, StoreError> {
    let holder = Holder { replica: "a".into(), incarnation: 1 };
    let renewal = Renewal { holder, number: 1, terms: Terms { lease: Duration::from_secs(5) }, applied: None, secured };
    store.renew(&renewal).await.map(|renewed| renewed.log)
}

fn by(subject: &str) -> AuditNote {
    note("Resume", subject)
}

/// A disk whose log lacks a place that was promised, and the place.
async fn rolled_back(seed: u64) -> (LossyDisk, At) {
    let disk = LossyDisk::new(seed);
    let store = open(&disk);
    make(&store, 1).await.unwrap();
    let backup = disk.copy();
    (backup, make(&store, 2).await.unwrap())
}

fn after_power_cut(disk: &LossyDisk, store: Embedded) -> (LossyDisk, Embedded) {
    let found = disk.after_power_cut();
    drop(store);
    let store = open(&found);
    (found, store)
}

/// A transaction makes fewer than thirty writes and syncs; beyond them it is acknowledged.
#[tokio::test]
async fn a_log_that_was_found_rolled_back_stays_so_wherever_the_power_is_cut() {
    let mut fates = BTreeSet::new();
    for (cut, seed) in (1..=30).flat_map(|cut| (0..4).map(move |seed| (cut, seed))) {
        let (disk, lost) = rolled_back(seed).await;
        let store = open(&disk);
        disk.cut_power_after(cut);
        let answered = match told(&store, lost).await {
            Ok(Log::RolledBack { .. }) => true,
            Ok(other) => panic!("{other:?}"),
            Err(_) => false,
        };
        let (_, store) = after_power_cut(&disk, store);
        let stands = matches!(told(&store, At::default()).await, Ok(Log::RolledBack { .. }));
        fates.insert((answered, stands));
    }
    assert!(!fates.contains(&(true, false)), "answered and forgotten");
    assert_eq!(fates.len(), 3, "answered, forgotten, and standing without having been answered: {fates:?}");
}

#[tokio::test]
async fn a_resumption_stands_whole_or_not_at_all_wherever_the_power_is_cut() {
    let mut fates = BTreeSet::new();
    for (cut, seed) in (1..=30).flat_map(|cut| (0..4).map(move |seed| (cut, seed))) {
        let (disk, lost) = rolled_back(seed).await;
        let store = open(&disk);
        told(&store, lost).await.unwrap();
        disk.cut_power_after(cut);
        let acknowledged = store.resume(&by("after the cut")).await.is_ok();
        let (_, store) = after_power_cut(&disk, store);
        let stands = matches!(told(&store, At::default()).await, Ok(Log::Jump { .. }));
        assert_eq!(matches!(told(&store, lost).await, Ok(Log::Jump { .. })), stands, "whoever slept through it is told the same");
        assert_eq!(resumptions(&store).await.len(), usize::from(stands));
        fates.insert((acknowledged, stands));
    }
    assert!(!fates.contains(&(true, false)), "acknowledged and forgotten");
    assert_eq!(fates.len(), 3, "acknowledged, forgotten, and standing without having been acknowledged: {fates:?}");
}

#[tokio::test]
async fn who_goes_on_with_a_rolled_back_log_is_in_the_audit_log() {
    let (disk, lost) = rolled_back(1).await;
    let store = open(&disk);
    store.resume(&by("too early")).await.unwrap();
    for subject in ["first", "second"] {
        let other = At { mark: Mark(lost.mark.0 ^ u64::from(subject == "second")), ..lost };
        assert!(matches!(told(&store, other).await, Ok(Log::RolledBack { .. })));
        store.resume(&by(subject)).await.unwrap();
        store.resume(&by("once more")).await.unwrap();
    }
    let entries = resumptions(&store).await;
    let noted: Vec<_> = entries.iter().map(|entry| (entry.position, entry.actor.as_str(), entry.subjects.as_slice())).collect();
    assert_eq!(noted, [(0, "admin_1", &["first".to_owned()][..]), (0, "admin_1", &["second".to_owned()][..])]);
}

async fn resumptions(store: &Embedded) -> Vec<stored::Audit> {
    let entries = store.audit(0, 100).await.unwrap();
    entries.iter().map(|entry| audit::read(entry).unwrap()).filter(|entry| entry.action == "Resume").collect()
}

/// As a replica does: what failed is asked again.
async fn follow(store: &Embedded, after: At) -> Vec<Entry> {
    loop {
        match store.follow(after, Duration::from_hours(1)).await {
            Ok(pushed) => return pushed.entries,
            Err(error) => assert!(matches!(error, StoreError::Unavailable(_)), "{error}"),
        }
    }
}

/// The commit is answered with an error, and what becomes of it is seen when the store is open again.
#[tokio::test]
async fn a_commit_that_failed_and_stands_all_the_same_reaches_who_follows_the_log() {
    let (mut stood, mut fell) = (0, 0);
    for seed in 0..24 {
        let disk = LossyDisk::new(seed);
        let store = open(&disk);
        let after = make(&store, 1).await.unwrap();
        let mut following = pin!(follow(&store, after));
        // so that it waits already, as a rule
        assert!(timeout(Duration::from_millis(20), &mut following).await.is_err());
        // of the two syncs of a transaction
        disk.fail_sync_after(seed % 2);
        make(&store, 2).await.unwrap_err();
        while let Err(error) = store.claim_peppers(&[claim("1", 7)]).await {
            assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
        }
        if store.find(&realm(), &[digest(&key_id(2))]).await.unwrap().holder.is_none() {
            fell += 1;
            continue;
        }
        stood += 1;
        let entries = timeout(Duration::from_secs(30), following).await.expect("it is woken");
        assert_eq!(entries.iter().map(|entry| entry.at.position).collect::<Vec<_>>(), [3, 4]);
    }
    assert!(stood > 0 && fell > 0, "{stood} stood, {fell} fell");
}

#[tokio::test]
async fn a_file_from_before_the_log_had_marks_is_read_on() {
    let disk = LossyDisk::new(1);
    let store = open(&disk);
    make(&store, 1).await.unwrap();
    drop(store);
    forget_marks(&disk);
    let store = open(&disk);
    let head = store.find(&realm(), &[]).await.unwrap().at;
    assert_eq!(head, At { position: 2, mark: Mark(0) });
    assert_eq!(told(&store, head).await.unwrap(), Log::Jump { head });
    make(&store, 2).await.unwrap();
    assert_eq!(store.follow(head, Duration::ZERO).await.unwrap().entries.len(), 2);
    assert_eq!(store.follow(At { position: 1, mark: Mark(0) }, Duration::ZERO).await.unwrap().entries.len(), 3);
}

/// Makes the store what a version without marks left.
fn forget_marks(disk: &LossyDisk) {
    let database = redb::Database::builder().create_with_backend(disk.clone()).unwrap();
    let txn = database.begin_write().unwrap();
    for name in ["rolled_back", "abandoned", "secret_ends", "revoked", "settled", "usage_by_minute", "usage_by_day", "last_used"] {
        let table = txn.list_tables().unwrap().find(|table| table.name() == name).unwrap();
        assert!(txn.delete_table(table).unwrap());
    }
    let mut meta = txn.open_table(TableDefinition::<&str, u64>::new("meta")).unwrap();
    assert!(meta.remove("mark").unwrap().is_some());
    drop(meta);
    let mut log = txn.open_table(LOG).unwrap();
    let entries: Vec<_> = log.iter().unwrap().map(|entry| stored::Entry::decode(entry.unwrap().1.value()).unwrap()).collect();
    for entry in entries {
        let before = stored::Entry { mark: 0, digests: Vec::new(), ..entry };
        log.insert(before.position, before.encode_to_vec().as_slice()).unwrap();
    }
    drop(log);
    txn.commit().unwrap();
}
