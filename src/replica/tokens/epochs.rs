//! When the log last touched a key or an owner, so that nobody spends tokens by what was known of them before.
//!
//! A check reads the epoch before it looks for the record, and again at the moment of spending. The log's entry is applied (the record
//! forgotten first, then its epoch raised) before it is acknowledged: so whoever spends by the older record has done so before the call that
//! changed it returns.
//!
//! Why it holds. Let a check have found the older record. It was found before the entry made the memory forget it, or in a look-up that was
//! judged before that; the check's epoch `e` was read before either, and so before the entry raised its place. A raise puts the place one above
//! the greatest epoch that was there to be read by then, hence above `e`, whatever else is raised at the same time: epochs never go down. From
//! then on the check does not stand. So if it stood when it spent, it spent before the place was raised, hence before the entry was
//! acknowledged. An entry that never comes, as when the log cannot be followed, costs the replica its lease, and who changes something waits
//! for that; so the lease is looked at too, and before the place is: one that lasts after the change was made known elsewhere lasts only
//! because the entry was applied here.
//!
//! A check that begins after a raise stands: it reads an epoch that is no lower than the place. One that begins within a raise may look again.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::domain::bearer::Bearer;
use crate::domain::name::{KeyId, OwnerId, RealmId};
use crate::revocation::Touched;

/// An instant in the life of a replica's knowledge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Epoch(u64);

/// Keys and owners, many in one place: to be touched with another is to be looked up once more.
pub(super) struct Epochs {
    now: AtomicU64,
    places: Box<[AtomicU64]>,
    hash: RandomState,
}

const PLACES: usize = 1 << 14;

impl Epochs {
    pub(super) fn new() -> Self {
        Self { now: AtomicU64::new(1), places: (0..PLACES).map(|_| AtomicU64::new(0)).collect(), hash: RandomState::new() }
    }

    pub(super) fn now(&self) -> Epoch {
        Epoch(self.now.load(Ordering::SeqCst))
    }

    /// Whether nothing was told of this key or its owner since.
    pub(super) fn stands(&self, since: Epoch, bearer: &Bearer) -> bool {
        let owner = &bearer.owner;
        let places = [self.of_key(&owner.realm, &bearer.key), self.of_owner(&owner.realm, &owner.id)];
        places.iter().all(|place| place.load(Ordering::SeqCst) <= since.0)
    }

    pub(super) fn touch(&self, touched: &Touched) {
        match touched {
            Touched::Key { realm, id, .. } => self.raise(self.of_key(realm, id)),
            Touched::Owner { realm, id } => self.raise(self.of_owner(realm, id)),
            Touched::NewOwners { realm, ids } => ids.iter().for_each(|id| self.raise(self.of_owner(realm, id))),
            // whoever has tokens has been there before; one that was removed and is there again was told of when it was removed
            Touched::NewKeys { .. } => {}
            Touched::Anything => self.touch_all(),
        }
    }

    pub(super) fn touch_all(&self) {
        self.places.iter().for_each(|place| self.raise(place));
    }

    /// The place is raised before the epoch: who reads the new epoch knows of it.
    fn raise(&self, place: &AtomicU64) {
        let next = self.now.load(Ordering::SeqCst) + 1;
        place.fetch_max(next, Ordering::SeqCst);
        self.now.fetch_max(next, Ordering::SeqCst);
    }

    fn of_key(&self, realm: &RealmId, id: &KeyId) -> &AtomicU64 {
        self.place(&("key", realm, id))
    }

    fn of_owner(&self, realm: &RealmId, id: &OwnerId) -> &AtomicU64 {
        self.place(&("owner", realm, id))
    }

    fn place(&self, name: &impl std::hash::Hash) -> &AtomicU64 {
        let at = usize::try_from(self.hash.hash_one(name)).unwrap_or(0) % PLACES;
        &self.places[at]
    }
}
