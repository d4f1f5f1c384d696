//! A thousand random tamperings, each found with the anchor; and what cannot be found without it.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use keyward::domain::audit::{Head, Sealed, Tampered, Verified};
use keyward::domain::key::Peppers;
use keyward::keyring::{Called, Keyring, Role, Sight};
use keyward::store::audit::End;
use keyward::store::{Round, SharedStore, Store, StoreError};

use super::kept::{Log, both, in_memory, into_redis, note, on_disk, told};
use super::tampering::{ALL, cut_end, go_on, go_on_unlooked, write_anew};
use crate::admin::world::{World, peppers, visitor};
use crate::support::campaign::{figure, share};
use crate::support::dice::Dice;
use crate::support::redis::RedisServer;

/// Whoever verifies the log of any store.
struct Auditor {
    world: World,
    called: Called,
}

/// A store whose audit log is another's.
struct WithLog {
    log: SharedStore,
    rest: SharedStore,
}

#[async_trait]
impl Round for WithLog {
    fn inner(&self) -> Result<&dyn Store, StoreError> {
        Ok(&*self.rest)
    }

    async fn audit(&self, after: u64, count: usize) -> Result<Vec<Sealed>, StoreError> {
        self.log.audit(after, count).await
    }

    async fn audit_head(&self) -> Result<Head, StoreError> {
        self.log.audit_head().await
    }
}

impl Auditor {
    async fn new() -> Self {
        let world = World::embedded().await;
        let caller = world.keyring.caller(&visitor(&world.admin), Sight::Leased).await.unwrap();
        Self { world, called: Called { caller, role: Role::Viewer, sight: Sight::Leased } }
    }

    async fn finds(&self, store: &SharedStore, anchor: Option<Head>) -> Result<Verified, Tampered> {
        self.finds_with(store, anchor, both()).await
    }

    async fn finds_with(&self, store: &SharedStore, anchor: Option<Head>, peppers: Arc<Peppers>) -> Result<Verified, Tampered> {
        let store = Arc::new(WithLog { log: store.clone(), rest: self.world.store.clone() });
        let keyring = Keyring::new(store, self.world.realms.clone(), peppers, None, self.world.guard.clone());
        keyring.verify_audit(self.called.clone(), anchor).await.unwrap()
    }
}

/// Plays so many tamperings of this log, and tells how many of each way were found.
async fn play(log: &Log, trials: usize, seed: u64, put: impl Fn(&Log) -> SharedStore) -> BTreeMap<&'static str, usize> {
    let (auditor, anchor) = (Auditor::new().await, ends(log));
    let whole = Ok(Verified { entries: log.entries.len() as u64, head: anchor });
    assert_eq!(auditor.finds(&put(log), Some(anchor)).await, whole, "the control: nobody has touched it");
    assert_eq!(auditor.finds(&put(log), None).await, whole);
    let (mut dice, mut found, mut played) = (Dice::new(seed), BTreeMap::new(), 0);
    while played < trials {
        let (name, tamper) = ALL[played % ALL.len()];
        let mut tampered = log.clone();
        tamper(&mut dice, &mut tampered);
        if tampered == *log {
            continue;
        }
        let store = put(&tampered);
        let verdict = auditor.finds(&store, Some(anchor)).await;
        // a store that keeps no head has not been tampered with where that alone was
        if verdict.is_ok() && store.audit(0, 1_000).await.unwrap().len() == log.entries.len() && tampered.entries == log.entries {
            assert_eq!(store.audit_head().await.unwrap(), anchor, "{name}");
            played += 1;
            continue;
        }
        assert!(verdict.is_err(), "{name} was not found (number {played}, seed {seed}): {verdict:?} {tampered:?}");
        *found.entry(name).or_insert(0) += 1;
        played += 1;
    }
    found
}

fn ends(log: &Log) -> Head {
    End::parse(log.head.as_ref().unwrap()).unwrap().head
}

fn total(found: &BTreeMap<&'static str, usize>) -> usize {
    println!("{found:#?}");
    found.values().sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_tamperings_are_all_found() {
    let (_, log) = told().await;
    let trials = share(1_000, 20_000);
    let found = play(&log, trials, 6, in_memory).await;
    assert_eq!((total(&found), found.len()), (trials, ALL.len()));
    figure("A1", "random tamperings of the audit log, all found given the anchor", &trials.to_string());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tamperings_of_what_redis_keeps_are_all_found() {
    let (_, log) = told().await;
    let server = RedisServer::start();
    let store: SharedStore = server.store();
    let trials = share(190, 1_000);
    let found = play(&log, trials, 7, |log| {
        into_redis(&server, log);
        store.clone()
    })
    .await;
    assert_eq!((total(&found), found.len()), (trials, ALL.len()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tamperings_of_what_the_embedded_store_keeps_are_all_found() {
    let (disk, log) = told().await;
    let trials = share(95, 1_000);
    let found = play(&log, trials, 8, |log| on_disk(&disk, log)).await;
    // it keeps no head that could be tampered with
    assert!(total(&found) >= trials - trials / ALL.len() && found.len() >= ALL.len() - 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_anchor_nobody_can_tell_that_the_end_was_cut_off() {
    let (auditor, (_, log)) = (Auditor::new().await, told().await);
    let mut dice = Dice::new(9);
    for _ in 0..20 {
        let mut cut = log.clone();
        // behind the entry that says what was dropped: before it, the log's start would be missed
        cut.entries.drain(20..);
        cut_end(&mut dice, &mut cut);
        let without = auditor.finds(&in_memory(&cut), None).await;
        let is_whole = cut.entries.len() > 14;
        assert_eq!(without.is_ok(), is_whole, "{without:?}");
        assert!(auditor.finds(&in_memory(&cut), Some(ends(&log))).await.is_err(), "the anchor tells");
    }
    let mut old = log.clone();
    old.entries.truncate(25);
    for _ in 0..40 {
        go_on(&mut old);
    }
    assert!(auditor.finds(&in_memory(&old), None).await.is_ok(), "an old copy that has gone on is a log like any other");
    assert_eq!(auditor.finds(&in_memory(&old), Some(ends(&log))).await, Err(Tampered::Anchor(ends(&log).sequence)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pepper_that_is_gone_is_believed_of_the_oldest_entries_alone() {
    let (auditor, (_, log)) = (Auditor::new().await, told().await);
    let newest = peppers(&["2"]);
    assert!(auditor.finds_with(&in_memory(&log), Some(ends(&log)), newest.clone()).await.is_ok(), "the entries behind them vouch for them");
    let oldest = peppers(&["1"]);
    let all_linked = auditor.finds_with(&in_memory(&log), None, oldest).await;
    assert!(all_linked.is_err(), "the newest entries are nobody's: {all_linked:?}");
}

/// What is written anew under a pepper that never was looks like what one that is gone has left, as soon as something genuine stands behind it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_was_written_anew_is_found_without_an_anchor_once_it_has_gone_on() {
    let (auditor, (disk, log), server) = (Auditor::new().await, told().await, RedisServer::start());
    let mut anew = log.clone();
    write_anew(&mut Dice::new(10), &mut anew);
    let last = ends(&anew).sequence;
    into_redis(&server, &anew);
    for store in [server.store() as SharedStore, on_disk(&disk, &anew)] {
        assert_eq!(auditor.finds(&store, None).await, Err(Tampered::Pepper(last)), "nothing has come yet");
        let next = store.note(&note("RevokeKey", "realms/otesse/keys/key_1", both())).await;
        assert_eq!(next.unwrap().sequence, last + 1, "whatever was done to the log, keys can be revoked");
        assert_eq!(auditor.finds(&store, None).await, Err(Tampered::Unvouched(last + 1)));
        store.note(&note("RevokeKey", "realms/otesse/keys/key_2", both())).await.unwrap();
        assert_eq!(auditor.finds(&store, None).await, Err(Tampered::Unvouched(last + 1)), "and it stays so");
        let anchored = auditor.finds(&store, Some(store.audit_head().await.unwrap())).await;
        assert_eq!(anchored, Err(Tampered::Unvouched(last + 1)), "no later anchor makes it good");
        assert!(auditor.finds(&store, Some(ends(&log))).await.is_err());
    }
    let mut unlooked = anew.clone();
    go_on_unlooked(&mut unlooked);
    assert!(auditor.finds(&in_memory(&unlooked), None).await.is_ok(), "the control: before, the next entry vouched for all of it");
    into_redis(&server, &Log { head: anew.head.map(|kept| End::parse(&kept).unwrap().head.to_string()), ..anew });
    let store: SharedStore = server.store();
    store.note(&note("RevokeKey", "realms/otesse/keys/key_1", both())).await.unwrap();
    assert_eq!(auditor.finds(&store, None).await, Err(Tampered::Unvouched(last + 1)), "nor does an end without a seal");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_the_last_pepper_was_lost_an_anchor_of_just_that_end_vouches_for_it() {
    let (auditor, (disk, log), server) = (Auditor::new().await, told().await, RedisServer::start());
    into_redis(&server, &log);
    for store in [on_disk(&disk, &log), server.store() as SharedStore] {
        let (lost, other) = (store.audit_head().await.unwrap(), peppers(&["3"]));
        let after = store.note(&note("CreateKey", "realms/ocus/keys/key_1", other.clone())).await.unwrap();
        store.note(&note("CreateKey", "realms/ocus/keys/key_2", other.clone())).await.unwrap();
        let finds = async |anchor| auditor.finds_with(&store, anchor, other.clone()).await;
        assert_eq!(finds(None).await, Err(Tampered::Unvouched(after.sequence)), "nobody can tell");
        assert_eq!(finds(Some(after)).await, Err(Tampered::Unvouched(after.sequence)));
        assert!(finds(Some(lost)).await.is_ok());
    }
}
