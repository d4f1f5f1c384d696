//! Who holds a lease, and the log's durable head: what a change is told that it stands on. All of it lives and ends with this process, as do
//! the leases: an embedded store has no other replicas than its own.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::domain::name::Word;
use crate::revocation::{At, Firmness, Footing, Holder, Level, Registration, Registry, Renewal, Standing, Whole};
use crate::store::Knows;

/// The holders, and the head.
pub(super) struct Leases {
    held: Mutex<Held>,
    head: watch::Sender<At>,
    /// Tells this process's store from the one before it.
    primary: Box<str>,
}

#[derive(Default)]
struct Held {
    registry: Registry,
    /// Which peppers the holders have.
    known: BTreeMap<Holder, Vec<Word>>,
    longest: Duration,
}

impl Leases {
    /// `drawn`: a random number.
    pub(super) fn new(head: At, drawn: u64) -> Self {
        Self { held: Mutex::default(), head: watch::Sender::new(head), primary: format!("{drawn:016x}").into() }
    }

    /// Registers a renewal. How far its holder has applied the log is acknowledged apart, once it is known to be of this log.
    pub(super) fn renew(&self, renewal: &Renewal) {
        let mut held = self.held();
        held.registry.renew(&renewal.holder, renewal.number, 0, renewal.terms.lease);
        held.longest = held.longest.max(renewal.terms.lease);
    }

    /// Notes which peppers a replica has, as if it held a lease already. Those of its peppers that everyone who holds one has.
    pub(super) fn know(&self, knows: &Knows) -> Vec<Word> {
        let mut held = self.held();
        held.registry.renew(&knows.replica, 0, 0, knows.lease);
        held.known.insert(knows.replica.clone(), knows.versions.clone());
        let holders = held.registry.holders();
        held.known.retain(|known, _| holders.iter().any(|(holder, _)| holder == known));
        let has = |holder: &Holder, version| held.known.get(holder).is_some_and(|versions| versions.contains(version));
        knows.versions.iter().filter(|version| holders.iter().all(|(holder, _)| has(holder, version))).cloned().collect()
    }

    /// `position`: of a place that is in the log.
    pub(super) fn acknowledge(&self, holder: &Holder, position: u64) {
        self.held().registry.acknowledge(holder, position);
    }

    pub(super) fn dismiss(&self, holder: &Holder, renewals: u64) {
        self.held().registry.dismiss(holder, renewals);
    }

    pub(super) fn holders(&self) -> Vec<(Holder, Registration)> {
        self.held().registry.holders()
    }

    pub(super) fn longest(&self) -> Duration {
        self.held().longest
    }

    /// One node, on whose disk everything is that anybody is told. Leases of the process before it have ended with that.
    pub(super) fn footing(&self) -> Footing {
        Footing { primary: self.primary.clone(), whole: Whole::Whole, level: Level::Single, vouched: Firmness::Firm }
    }

    /// What stands on the log up to `at`, which must be durable: whoever renewed before that does not know of it is among the holders.
    pub(super) fn standing(&self, at: At) -> Standing {
        Standing { at, level: Level::Single, footing: self.footing(), holders: self.holders(), longest: self.longest() }
    }

    /// The last entry that is on the disk.
    pub(super) fn head(&self) -> At {
        *self.head.borrow()
    }

    /// The log is on the disk up to here.
    pub(super) fn reached(&self, head: At) {
        self.head.send_if_modified(|known| std::mem::replace(known, head) != head);
    }

    /// Tells whenever the log has become longer.
    pub(super) fn watch(&self) -> watch::Receiver<At> {
        self.head.subscribe()
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
