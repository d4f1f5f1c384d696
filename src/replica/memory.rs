//! The memory of records: keys by the digests that were presented, and digests that no key has. Both are bounded, and what the log touches
//! is forgotten before the session acknowledges it. Whether it may be used at all is the session's word.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{OptionsBuilder, UnitWeighter, Weighter};

use super::owners::{Owners, Seen};
use super::session::Remembered;
use super::weight;
use crate::domain::bearer::Bearer;
use crate::domain::key::Digest;
use crate::domain::name::{RealmId, Scope, Word};
use crate::domain::owner::Owner;
use crate::domain::record::Holder;
use crate::domain::time::StoreTime;
use crate::revocation::Touched;

/// How much is remembered, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Of records, with all that belongs to them.
    pub bytes: u64,
    /// Of digests that no key has.
    pub unknown: usize,
    /// A record that was read longer ago is read again: a second net, should the log ever have missed something.
    pub max_age: Duration,
}

/// What one replica remembers of keys.
pub struct Memory {
    keys: Cache<Digest, Key, Weighed, ByDigest>,
    /// Until when each of these digests is taken for nobody's.
    nobodys: Cache<Digest, StoreTime, UnitWeighter, ByDigest>,
    owners: Owners,
    words: Words,
    /// In seconds.
    max_age: u32,
}

/// What is remembered of the presented digests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    Of(Arc<Bearer>),
    /// No key has any of them.
    Nobody,
}

/// How much is remembered now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fullness {
    pub records: u64,
    pub bytes: u64,
    pub unknown: u64,
}

/// In milliseconds. Short: a key that is made elsewhere is found when the log tells of it, or then.
const NOBODYS_FOR: i64 = 2_000;
/// What a small record weighs, to lay the table out by.
const SMALL: u64 = 512;
/// The table is laid out at once for so many: one that grows leaves its former selves behind for a while, and they are as large as itself.
const MOST_AT_ONCE: u64 = 1 << 22;
/// One part of so many is for owners to be shared.
const FOR_OWNERS: u64 = 32;
/// What a shared owner takes there.
const OWNER: u64 = 256;

#[derive(Clone)]
struct Key {
    bearer: Arc<Bearer>,
    /// On the store's clock, in seconds.
    read: u32,
    owner: Seen,
    /// In 16 bytes.
    weight: u16,
}

impl Memory {
    #[must_use]
    pub fn new(bounds: Bounds) -> Arc<Self> {
        let (for_owners, count) = (bounds.bytes / FOR_OWNERS, |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX));
        let for_keys = bounds.bytes - for_owners;
        let mut options = OptionsBuilder::new();
        options.weight_capacity(for_keys).estimated_items_capacity(count(for_keys / SMALL)).ghost_allocation(0.1);
        #[expect(clippy::expect_used, reason = "both capacities are given")]
        let options = options.build().expect("both capacities are given");
        let keys = Cache::with_options(options, Weighed, ByDigest::default(), DefaultLifecycle::default());
        keys.reserve(count((for_keys / SMALL).min(MOST_AT_ONCE)));
        Arc::new(Self {
            keys,
            nobodys: Cache::with(bounds.unknown, bounds.unknown as u64, UnitWeighter, ByDigest::default(), DefaultLifecycle::default()),
            owners: Owners::new(count(for_owners / OWNER).max(16)),
            words: Words::default(),
            max_age: u32::try_from(bounds.max_age.as_secs()).unwrap_or(u32::MAX),
        })
    }

    /// What is remembered of the digests of one secret in a realm. Nobody's are they only if each of them is.
    pub fn find(&self, realm: &RealmId, digests: &[Digest], now: StoreTime) -> Option<Known> {
        self.known((realm, digests, now), |digest| self.keys.get(digest), |digest| self.nobodys.get(digest))
    }

    /// The same, without a trace: what is looked at so is forgotten no later.
    pub fn glance(&self, realm: &RealmId, digests: &[Digest], now: StoreTime) -> Option<Known> {
        self.known((realm, digests, now), |digest| self.keys.peek(digest), |digest| self.nobodys.peek(digest))
    }

    fn known(
        &self,
        (realm, digests, now): (&RealmId, &[Digest], StoreTime),
        key: impl Fn(&Digest) -> Option<Key>,
        nobodys: impl Fn(&Digest) -> Option<StoreTime>,
    ) -> Option<Known> {
        for digest in digests {
            let fresh = |key: &Key| seconds(now).saturating_sub(key.read) < self.max_age && self.owners.unchanged(key.owner);
            if let Some(key) = key(digest).filter(|key| fresh(key) && key.bearer.owner.realm == *realm) {
                return Some(Known::Of(key.bearer));
            }
        }
        let nobodys = |digest| nobodys(digest).is_some_and(|until| now < until);
        (!digests.is_empty() && digests.iter().all(nobodys)).then_some(Known::Nobody)
    }

    /// Whether one of them was a key's the last time that anybody looked, however long ago that is.
    pub fn knew(&self, realm: &RealmId, digests: &[Digest]) -> bool {
        digests.iter().any(|digest| self.keys.peek(digest).is_some_and(|key| key.bearer.owner.realm == *realm))
    }

    /// Whose they are, however long ago that was read: what the log has told of since is not among it.
    pub fn of_any_age(&self, realm: &RealmId, digests: &[Digest]) -> Option<Arc<Bearer>> {
        let known = digests.iter().find_map(|digest| self.keys.get(digest).filter(|key| self.owners.unchanged(key.owner)));
        known.filter(|key| key.bearer.owner.realm == *realm).map(|key| key.bearer)
    }

    /// What a check has to know of a holder that presents a secret of these digests, in as little memory as it can be kept in: what others have
    /// too is shared, and the owner has no name, which is for people. `None`: they are none of its secrets'.
    #[must_use]
    pub fn condense(&self, digests: &[Digest], holder: Holder) -> Option<Arc<Bearer>> {
        let mut bearer = Bearer::presenting(digests, holder)?;
        let (words, owner) = (&self.words, Arc::unwrap_or_clone(bearer.owner));
        let (realm, plan) = (words.realm(&owner.realm), owner.plan.as_ref().map(|plan| words.word(plan)));
        bearer.owner = self.owners.share(Arc::new(Owner { realm, plan, name: String::new(), ..owner }));
        for word in [&mut bearer.environment, &mut bearer.kind, &mut bearer.plan].into_iter().flatten() {
            *word = words.word(word);
        }
        bearer.scopes = words.scopes(&bearer.scopes);
        if let Some(special) = &mut bearer.special {
            special.addresses.0.shrink_to_fit();
        }
        Some(Arc::new(bearer))
    }

    /// Remembers whose these digests are. To be called while nothing can be forgotten.
    pub fn keep(&self, digests: &[Digest], bearer: &Arc<Bearer>, read: StoreTime) {
        let owner = self.owners.see(&bearer.owner.realm, &bearer.owner.id);
        let (read, weight) = (seconds(read), u16::try_from(weight::of(bearer).div_ceil(16)).unwrap_or(u16::MAX));
        for digest in digests {
            self.nobodys.remove(digest);
            self.keys.insert(*digest, Key { bearer: bearer.clone(), read, owner, weight });
        }
    }

    /// Remembers that no key has these digests. To be called while nothing can be forgotten.
    pub fn keep_nobodys(&self, digests: &[Digest], now: StoreTime) {
        for digest in digests {
            self.keys.remove(digest);
            self.nobodys.insert(*digest, StoreTime(now.0 + NOBODYS_FOR));
        }
    }

    pub fn fullness(&self) -> Fullness {
        Fullness { records: self.keys.len() as u64, bytes: self.keys.weight(), unknown: self.nobodys.len() as u64 }
    }
}

impl Remembered for Memory {
    fn forget(&self, touched: &Touched) {
        match touched {
            Touched::Key { digests, .. } | Touched::NewKeys { digests } => {
                for digest in digests {
                    self.keys.remove(digest);
                    self.nobodys.remove(digest);
                }
            }
            Touched::Owner { realm, id } => self.owners.changed(realm, id),
            Touched::NewOwners { realm, ids } => ids.iter().for_each(|id| self.owners.changed(realm, id)),
            Touched::Anything => self.forget_all(),
        }
    }

    /// What was remembered stays where it is, good for nothing, until other things need its place: to clear it would hold the log up.
    fn forget_all(&self) {
        self.owners.all_changed();
        self.nobodys.clear();
    }
}

/// Whole seconds, which are enough for an age.
fn seconds(time: StoreTime) -> u32 {
    u32::try_from(time.0 / 1000).unwrap_or(0)
}

/// A record's own word on how much it takes.
#[derive(Clone)]
struct Weighed;

impl Weighter<Digest, Key> for Weighed {
    fn weight(&self, _: &Digest, key: &Key) -> u64 {
        u64::from(key.weight) * 16
    }
}

/// Words that many records have, each kept once, as long as there are not too many of them.
#[derive(Default)]
struct Words {
    realms: Mutex<HashSet<RealmId>>,
    others: Mutex<HashSet<Word>>,
    scopes: Mutex<HashSet<Scope>>,
    lists: Mutex<HashSet<Arc<[Scope]>>>,
}

const MOST_WORDS: usize = 4096;

impl Words {
    fn realm(&self, realm: &RealmId) -> RealmId {
        once(&self.realms, realm)
    }

    fn word(&self, word: &Word) -> Word {
        once(&self.others, word)
    }

    /// Many keys may do the same.
    fn scopes(&self, scopes: &[Scope]) -> Arc<[Scope]> {
        once(&self.lists, &scopes.iter().map(|scope| once(&self.scopes, scope)).collect())
    }
}

fn once<T: Clone + Eq + Hash>(known: &Mutex<HashSet<T>>, word: &T) -> T {
    let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = known.get(word) {
        return known.clone();
    }
    if known.len() < MOST_WORDS {
        known.insert(word.clone());
    }
    word.clone()
}

/// A digest is as good as random, so any eight bytes of it are its hash: whoever could choose them would have the pepper.
pub(super) type ByDigest = BuildHasherDefault<FirstBytes>;

#[derive(Default)]
pub(super) struct FirstBytes(u64);

impl Hasher for FirstBytes {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    /// The length that stands before an array's bytes.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}
