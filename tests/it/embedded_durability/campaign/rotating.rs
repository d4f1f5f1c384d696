//! Keys that get another secret, are removed, or end several at a time: each in one commit, which stands whole or not at all, with the digests that
//! lead to it.

use keyward::domain::key::Digest;
use keyward::domain::name::KeyId;
use keyward::domain::record::{KeptSecret, Record};
use keyward::domain::time::StoreTime;
use keyward::store::embedded::Embedded;
use keyward::store::{Change, Commit, Expect, Store as _, StoreError};
use sha2::{Digest as _, Sha256};

use super::{Loss, Seen, World, pick};
use crate::embedded_durability::records::{commit, realm};

/// How changes that belong together are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Together {
    InOneCommit,
    /// The control: one after the other.
    InPieces,
}

/// More than a commit's share of keys.
const MANY: usize = 5;

/// The control of the campaign for commits of several changes: where they are written one after the other, it finds halves.
#[test]
fn what_is_written_in_two_commits_is_caught_half_done() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut halves = [0, 0];
    for seed in 0..150 {
        let world = World { together: Together::InPieces, ..World::new(seed) };
        for (loss, what) in runtime.block_on(world.run(super::Syncs::Kept, &mut Seen::default())) {
            halves[0] += usize::from(loss == Loss::Half && what.contains("neither before nor after"));
            halves[1] += usize::from(loss == Loss::Half && what.contains("in part"));
        }
    }
    println!("half rotated, half revoked: {halves:?}");
    assert!(halves.iter().all(|found| *found > 0), "half rotated keys or half done revocations went unseen: {halves:?}");
}

impl World {
    /// Another secret takes over: the one that was there ends, or is gone at once.
    pub(super) async fn rotate(&mut self, store: &Embedded, seen: &mut Seen) {
        let Some(record) = pick(&mut self.dice, &self.keys) else { return };
        let newest = record.secrets.last().unwrap().clone();
        let number = newest.number + 1;
        let fresh = KeptSecret { digest: numbered(&record.id, number), number, ..newest };
        let mut older = record.secrets.clone();
        for kept in &mut older {
            kept.ends.get_or_insert(StoreTime(9));
        }
        if self.dice.once_in(2) {
            older.clear();
        }
        let steps = match self.together {
            Together::InOneCommit => vec![[older, vec![fresh]].concat()],
            Together::InPieces => {
                let ended: Vec<KeptSecret> =
                    record.secrets.iter().map(|kept| KeptSecret { ends: Some(StoreTime(9)), ..kept.clone() }).collect();
                vec![ended, [older, vec![fresh]].concat()]
            }
        };
        let changes = (record.revision..).zip(steps).map(|(revision, secrets)| {
            let after = Record { secrets, revision: revision + 1, ..record.clone() };
            Change::Key { record: after, expect: Expect::Revision(revision) }
        });
        let changes: Vec<Change> = changes.collect();
        self.write(store, changes, "rotated", seen).await;
    }

    pub(super) async fn remove(&mut self, store: &Embedded, seen: &mut Seen) {
        let Some(record) = pick(&mut self.dice, &self.keys) else { return };
        let change = Change::Removed { realm: realm(), id: record.id, expect: Expect::Revision(record.revision) };
        self.write(store, vec![change], "removed", seen).await;
    }

    /// Several are revoked at once.
    pub(super) async fn end_many(&mut self, store: &Embedded, seen: &mut Seen) {
        let alive = self.keys.values().filter(|record| record.revoked.is_none()).take(MANY);
        let change = |record: &Record| {
            let after = Record { revoked: Some(StoreTime(7)), revision: record.revision + 1, ..record.clone() };
            Change::Key { record: after, expect: Expect::Revision(record.revision) }
        };
        let changes: Vec<Change> = alive.map(change).collect();
        if !changes.is_empty() {
            self.write(store, changes, "revoked", seen).await;
        }
    }

    /// As it is to be written. What stands of it is judged as if it had been one commit.
    async fn write(&mut self, store: &Embedded, changes: Vec<Change>, subject: &str, seen: &mut Seen) {
        self.tried.extend(changes.iter().flat_map(Change::digests));
        let before = store.now().await.unwrap_or_default();
        match self.together {
            Together::InOneCommit => {
                let commit = commit(changes, subject);
                let answer = store.commit(&commit).await;
                self.settle(commit, answer, before, seen);
            }
            Together::InPieces => {
                let mut answer = Ok(());
                for change in &changes {
                    if answer.is_ok() {
                        answer = store.commit(&commit(vec![change.clone()], subject)).await.map(drop);
                    }
                }
                // of changes to one key the last is what it is to be
                let last: Vec<Change> = if subject == "rotated" { changes.into_iter().next_back().into_iter().collect() } else { changes };
                self.settle_pieces(commit(last, subject), &answer);
            }
        }
    }

    fn settle_pieces(&mut self, whole: Commit, answer: &Result<(), StoreError>) {
        match answer {
            Ok(()) => self.accept(&whole),
            Err(_) => self.unsure.push(whole),
        }
    }

    /// Every digest that was ever written leads to the key that has it, and to none where none has.
    pub(super) async fn compare_digests(&mut self, store: &Embedded) {
        let holders: Vec<(Digest, KeyId)> =
            self.keys.values().flat_map(|record| record.secrets.iter().map(|kept| (kept.digest, record.id.clone()))).collect();
        for digest in self.tried.clone() {
            let holder = holders.iter().find(|(held, _)| *held == digest).map(|(_, id)| id);
            match store.find(&realm(), &[digest]).await {
                Ok(finding) if finding.holder.as_ref().map(|found| &found.record.id) == holder => {}
                Ok(finding) => self.lose(Loss::Half, &format!("a digest of {holder:?} leads to {:?}", finding.holder)),
                Err(other) => self.lose(Loss::Half, &format!("a digest of {holder:?}: {other}")),
            }
        }
    }
}

fn numbered(id: &KeyId, number: u32) -> Digest {
    Digest(Sha256::digest(format!("{id}/{number}")).into())
}
