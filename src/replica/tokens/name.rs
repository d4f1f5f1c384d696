//! Which purse.

use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher, RandomState};

use crate::domain::name::{KeyId, RealmId, Word};

/// A key's, under the plan of the format that it was presented in. Hashed once, for its shard and its place in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    hash: u64,
    of: (RealmId, KeyId, Option<Word>),
}

/// Takes a name's hash for what it is.
pub(super) type Hashed = BuildHasherDefault<AsItIs>;

#[derive(Default)]
pub(super) struct AsItIs(u64);

impl Name {
    pub(super) fn new(hash: &RandomState, realm: &RealmId, key: &KeyId, plan: Option<&Word>) -> Self {
        let of = (realm.clone(), key.clone(), plan.cloned());
        Self { hash: hash.hash_one(&of), of }
    }

    /// Which of so many shards.
    pub(super) fn shard(&self, shards: usize) -> usize {
        // the lowest bits choose the place in its table
        usize::try_from(self.hash >> 32).unwrap_or(0) % shards
    }
}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl Hasher for AsItIs {
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0 << 8 ^ u64::from(*byte);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
