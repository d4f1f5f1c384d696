//! The power is cut at a random write or sync, over and over, and what comes back is held against what was acknowledged.

mod promised;
mod rotating;
mod settling;
mod spending;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use keyward::clock::SharedClock;
use keyward::domain::audit::{Head, Link, Verifier};
use keyward::domain::key::Digest;
use keyward::domain::name::{KeyId, OwnerId};
use keyward::domain::owner::Owner;
use keyward::domain::record::Record;
use keyward::domain::time::StoreTime;
use keyward::proto::keyward::store::v1 as stored;
use keyward::store::embedded::Embedded;
use keyward::store::{Change, Commit, Committed, Expect, Page, Store as _, StoreError, audit};
use prost::Message as _;
use redb::{ReadableDatabase as _, ReadableTable as _, TableDefinition};

use self::promised::Promised;
use self::rotating::Together;
use self::settling::Ticket;
use self::spending::Spent;
use super::records::{self, PATIENT, commit, digest, key_id, new_key, new_owner, owner_id, realm};
use crate::support::hands::Hands;
use crate::support::lossy_disk::{Dice, LossyDisk, Syncs};
use crate::support::peppers::claim;

const RUNS: u64 = 1_000;
const STEPS: u64 = 39;

/// What was found missing or wrong after the power came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Loss {
    /// The store does not open.
    Store,
    /// An acknowledged key, revocation, owner or disabling.
    Record,
    /// A commit that was not acknowledged stands in part.
    Half,
    /// An entry of audit or log.
    Entry,
    /// A place that was told to be secured is not in the log.
    Promise,
    /// A window admitted more than its limit.
    Window,
    /// A ticket was settled twice.
    Ticket,
    /// The store's time went back.
    Time,
}

/// Its controls, beside the one below: with commits that are not durable, answers before the commit, a commit in one phase, a time that is not
/// persisted, windows that are not always written, or tickets that are not noted, it fails within a few dozen runs.
#[test]
fn nothing_acknowledged_is_lost_when_the_power_is_cut_at_any_write() {
    let runs = std::env::var("KEYWARD_CRASH_RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(RUNS);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut seen = Seen::default();
    for seed in 0..runs {
        let losses = runtime.block_on(World::new(seed).run(Syncs::Kept, &mut seen));
        assert!(losses.is_empty(), "seed {seed}: {losses:?}");
    }
    println!("{runs} runs: {seen:?}");
    assert!(seen.commits > runs && seen.grants > runs && seen.unsure > runs / 20 && seen.cut > runs / 2, "too little happened: {seen:?}");
    assert!(seen.settled > runs / 2 && seen.replayed > runs / 2, "too little was settled: {seen:?}");
}

/// The control of the test above: without syncs it sees keys, log entries, secured places, tokens and settled tickets go missing.
#[test]
fn a_disk_that_ignores_syncs_is_caught_losing_keys_entries_promises_tokens_and_tickets() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let lost = |seed| runtime.block_on(World::new(seed).run(Syncs::Ignored, &mut Seen::default()));
    let losses: BTreeSet<Loss> = (0..60).flat_map(lost).map(|(loss, _)| loss).collect();
    for loss in [Loss::Record, Loss::Entry, Loss::Promise, Loss::Window, Loss::Ticket] {
        assert!(losses.contains(&loss), "{loss:?} went unseen: {losses:?}");
    }
}

/// A commit makes fewer than thirty writes and syncs; beyond them it is acknowledged.
#[test]
fn a_commit_cut_off_at_any_of_its_writes_stands_whole_or_not_at_all() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let fates: BTreeSet<(bool, bool)> =
        (1..=30).flat_map(|cut| (0..4).map(move |seed| (cut, seed))).map(|(cut, seed)| runtime.block_on(cut_off(cut, seed))).collect();
    assert!(!fates.contains(&(true, false)), "acknowledged and lost");
    assert_eq!(fates.len(), 3, "acknowledged, lost, and standing without being acknowledged: {fates:?}");
}

/// Whether the commit was acknowledged, and whether it stands.
async fn cut_off(cut: u64, seed: u64) -> (bool, bool) {
    let mut world = World::new(seed);
    let store = world.open().unwrap();
    store.commit(&world.creation()).await.unwrap();
    let commit = world.creation();
    world.disk.cut_power_after(cut);
    let acknowledged = store.commit(&commit).await.is_ok();
    let found = world.disk.after_power_cut();
    drop(store);
    world.disk = found;
    let store = world.open().unwrap();
    (acknowledged, world.stands(&store, &commit).await.unwrap())
}

/// How much happened, over all runs.
#[derive(Debug, Default)]
struct Seen {
    commits: u64,
    grants: u64,
    refusals: u64,
    settled: u64,
    replayed: u64,
    /// Commits whose fate the power cut left open, and how many of them stood.
    unsure: u64,
    stood: u64,
    failed_syncs: u64,
    cut: u64,
    cut_while_opening: u64,
}

struct World {
    dice: Dice,
    clock: Arc<Hands>,
    disk: LossyDisk,
    next: u64,
    // what was acknowledged
    keys: BTreeMap<KeyId, Record>,
    owners: BTreeMap<OwnerId, Owner>,
    noted: BTreeMap<u64, String>,
    told: StoreTime,
    spent: Vec<Spent>,
    tickets: Vec<Ticket>,
    promised: Promised,
    /// Every digest that was ever written.
    tried: BTreeSet<Digest>,
    together: Together,
    /// Neither acknowledged nor refused.
    unsure: Vec<Commit>,
    losses: Vec<(Loss, String)>,
}

impl World {
    fn new(seed: u64) -> Self {
        Self {
            dice: Dice::new(seed ^ 0xabcd),
            clock: Hands::new(),
            disk: LossyDisk::new(seed),
            next: 0,
            keys: BTreeMap::new(),
            owners: BTreeMap::new(),
            noted: BTreeMap::new(),
            told: StoreTime(0),
            spent: Vec::new(),
            tickets: Vec::new(),
            promised: Promised::default(),
            tried: BTreeSet::new(),
            together: Together::InOneCommit,
            unsure: Vec::new(),
            losses: Vec::new(),
        }
    }

    async fn run(mut self, syncs: Syncs, seen: &mut Seen) -> Vec<(Loss, String)> {
        if let Some(store) = self.open() {
            self.disk.treat_syncs(syncs);
            self.live(&store, seen).await;
            seen.cut += u64::from(self.disk.is_dead());
            let found = self.disk.after_power_cut();
            drop(store);
            self.disk = found;
        }
        self.time_without_power();
        match self.open_in_the_dark(seen) {
            Some(store) => {
                self.compare(&store, seen).await;
                self.renew(&store).await;
                self.settle_all_again(&store, seen).await;
                self.burst(&store, seen).await;
                drop(store);
                self.read_entries();
            }
            None => self.lose(Loss::Store, "it does not open"),
        }
        self.measure_windows();
        self.losses
    }

    fn open(&mut self) -> Option<Embedded> {
        let clock: SharedClock = self.clock.clone();
        Some(Embedded::with_backend(self.disk.clone(), clock).ok()?.with_timeouts(PATIENT))
    }

    /// Opens what the power cut left, and sometimes the power is cut again meanwhile.
    fn open_in_the_dark(&mut self, seen: &mut Seen) -> Option<Embedded> {
        if self.dice.once_in(4) {
            self.disk.cut_power_after(1 + self.dice.below(12));
            let half_open = self.open();
            seen.cut_while_opening += u64::from(self.disk.is_dead());
            let found = self.disk.after_power_cut();
            drop(half_open);
            self.disk = found;
        }
        self.open()
    }

    async fn live(&mut self, store: &Embedded, seen: &mut Seen) {
        self.disk.cut_power_after(1 + self.dice.below(400));
        for _ in 0..STEPS {
            if self.disk.is_dead() {
                return;
            }
            match self.dice.below(13) {
                0 | 1 => self.create(store, seen).await,
                2 => self.create_two_at_once(store, seen).await,
                3 => self.revoke(store, seen).await,
                4 => self.disable(store, seen).await,
                5 if self.dice.once_in(4) => self.fail_a_sync(store, seen).await,
                6 => self.renew(store).await,
                7 => self.settle_tickets(store, seen).await,
                8 | 9 => self.rotate(store, seen).await,
                10 => self.remove(store, seen).await,
                11 => self.end_many(store, seen).await,
                _ => self.take(store, seen).await,
            }
            let pause = if self.dice.once_in(8) { 4_000 } else { 200 };
            self.clock.pass(Duration::from_millis(self.dice.below(pause)));
        }
    }

    async fn create(&mut self, store: &Embedded, seen: &mut Seen) {
        let commit = self.creation();
        let before = store.now().await.unwrap();
        let answer = store.commit(&commit).await;
        self.settle(commit, answer, before, seen);
    }

    async fn create_two_at_once(&mut self, store: &Embedded, seen: &mut Seen) {
        let commits = [self.creation(), self.creation()];
        let before = store.now().await.unwrap();
        let answers = join_all(commits.iter().map(|commit| store.commit(commit))).await;
        for (commit, answer) in commits.into_iter().zip(answers) {
            self.settle(commit, answer, before, seen);
        }
    }

    /// A key, and an owner of its own.
    fn creation(&mut self) -> Commit {
        self.next += 1;
        let (owner, key) = (owner_id(self.next), key_id(self.next));
        self.tried.insert(digest(&key));
        let changes = vec![new_owner(records::owner(&owner)), new_key(records::record(&key, &owner))];
        commit(changes, format!("created {key}"))
    }

    async fn revoke(&mut self, store: &Embedded, seen: &mut Seen) {
        let alive =
            self.keys.iter().filter(|(_, record)| record.revoked.is_none()).map(|(id, record)| (id.clone(), record.clone())).collect();
        let Some(record) = pick(&mut self.dice, &alive) else { return };
        let expect = Expect::Revision(record.revision);
        let revoked = Record { revoked: Some(StoreTime(7)), revision: record.revision + 1, ..record };
        let commit = commit(vec![Change::Key { record: revoked, expect }], "revoked");
        let before = store.now().await.unwrap();
        let answer = store.commit(&commit).await;
        self.settle(commit, answer, before, seen);
    }

    async fn disable(&mut self, store: &Embedded, seen: &mut Seen) {
        let Some(owner) = pick(&mut self.dice, &self.owners) else { return };
        let expect = Expect::Revision(owner.revision);
        let disabled = if owner.disabled.is_some() { None } else { Some(StoreTime(7)) };
        let owner = Owner { disabled, revision: owner.revision + 1, ..owner };
        let commit = commit(vec![Change::Owner { owner, expect }], "disabled or enabled");
        let before = store.now().await.unwrap();
        let answer = store.commit(&commit).await;
        self.settle(commit, answer, before, seen);
    }

    /// A sync fails and the power stays: the store comes back by itself, and what is read then is acknowledged.
    async fn fail_a_sync(&mut self, store: &Embedded, seen: &mut Seen) {
        self.disk.fail_next_sync();
        self.create(store, seen).await;
        self.take(store, seen).await;
        if self.disk.is_dead() || store.claim_peppers(&[claim("1", 7)]).await.is_err() {
            return;
        }
        seen.failed_syncs += 1;
        self.renew(store).await;
        for commit in std::mem::take(&mut self.unsure) {
            match self.stands(store, &commit).await {
                Ok(true) => self.accept(&commit),
                Ok(false) => {}
                Err(StoreError::Unavailable(_)) if self.disk.is_dead() => self.unsure.push(commit),
                Err(other) => self.lose(Loss::Half, &format!("after a failed sync: {other}")),
            }
        }
    }

    fn settle(&mut self, commit: Commit, answer: Result<Committed, StoreError>, before: StoreTime, seen: &mut Seen) {
        match answer {
            Ok(Committed { position, standing, .. }) => {
                self.promised.hear(standing.at);
                seen.commits += 1;
                self.told = self.told.max(before);
                self.noted.insert(position, commit.audit.subject().to_owned());
                self.accept(&commit);
            }
            Err(StoreError::Unavailable(_)) => self.unsure.push(commit),
            Err(other) => self.lose(Loss::Record, &format!("{other} for {commit:?}")),
        }
    }

    fn accept(&mut self, commit: &Commit) {
        for change in &commit.changes {
            match change.clone() {
                Change::Key { record, .. } => drop(self.keys.insert(record.id.clone(), record)),
                Change::Owner { owner, .. } => drop(self.owners.insert(owner.id.clone(), owner)),
                Change::Removed { id, .. } => drop(self.keys.remove(&id)),
            }
        }
    }

    fn time_without_power(&mut self) {
        self.clock.pass(Duration::from_millis(self.dice.below(2_000)));
        if self.dice.once_in(3) {
            self.clock.step_wall(-3_600_000);
        }
    }

    async fn compare(&mut self, store: &Embedded, seen: &mut Seen) {
        if store.now().await.unwrap() < self.told {
            self.lose(Loss::Time, "it went back");
        }
        for commit in std::mem::take(&mut self.unsure) {
            seen.unsure += 1;
            match self.stands(store, &commit).await {
                Ok(true) => {
                    seen.stood += 1;
                    self.accept(&commit);
                }
                Ok(false) => {}
                Err(other) => self.lose(Loss::Half, &format!("{other}")),
            }
        }
        for (id, record) in self.keys.clone() {
            let found = store.find(&realm(), &[record.secrets[0].digest]).await.map(|finding| finding.holder);
            let holder = found.ok().flatten();
            if holder.as_ref().map(|holder| &holder.record) != Some(&record) {
                self.lose(Loss::Record, &format!("{record:?} of {id} is {holder:?}"));
            }
        }
        self.compare_digests(store).await;
        for (id, owner) in self.owners.clone() {
            let found = store.owner(&realm(), &id).await;
            if found != Ok(Some(owner.clone())) {
                self.lose(Loss::Record, &format!("{owner:?} is {found:?}"));
            }
        }
        let listed = store.keys(&realm(), None, &Page { count: usize::MAX, ..Page::default() }).await.unwrap_or_default();
        if listed != self.keys.values().cloned().collect::<Vec<_>>() {
            self.lose(Loss::Record, "the list is another");
        }
    }

    /// Whether all of a commit stands, or nothing of it.
    async fn stands(&self, store: &Embedded, commit: &Commit) -> Result<bool, StoreError> {
        let mut stands = BTreeSet::new();
        for change in &commit.changes {
            stands.insert(match change {
                Change::Key { record, .. } => {
                    let kept = store.key(&realm(), &record.id).await?;
                    let before = self.keys.get(&record.id);
                    if kept.as_ref() != Some(record) && kept.as_ref() != before {
                        return Err(StoreError::Corrupt(format!("neither before nor after: {kept:?}")));
                    }
                    kept.as_ref() == Some(record)
                }
                Change::Owner { owner, .. } => store.owner(&realm(), &owner.id).await? == Some(owner.clone()),
                Change::Removed { id, .. } => store.key(&realm(), id).await?.is_none(),
            });
        }
        match stands.len() {
            1 => Ok(stands.contains(&true)),
            _ => Err(StoreError::Corrupt(format!("it stands in part: {commit:?}"))),
        }
    }

    fn read_entries(&mut self) {
        let Ok(database) = redb::Database::builder().create_with_backend(self.disk.clone()) else {
            return self.lose(Loss::Store, "it does not open once it was closed");
        };
        let (audit, log) = (entries(&database, "audit"), entries(&database, "log"));
        let positions: Vec<u64> = log.keys().copied().collect();
        if positions != (1..=positions.len() as u64).collect::<Vec<_>>() {
            self.lose(Loss::Entry, &format!("positions have gaps: {positions:?}"));
        }
        self.compare_log(&database, &log);
        let audit = self.audited(&audit, positions.len() as u64);
        for (position, subject) in self.noted.clone() {
            let entry = log.get(&position).and_then(|bytes| stored::Entry::decode(bytes.as_slice()).ok());
            if audit.get(&position).is_none_or(|subjects| *subjects != [subject.clone()]) {
                self.lose(Loss::Entry, &format!("audit entry {position}, {subject}"));
            }
            if entry.is_none_or(|entry| entry.position != position || (subject == "revoked" && !entry.restricting)) {
                self.lose(Loss::Entry, &format!("log entry {position}, {subject}"));
            }
        }
    }

    /// The audit log, whose chain must be whole: what each commit was done to, by its position. There is one entry for every change of the
    /// log, and none without.
    fn audited(&mut self, kept: &BTreeMap<u64, Vec<u8>>, changes: u64) -> BTreeMap<u64, Vec<String>> {
        let peppers = crate::support::audit::peppers(1);
        let (mut verifier, mut audited, mut head, mut told) = (Verifier::new(&peppers, None), BTreeMap::new(), Head::default(), 0);
        for (sequence, bytes) in kept {
            let sealed = audit::decode(bytes).unwrap();
            let entry = audit::read(&sealed).unwrap();
            if let Err(wrong) = verifier.entry(&sealed, &audit::place(&entry).unwrap()) {
                self.lose(Loss::Entry, &format!("audit log: {wrong}"));
            }
            head = Head { sequence: *sequence, link: Link::of(&sealed.entry) };
            if entry.position > 0 {
                told = entry.position;
                audited.insert(entry.position, entry.subjects);
            }
        }
        if let Err(wrong) = verifier.end(head) {
            self.lose(Loss::Entry, &format!("audit log: {wrong}"));
        }
        if told != changes {
            self.lose(Loss::Entry, &format!("the audit log tells of changes up to {told}, the log of {changes}"));
        }
        audited
    }

    fn lose(&mut self, loss: Loss, what: &str) {
        self.losses.push((loss, what.to_owned()));
    }
}

fn pick<K: Ord, V: Clone>(dice: &mut Dice, map: &BTreeMap<K, V>) -> Option<V> {
    let at = usize::try_from(dice.below(map.len() as u64)).unwrap();
    map.values().nth(at).cloned()
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap()
}

fn entries(database: &redb::Database, name: &str) -> BTreeMap<u64, Vec<u8>> {
    let definition: TableDefinition<u64, &[u8]> = TableDefinition::new(name);
    let table = database.begin_read().unwrap().open_table(definition).unwrap();
    table.iter().unwrap().map(|entry| entry.map(|(position, bytes)| (position.value(), bytes.value().to_vec())).unwrap()).collect()
}
