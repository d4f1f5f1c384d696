//! Owners, as the memory of records keeps them: an owner's keys share what is known of it, and a change of it is told to all of them at once,
//! however many they are.
//!
//! Nothing is kept per owner to tell it by. An owner has one of 65 536 numbers, and each record remembers what its owner's number was; when
//! the log touches the owner its number goes up, and no record of it is good any more. Now and then two owners have one number: then
//! a few records are read again for nothing.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use quick_cache::sync::Cache;

use crate::domain::name::{OwnerId, RealmId};
use crate::domain::owner::Owner;

const NUMBERS: usize = 1 << 16;

/// What is known of owners.
pub(super) struct Owners {
    numbers: Box<[AtomicU32]>,
    hashes: RandomState,
    /// Owners that were read lately, to be shared by their keys. What has no room here is shared by none, and as good.
    shared: Cache<(RealmId, OwnerId), Arc<Owner>>,
}

/// An owner's number when a record of it was remembered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    number: u32,
    slot: u16,
}

impl Owners {
    /// Shares as many owners as `shared`.
    pub(super) fn new(shared: usize) -> Self {
        let numbers = std::iter::repeat_with(AtomicU32::default).take(NUMBERS).collect();
        Self { numbers, hashes: RandomState::new(), shared: Cache::new(shared) }
    }

    /// The same owner as its other keys have, unless it has changed.
    pub(super) fn share(&self, owner: Arc<Owner>) -> Arc<Owner> {
        let id = (owner.realm.clone(), owner.id.clone());
        match self.shared.get(&id) {
            Some(known) if known == owner => known,
            _ => {
                self.shared.insert(id, owner.clone());
                owner
            }
        }
    }

    /// What a record of this owner has to remember.
    pub(super) fn see(&self, realm: &RealmId, id: &OwnerId) -> Seen {
        let slot = self.slot(realm, id);
        Seen { number: self.number(slot), slot }
    }

    /// Whether no change of the owner has been told since.
    pub(super) fn unchanged(&self, seen: Seen) -> bool {
        self.number(seen.slot) == seen.number
    }

    /// Tells a change of an owner. It is seen by whoever asks after this has returned.
    pub(super) fn changed(&self, realm: &RealmId, id: &OwnerId) {
        self.numbers[usize::from(self.slot(realm, id))].fetch_add(1, Ordering::Release);
        self.shared.remove(&(realm.clone(), id.clone()));
    }

    /// Tells that anything may have changed.
    pub(super) fn all_changed(&self) {
        for number in &self.numbers {
            number.fetch_add(1, Ordering::Release);
        }
        self.shared.clear();
    }

    fn number(&self, slot: u16) -> u32 {
        self.numbers[usize::from(slot)].load(Ordering::Acquire)
    }

    #[allow(clippy::cast_possible_truncation, reason = "any sixteen bits of a hash will do")]
    fn slot(&self, realm: &RealmId, id: &OwnerId) -> u16 {
        self.hashes.hash_one((realm, id)) as u16
    }
}
