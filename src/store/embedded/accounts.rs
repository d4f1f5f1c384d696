//! All accounts, and the hold on a grant that gives it back when its caller has gone.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::account::{Account, By, Purses};
use super::clock::Moment;
use crate::domain::name::{OwnerId, RealmId};
use crate::store::{Charge, Return, SubjectName, Taken};

/// Whose account.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Name {
    realm: RealmId,
    owner: OwnerId,
}

/// Every account that holds something. A lock is held for a few instructions and never over a read or a write of the disk.
pub(super) struct Accounts {
    shards: Vec<Mutex<HashMap<Name, Account>>>,
    hasher: RandomState,
    ids: AtomicU64,
}

const SHARDS: usize = 64;

/// An answer on its way. Dropped before it is kept, what it granted goes back into its block.
pub(super) struct Held {
    taken: Taken,
    undo: Option<Undo>,
}

struct Undo {
    accounts: Arc<Accounts>,
    whose: SubjectName,
    block: u64,
    tokens: u32,
}

impl Default for Accounts {
    fn default() -> Self {
        let shards = std::iter::repeat_with(Mutex::default).take(SHARDS).collect();
        Self { shards, hasher: RandomState::new(), ids: AtomicU64::new(1) }
    }
}

impl Accounts {
    /// Answers a charge from memory, where nothing has to be asked of the disk.
    pub(super) fn answer(self: &Arc<Self>, charge: &Charge, at: Moment, by: By) -> Option<Held> {
        let whose = &charge.subjects.first().filter(|_| charge.returns.is_empty())?.name;
        let (taken, block) = self.with(&Name::of(whose), |account| account.answer(charge, at, by)).flatten()?;
        let undo = |block| Undo { accounts: self.clone(), whose: whose.clone(), block, tokens: charge.cost };
        Some(Held { taken, undo: block.map(undo) })
    }

    /// Works on an account that is there.
    pub(super) fn with<T>(&self, name: &Name, work: impl FnOnce(&mut Account) -> T) -> Option<T> {
        let mut shard = self.shard(name);
        let account = shard.get_mut(name)?;
        let done = work(account);
        if account.is_empty() {
            shard.remove(name);
        }
        Some(done)
    }

    /// Works on an account, a new one where there is none.
    pub(super) fn open<T>(&self, name: &Name, work: impl FnOnce(&mut Account) -> T) -> T {
        let mut shard = self.shard(name);
        let account = shard.entry(name.clone()).or_default();
        let done = work(account);
        if account.is_empty() {
            shard.remove(name);
        }
        done
    }

    /// Forgets an account whose transaction failed. What it held stays counted, or never was.
    pub(super) fn forget(&self, name: &Name) {
        self.shard(name).remove(name);
    }

    /// Takes what is unspent out of every account.
    pub(super) fn drain(&self) -> Vec<Return> {
        let drained = self.shards.iter().map(|shard| std::mem::take(&mut *lock(shard)));
        drained.flat_map(|accounts| accounts.into_values().flat_map(|mut account| account.reclaim(Purses::All))).collect()
    }

    /// A number that was not given before.
    pub(super) fn next_id(&self) -> u64 {
        self.ids.fetch_add(1, Ordering::Relaxed)
    }

    fn shard(&self, name: &Name) -> MutexGuard<'_, HashMap<Name, Account>> {
        let hash = usize::try_from(self.hasher.hash_one(name) % SHARDS as u64).unwrap_or(0);
        lock(&self.shards[hash])
    }
}

impl Name {
    pub(super) fn of(subject: &SubjectName) -> Self {
        Self { realm: subject.realm.clone(), owner: subject.owner.clone() }
    }
}

impl Held {
    /// An answer with nothing to give back.
    pub(super) fn plain(taken: Taken) -> Self {
        Self { taken, undo: None }
    }

    /// Tokens that were counted with this block.
    pub(super) fn granted(accounts: &Arc<Accounts>, whose: &SubjectName, block: u64, taken: Taken) -> Self {
        let tokens = if let Taken::Granted { tokens, .. } = &taken { *tokens } else { 0 };
        let undo = Undo { accounts: accounts.clone(), whose: whose.clone(), block, tokens };
        Self { taken, undo: Some(undo) }
    }

    /// The caller has it: from now on the tokens are theirs.
    pub(super) fn keep(mut self) -> Taken {
        if let Some(undo) = &mut self.undo {
            undo.tokens = 0;
        }
        self.taken
    }
}

impl Drop for Undo {
    fn drop(&mut self) {
        if self.tokens > 0 {
            self.accounts.with(&Name::of(&self.whose), |account| account.give_back(&self.whose, self.block, self.tokens));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
