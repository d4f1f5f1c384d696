//! A disk that fails or hangs, a second process, a newer file: each is an answer, and the store comes back by itself where it can.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use keyward::clock::{Clock as _, SharedClock, SystemClock};
use keyward::domain::ticket::TicketId;
use keyward::domain::time::StoreTime;
use keyward::domain::window::WindowId;
use keyward::revocation::{At, Holder, Mark, Renewal, Terms};
use keyward::store::embedded::{Embedded, Timeouts};
use keyward::store::{RequestId, Return, Settled, Settlement, Store, StoreError, TICKETS_LIVE, Taken, What};
use redb::{ReadableDatabase as _, ReadableTableMetadata as _, TableDefinition};

use super::records::{self, PATIENT, charge, commit, digest, key_id, new_key, new_owner, owner_id, realm, record, spec};
use crate::support::audit::note;
use crate::support::hands::Hands;
use crate::support::lossy_disk::LossyDisk;
use crate::support::peppers::claim;

const SHORT: Timeouts = Timeouts { check: Duration::from_millis(50), admin: Duration::from_millis(100) };

fn open(disk: &LossyDisk, clock: &Arc<Hands>, timeouts: Timeouts) -> Embedded {
    let clock: SharedClock = clock.clone();
    Embedded::with_backend(disk.clone(), clock).unwrap().with_timeouts(timeouts)
}

async fn make(store: &Embedded, number: u64) -> Result<u64, StoreError> {
    let (owner, key) = (owner_id(number), key_id(number));
    let changes = vec![new_owner(records::owner(&owner)), new_key(record(&key, &owner))];
    store.commit(&commit(changes, format!("made {key}"))).await.map(|done| done.position)
}

/// Of a grant that nobody remembers.
fn ticket(id: u8) -> Settlement {
    let subject = charge(1, 1, vec![], vec![]).subjects.remove(0).name;
    let returns = vec![Return { subject, window: WindowId::sliding(60_000), slot: 1, tokens: 1 }];
    Settlement { ticket: TicketId([id; 16]), minted: StoreTime(1_800_000_000_000), returns }
}

/// A settled ticket is kept for as long as it could be settled again, and no longer.
#[tokio::test]
async fn tickets_that_were_settled_are_forgotten_once_they_are_too_old() {
    let (disk, clock) = (LossyDisk::new(1), Hands::new());
    let store = open(&disk, &clock, PATIENT);
    assert_eq!(store.settle(&[ticket(1)]).await.unwrap(), [Settled::Done]);
    clock.pass(TICKETS_LIVE.checked_sub(Duration::from_millis(1)).unwrap());
    assert_eq!(store.settle(&[ticket(1), ticket(2)]).await.unwrap(), [Settled::Replayed, Settled::Done]);
    clock.pass(Duration::from_millis(1));
    assert_eq!(store.settle(&[ticket(2), ticket(3)]).await.unwrap(), [Settled::TooLate, Settled::TooLate]);
    clock.pass(Duration::from_millis(1));
    make(&store, 1).await.unwrap();
    drop(store);
    let database = redb::Database::builder().create_with_backend(disk.clone()).unwrap();
    let settled: TableDefinition<(i64, &[u8; 16]), ()> = TableDefinition::new("settled");
    assert_eq!(database.begin_read().unwrap().open_table(settled).unwrap().len().unwrap(), 0);
}

/// Whether the key is there; never that it is not when nobody could look.
async fn is_there(store: &Embedded, number: u64) -> Result<bool, StoreError> {
    Ok(store.find(&realm(), &[digest(&key_id(number))]).await?.holder.is_some())
}

fn is_away<T>(answer: &Result<T, StoreError>) -> bool {
    matches!(answer, Err(StoreError::Unavailable(_)))
}

/// Every call that must have read the log, or written it.
async fn speaks_of_the_log(store: &Embedded) -> [Result<(), StoreError>; 5] {
    let holder = Holder { replica: "a".into(), incarnation: 1 };
    let terms = Terms { lease: Duration::from_secs(5) };
    let renewal = Renewal { holder: holder.clone(), number: 1, terms, applied: None, secured: At::default() };
    let unheard_of = At { position: 9, mark: Mark(9) };
    [
        store.renew(&renewal).await.map(drop),
        store.follow(unheard_of, Duration::ZERO).await.map(drop),
        store.acknowledge(&holder, unheard_of).await,
        store.secure(&What::Key(realm(), key_id(1))).await.map(drop),
        store.resume(&note("Test", "the log")).await,
    ]
}

#[tokio::test]
async fn a_disk_that_fails_makes_the_store_away_and_when_it_is_well_the_store_comes_back() {
    let (disk, clock) = (LossyDisk::new(1), Hands::new());
    let store = open(&disk, &clock, PATIENT);
    make(&store, 1).await.unwrap();
    let cold = charge(1, 1, vec![spec(60, 60)], vec![]);
    disk.fail();
    assert!(is_away(&make(&store, 2).await));
    assert!(is_away(&store.take(std::slice::from_ref(&cold)).await));
    assert!(is_away(&store.settle(std::slice::from_ref(&ticket(1))).await));
    assert!(is_away(&is_there(&store, 1).await));
    assert!(is_away(&store.key(&realm(), &key_id(1)).await));
    assert!(is_away(&store.keys(&realm(), None, &keyward::store::Page { count: 9, ..Default::default() }).await));
    assert!(is_away(&store.claim_peppers(&[claim("1", 1)]).await));
    let log = speaks_of_the_log(&store).await;
    assert!(log.iter().all(is_away), "{log:?}");
    disk.be_well();
    assert_eq!(make(&store, 3).await, Ok(4), "two changes a commit, and the one that was refused left no trace");
    assert!(speaks_of_the_log(&store).await.iter().all(Result::is_ok));
    assert_eq!((is_there(&store, 1).await, is_there(&store, 2).await, is_there(&store, 3).await), (Ok(true), Ok(false), Ok(true)));
    assert!(matches!(store.take(&[cold]).await.unwrap()[0], Taken::Granted { .. }));
    assert_eq!(store.settle(&[ticket(1), ticket(1)]).await.unwrap(), [Settled::Done, Settled::Replayed]);
}

/// Readers alone bring it back as well: each that fails asks for the database to be opened anew.
#[tokio::test]
async fn a_store_that_only_reads_comes_back_too() {
    let (disk, clock) = (LossyDisk::new(1), Hands::new());
    let store = open(&disk, &clock, PATIENT);
    make(&store, 1).await.unwrap();
    disk.fail();
    assert!(is_away(&make(&store, 2).await));
    disk.be_well();
    let there = loop {
        match is_there(&store, 1).await {
            Err(StoreError::Unavailable(_)) => tokio::task::yield_now().await,
            other => break other,
        }
    };
    assert_eq!(there, Ok(true));
}

#[tokio::test]
async fn what_could_not_be_counted_is_not_granted_and_what_was_granted_before_stays_counted() {
    let (disk, clock) = (LossyDisk::new(1), Hands::new());
    let store = open(&disk, &clock, PATIENT);
    let hot = [charge(1, 1, vec![spec(12, 60)], vec![])];
    let grants = async |times| {
        let mut granted = 0;
        for _ in 0..times {
            granted += usize::from(store.take(&hot).await.is_ok_and(|taken| matches!(taken[0], Taken::Granted { .. })));
        }
        granted
    };
    assert_eq!(grants(10).await, 10);
    disk.fail();
    assert_eq!(grants(4).await, 0);
    disk.be_well();
    // Of a transaction that was answered as failed nobody knows whether it stands.
    let after = grants(4).await;
    assert!(after <= 2, "{after} granted of the two that were left at most");
    clock.pass(Duration::from_secs(61));
    assert_eq!(grants(13).await, 12, "the control: once the window is over");
}

/// Without the timeouts none of these calls would end.
#[tokio::test]
async fn a_disk_that_hangs_holds_no_call_beyond_its_timeout() {
    let (disk, clock) = (LossyDisk::new(1), Hands::new());
    drop(open(&disk, &clock, PATIENT));
    let store = open(&disk, &clock, SHORT);
    disk.hang();
    assert!(is_away(&make(&store, 1).await));
    assert!(is_away(&store.take(&[charge(1, 1, vec![spec(60, 60)], vec![])]).await));
    assert!(is_away(&store.settle(&[ticket(1)]).await));
    assert!(is_away(&is_there(&store, 1).await));
    assert!(is_away(&store.owner(&realm(), &owner_id(1)).await));
    assert!(is_away(&store.claim_peppers(&[claim("1", 1)]).await));
    let log = speaks_of_the_log(&store).await;
    assert!(log.iter().all(is_away), "{log:?}");
    store.now().await.unwrap();
    disk.be_well();
    let store = store.with_timeouts(PATIENT);
    make(&store, 2).await.unwrap();
    assert_eq!(is_there(&store, 2).await, Ok(true));
    disk.hang();
    drop(store.with_timeouts(SHORT));
    disk.be_well();
}

#[tokio::test]
async fn no_more_calls_wait_for_a_hanging_disk_than_the_queue_holds() {
    let (disk, clock) = (LossyDisk::new(1), Hands::new());
    let store = open(&disk, &clock, SHORT);
    disk.hang();
    let answers = join_all((0..6_000).map(|number| make(&store, number))).await;
    disk.be_well();
    let full = answers.iter().filter(|answer| matches!(answer, Err(StoreError::Unavailable(why)) if why.contains("too many"))).count();
    assert!(answers.iter().all(is_away) && full >= 6_000 - 4_096 - 1_024, "{full}");
}

#[tokio::test]
async fn a_second_process_is_told_that_the_store_is_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data");
    let first = Embedded::open(&path, Arc::new(SystemClock)).unwrap();
    let Err(StoreError::Unavailable(why)) = Embedded::open(&path, Arc::new(SystemClock)).map(drop) else { panic!("opened twice") };
    assert!(why.contains("in use by another process"), "{why}");
    drop(first);
    Embedded::open(&path, Arc::new(SystemClock)).unwrap();
}

#[tokio::test]
async fn folder_and_file_are_for_their_user_alone_and_keep_what_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/data");
    let store = Embedded::open(&path, Arc::new(SystemClock)).unwrap().with_timeouts(PATIENT);
    make(&store, 1).await.unwrap();
    drop(store);
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o700);
    let files: Vec<_> = fs::read_dir(&path).unwrap().map(|entry| mode(&entry.unwrap().path())).collect();
    assert_eq!(files, [0o600]);
    let store = Embedded::open(&path, Arc::new(SystemClock)).unwrap().with_timeouts(PATIENT);
    assert_eq!(is_there(&store, 1).await, Ok(true));
    assert_eq!(make(&store, 2).await, Ok(4));
}

/// A database that is not whole does not open, so it is made under another name until it is.
#[test]
fn a_first_start_that_was_cut_off_does_not_stand_in_the_way_of_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let draft = folder.path().join("keyward.redb.new");
    fs::write(&draft, "half a database").unwrap();
    drop(Embedded::open(folder.path(), Arc::new(SystemClock)).unwrap());
    assert!(!draft.exists());
    for (content, says) in [("half a database", "magic number"), ("", "is empty")] {
        fs::write(folder.path().join("keyward.redb"), content).unwrap();
        let Err(why) = Embedded::open(folder.path(), Arc::new(SystemClock)).map(drop) else { panic!("a foreign file was overwritten") };
        assert!(why.to_string().contains("keyward.redb") && why.to_string().contains(says), "{why}");
    }
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let Err(StoreError::Unavailable(why)) = Embedded::open(&file.join("data"), Arc::new(SystemClock)).map(drop) else { panic!("opened") };
    assert!(why.contains("file/data") && why.contains("make it a folder"), "{why}");
}

#[test]
fn a_file_of_another_schema_is_refused() {
    let (disk, clock) = (LossyDisk::new(1), Hands::new());
    drop(open(&disk, &clock, PATIENT));
    let database = redb::Database::builder().create_with_backend(disk.clone()).unwrap();
    let txn = database.begin_write().unwrap();
    let meta: TableDefinition<&str, u64> = TableDefinition::new("meta");
    txn.open_table(meta).unwrap().insert("schema", 2).unwrap();
    txn.commit().unwrap();
    drop(database);
    let Err(StoreError::Corrupt(why)) = Embedded::with_backend(disk, clock).map(drop) else { panic!("opened") };
    assert!(why.contains("schema version 2"), "{why}");
}

#[tokio::test]
async fn a_request_id_is_free_again_after_a_day() {
    let (disk, clock) = (LossyDisk::new(1), Hands::new());
    let store = open(&disk, &clock, PATIENT);
    let request = |number: u64, content| {
        let changes = vec![new_owner(records::owner(&owner_id(number)))];
        let request = RequestId { caller: key_id(0).into(), id: "request".into(), fingerprint: [content; 32] };
        keyward::store::Commit { request: Some(request), ..commit(changes, format!("made {number}")) }
    };
    store.commit(&request(1, 1)).await.unwrap();
    clock.pass(Duration::from_hours(24) - Duration::from_millis(1));
    assert_eq!(store.commit(&request(2, 2)).await, Err(StoreError::RequestIdReused));
    clock.pass(Duration::from_millis(1));
    assert_eq!(store.commit(&request(2, 2)).await.map(|done| done.replayed), Ok(None));
    make(&store, 3).await.unwrap();
    assert_eq!(store.commit(&request(2, 2)).await.map(|done| done.replayed), Ok(Some("made 2".into())));
}

#[tokio::test]
async fn the_stores_time_goes_on_over_a_crash_though_the_wall_clock_was_set_back() {
    let (disk, clock) = (LossyDisk::new(1), Hands::new());
    let store = open(&disk, &clock, PATIENT);
    clock.pass(Duration::from_secs(100));
    let before = store.now().await.unwrap();
    assert_eq!(before, clock.wall());
    make(&store, 1).await.unwrap();
    let found = disk.after_power_cut();
    drop(store);
    clock.step_wall(-3_600_000);
    let store = open(&found, &clock, PATIENT);
    assert_eq!(store.now().await, Ok(before));
    clock.pass(Duration::from_secs(1));
    assert_eq!(store.now().await, Ok(StoreTime(before.0 + 1_000)));
}

#[tokio::test]
async fn a_file_that_was_damaged_from_outside_is_an_error_of_the_start_and_no_panic() {
    let folder = tempfile::tempdir().unwrap();
    let open = || Embedded::open(folder.path(), Arc::new(SystemClock));
    let store = open().unwrap();
    for number in 0..20 {
        make(&store, number).await.unwrap();
    }
    drop(store);
    assert!(open().is_ok(), "control: the file is whole");
    let file = folder.path().join("keyward.redb");
    let whole = fs::read(&file).unwrap();
    let mut refused = 0;
    for page in [1, 3, 5] {
        let mut damaged = whole.clone();
        damaged[page * 4096..(page + 20) * 4096].fill(0xa5);
        fs::write(&file, &damaged).unwrap();
        refused += usize::from(matches!(open(), Err(StoreError::Corrupt(_) | StoreError::Unavailable(_))));
    }
    assert!(refused > 0, "nothing that was damaged was read at the start");
}
