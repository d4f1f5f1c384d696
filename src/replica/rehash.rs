//! Secrets whose digest is not under the pepper in use are noted when they are presented, and get another digest: not by the check that noted
//! them, but behind it, many in one commit. What is forgotten of them comes again.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::sync::Notify;
use tokio::time::sleep;

use super::session::Session;
use crate::domain::audit::Who;
use crate::domain::key::{Digest, Peppers, Scheme};
use crate::domain::name::{KeyId, RealmId, Word};
use crate::domain::record::{KeptSecret, Record};
use crate::store::{AuditNote, Change, Commit, Expect, Needs, SharedStore, StoreError, pepper};

/// So many wait at most.
const MOST: usize = 8_192;
/// So many keys in one commit: it must not hold up a store that others wait for.
const TOGETHER: usize = 128;
/// Reads of keys at one time.
const READS: usize = 16;
/// Between two commits, so that others have their turn, and those that follow the log as well.
const PAUSE: Duration = Duration::from_millis(100);
/// How often a commit is begun again when others change its keys meanwhile.
const ATTEMPTS: usize = 3;

/// A secret that is to have another digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stale {
    pub realm: RealmId,
    pub key: KeyId,
    /// Of the secret.
    pub number: u32,
    /// Its digest as it was found.
    pub found: Digest,
    /// What it is to be, of the secret itself, under this pepper.
    pub digest: Digest,
    pub pepper: Word,
}

/// Those that wait, of one replica.
pub struct Rehash {
    peppers: Arc<Peppers>,
    waiting: Mutex<HashMap<(RealmId, KeyId, u32), Stale>>,
    more: Notify,
    rehashed: AtomicU64,
    dropped: AtomicU64,
}

/// What there is to see of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Seen {
    pub rehashed: u64,
    /// Those that had no place, or whose commit did not come about.
    pub dropped: u64,
    pub waiting: u64,
}

impl Rehash {
    #[must_use]
    pub fn new(peppers: Arc<Peppers>) -> Arc<Self> {
        Arc::new(Self { peppers, waiting: Mutex::default(), more: Notify::new(), rehashed: 0.into(), dropped: 0.into() })
    }

    /// What is to become of the secret that was presented, if it is not as it should be. `digests`: as the peppers make them of it.
    #[must_use]
    pub fn stale(&self, digests: &[Digest], record: &Record) -> Option<Stale> {
        let kept = record.secrets.iter().find(|kept| digests.contains(&kept.digest))?;
        let (digest, pepper) = self.peppers.newest_of(digests)?;
        let stale = kept.pepper != *pepper || kept.scheme != Scheme::Secret;
        stale.then(|| Stale {
            realm: record.realm.clone(),
            key: record.id.clone(),
            number: kept.number,
            found: kept.digest,
            digest,
            pepper: pepper.clone(),
        })
    }

    /// Has it wait for its turn, unless it does, or too many do.
    pub fn add(&self, stale: Stale) {
        let mut waiting = self.waiting();
        let name = (stale.realm.clone(), stale.key.clone(), stale.number);
        if waiting.len() >= MOST && !waiting.contains_key(&name) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        waiting.insert(name, stale);
        drop(waiting);
        self.more.notify_one();
    }

    /// Gives what waits its new digests, for ever. While there is no lease, or no store, nothing is done, and what waits is forgotten.
    pub async fn run(&self, store: &SharedStore, session: &Session) {
        loop {
            self.more.notified().await;
            while !self.waiting().is_empty() {
                sleep(PAUSE).await;
                if !session.admits() {
                    self.forget();
                } else if let Err(error) = self.some(store).await {
                    tracing::debug!(%error, "secrets were not put under the pepper in use");
                }
            }
        }
    }

    /// The same with all that waits now, at once.
    pub async fn flush(&self, store: &SharedStore) -> Result<(), StoreError> {
        while !self.waiting().is_empty() {
            self.some(store).await?;
        }
        Ok(())
    }

    #[must_use]
    pub fn seen(&self) -> Seen {
        Seen {
            rehashed: self.rehashed.load(Ordering::Relaxed),
            dropped: self.dropped.load(Ordering::Relaxed),
            waiting: self.waiting().len() as u64,
        }
    }

    async fn some(&self, store: &SharedStore) -> Result<(), StoreError> {
        let batch = self.take();
        let count = batch.len() as u64;
        let done = self.commit(store, batch).await;
        let made = *done.as_ref().unwrap_or(&0);
        self.rehashed.fetch_add(made, Ordering::Relaxed);
        if done.is_err() {
            self.dropped.fetch_add(count, Ordering::Relaxed);
        }
        done.map(drop)
    }

    fn take(&self) -> Vec<Stale> {
        let mut waiting = self.waiting();
        let names: Vec<_> = waiting.keys().take(TOGETHER).cloned().collect();
        names.into_iter().filter_map(|name| waiting.remove(&name)).collect()
    }

    fn forget(&self) {
        let forgotten = std::mem::take(&mut *self.waiting()).len();
        self.dropped.fetch_add(forgotten as u64, Ordering::Relaxed);
    }

    /// How many secrets have another digest now. The store is asked first which pepper is in use: whoever was told of another would undo what
    /// others do.
    async fn commit(&self, store: &SharedStore, batch: Vec<Stale>) -> Result<u64, StoreError> {
        let known = store.peppers().await?;
        let newest = pepper::newest(&known).map(|newest| &newest.version);
        let batch: Vec<Stale> = batch.into_iter().filter(|stale| Some(&stale.pepper) == newest).collect();
        match self.together(store, &batch).await {
            // one of them is another key's, or others are at them too: that is not to keep the rest from it
            Err(StoreError::SecretTaken | StoreError::Conflict) => {
                let mut made = 0;
                for stale in batch.chunks(1) {
                    made += match self.together(store, stale).await {
                        Err(StoreError::SecretTaken | StoreError::Conflict) => 0,
                        made => made?,
                    };
                }
                Ok(made)
            }
            made => made,
        }
    }

    async fn together(&self, store: &SharedStore, batch: &[Stale]) -> Result<u64, StoreError> {
        for _ in 0..ATTEMPTS {
            let records = read(store, batch).await?;
            let (mut changes, mut made) = (Vec::new(), 0);
            for before in records {
                let mut after = before.clone();
                made += batch.iter().filter(|stale| stale.is_of(&before)).filter(|stale| stale.renew(&mut after.secrets)).count() as u64;
                if after != before {
                    let expect = Expect::Revision(before.revision);
                    changes.push(Change::Key { record: Record { revision: before.revision + 1, ..after }, expect });
                }
            }
            if changes.is_empty() {
                return Ok(0);
            }
            match store.commit(&self.commit_of(changes)).await {
                Ok(_) => return Ok(made),
                Err(StoreError::Conflict) => {}
                Err(other) => return Err(other),
            }
        }
        Err(StoreError::Conflict)
    }

    fn commit_of(&self, changes: Vec<Change>) -> Commit {
        let subjects = changes.iter().map(|change| format!("realms/{}/keys/{}", change.realm(), change.named().1)).collect();
        let peppers = self.peppers.clone();
        let audit = AuditNote { who: Who::Keyward, from: None, action: "RehashSecrets", subjects, refused: None, peppers };
        Commit { changes, audit, request: None, once: None, needs: Needs::default() }
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<(RealmId, KeyId, u32), Stale>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stale {
    fn is_of(&self, record: &Record) -> bool {
        (&self.realm, &self.key) == (&record.realm, &record.id)
    }

    /// Whether its digest is another now. One that somebody else has changed meanwhile stays as it is.
    fn renew(&self, secrets: &mut [KeptSecret]) -> bool {
        let Some(kept) = secrets.iter_mut().find(|kept| kept.number == self.number && kept.digest == self.found) else { return false };
        (kept.digest, kept.pepper, kept.scheme) = (self.digest, self.pepper.clone(), Scheme::Secret);
        true
    }
}

/// Each key once, those that are there.
async fn read(store: &SharedStore, batch: &[Stale]) -> Result<Vec<Record>, StoreError> {
    let names: BTreeMap<(&str, &str), &Stale> = batch.iter().map(|stale| ((stale.realm.as_str(), stale.key.as_str()), stale)).collect();
    let records = stream::iter(names.into_values().cloned()).map(|stale| {
        let store = store.clone();
        async move { store.key(&stale.realm, &stale.key).await }
    });
    let records: Vec<Option<Record>> = records.buffer_unordered(READS).try_collect().await?;
    Ok(records.into_iter().flatten().collect())
}
