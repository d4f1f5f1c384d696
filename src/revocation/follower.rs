//! The replica's side: what it remembers of records may be used while it holds a lease, and the lease is extended only by applying all of the
//! store's log.

use std::collections::BTreeMap;
use std::time::Duration;

use super::entry::{At, Entry, Touched};
use super::obligation::{Keeps, Obligation};
use super::recent::Recent;
use super::registry::{Holder, Registration};
use super::renewal::{Log, Pushed, Renewal, Renewed};
use super::terms::Terms;
use crate::domain::key::Digest;
use crate::domain::name::{OwnerId, RealmId};
use crate::domain::time::BootTime;

/// What a replica remembers of records.
pub trait Memory {
    /// Forgets what an entry touches, before it returns.
    fn forget(&mut self, touched: &Touched);
    fn forget_all(&mut self);
}

/// One life of one replica.
#[derive(Debug)]
pub struct Follower {
    keeps: Keeps,
    terms: Terms,
    holder: Holder,
    /// The log as it was applied; `None`: nothing is known, so the next renewal jumps to its end.
    log: Option<Recent>,
    /// The last place that was heard to be secured: whatever its change promised was promised to somebody.
    secured: At,
    /// On the boot clock.
    lease_until: Option<BootTime>,
    /// How many renewals were asked for.
    asked: u64,
    /// The longest lease that was ever heard of.
    longest: Terms,
    /// Whether the secured place was not in the store's log when it was last asked.
    rolled_back: bool,
    /// Other holders, with the number of their renewals, and since when it stands still.
    watched: BTreeMap<Holder, (Registration, BootTime)>,
}

/// A renewal that is on its way. Its lease counts from before it was sent.
#[derive(Debug, Clone)]
pub struct Asked {
    sent: BootTime,
    pub renewal: Renewal,
}

/// A record as it was read from the store, or that there is none.
#[derive(Debug, Clone, Copy)]
pub struct Read<'a> {
    /// The log's head when it was read, or before.
    pub at: At,
    /// When the store was asked.
    pub asked: BootTime,
    pub realm: &'a RealmId,
    /// Those that were looked up, and those of the record.
    pub digests: &'a [Digest],
    /// Whose record it is; `None`: there is none.
    pub owner: Option<&'a OwnerId>,
}

/// What a record that was read is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fill {
    /// It may be used, and remembered.
    Sound,
    /// The log has not been applied up to where it was read: apply it, and judge again.
    Ahead,
    /// It may have changed since: read it again.
    Stale,
}

impl Follower {
    #[must_use]
    pub fn new(keeps: Keeps, terms: Terms, holder: Holder) -> Self {
        let incarnation = if keeps.keeps(Obligation::IncarnationsDiffer) { holder.incarnation } else { 0 };
        let holder = Holder { incarnation, ..holder };
        Self {
            keeps,
            terms,
            holder,
            log: None,
            secured: At::default(),
            lease_until: None,
            asked: 0,
            longest: terms,
            rolled_back: false,
            watched: BTreeMap::new(),
        }
    }

    /// Begins a renewal at `now`, which must be read before anything is sent.
    #[must_use]
    pub fn ask(&mut self, now: BootTime) -> Asked {
        self.asked += 1;
        let (holder, number, terms) = (self.holder.clone(), self.asked, self.terms);
        let renewal = Renewal { holder, number, terms, applied: self.applied(), secured: self.secured };
        Asked { sent: now, renewal }
    }

    /// Applies the answer to a renewal, which came at `now`: first the log, then the lease. It may be lost, repeated, or come
    /// late: only the newest renewal's is heard, because the store may have served them in another order, and the log must not be taken back.
    pub fn renewed(&mut self, asked: &Asked, answer: &Renewed, now: BootTime, memory: &mut impl Memory) {
        self.longest.lease = self.longest.lease.max(answer.longest);
        if asked.renewal.number != self.asked {
            return;
        }
        self.watch(&answer.holders, now);
        match &answer.log {
            Log::Entries { entries, head } => {
                if asked.renewal.applied.is_some_and(|applied| self.has(applied)) {
                    self.apply_all(entries, memory);
                }
                if !self.has(*head) {
                    return;
                }
            }
            // pushes have brought as much meanwhile, or more
            Log::Jump { head } if self.has(*head) => {}
            Log::Jump { head } | Log::Lost { head } => {
                memory.forget_all();
                self.log = Some(Recent::from(*head));
            }
            Log::RolledBack { .. } => {
                memory.forget_all();
                // the place is kept: another copy that is put back may lack it too
                (self.log, self.lease_until, self.rolled_back) = (None, None, true);
                return;
            }
        }
        if std::mem::take(&mut self.rolled_back) {
            self.secured = answer.secured;
        }
        self.promised(answer.secured);
        let from = if self.keeps.keeps(Obligation::LeaseCountsFromSending) { asked.sent } else { now };
        self.lease_until = self.lease_until.max(Some(BootTime(from.0 + self.terms.held())));
    }

    /// Applies what the store pushed, which follows `after` in its log, and tells the place that is to be acknowledged now, if that is news.
    /// Pushes may be lost, repeated, or come late.
    pub fn pushed(&mut self, after: At, pushed: &Pushed, memory: &mut impl Memory) -> Option<At> {
        if !self.has(after) {
            return None;
        }
        let before = self.acknowledges();
        self.apply_all(&pushed.entries, memory);
        self.promised(pushed.secured);
        self.acknowledges().filter(|place| Some(*place) != before)
    }

    /// The last place that it has applied and knows to be secured. Whoever restricts takes it for the word of one who would know if that were
    /// lost: what is applied and not secured may be lost without anybody's asking.
    #[must_use]
    pub fn acknowledges(&self) -> Option<At> {
        let applied = self.applied()?;
        Some(if self.secured.position < applied.position { self.secured } else { applied })
    }

    /// The last place that is known to be secured.
    #[must_use]
    pub fn secured(&self) -> At {
        self.secured
    }

    /// Whether something is applied that is not known to be secured.
    #[must_use]
    pub fn is_unsecured(&self) -> bool {
        self.acknowledges() != self.applied()
    }

    /// Takes note of a place that was promised to somebody.
    pub fn promised(&mut self, place: At) {
        if place.position > self.secured.position {
            self.secured = place;
        }
    }

    /// Gives up the lease, for good: who held it, and the number of the last renewal that was asked for.
    pub fn leave(&mut self) -> (Holder, u64) {
        (self.log, self.lease_until) = (None, None);
        (self.holder.clone(), self.asked)
    }

    /// Whether what is remembered may be used. To be asked before it is looked at, and of what was read anew after it has come.
    #[must_use]
    pub fn admits(&self, now: BootTime) -> bool {
        self.lease_until.is_some_and(|until| now < until)
    }

    /// Until when.
    #[must_use]
    pub fn lease_until(&self) -> Option<BootTime> {
        self.lease_until
    }

    /// Up to where the log is applied.
    #[must_use]
    pub fn applied(&self) -> Option<At> {
        self.log.as_ref().map(Recent::head)
    }

    /// Judges what was read. What it calls sound must be put into the memory before anything else is applied. An answer that took a whole
    /// lease may be of a primary that nobody follows any more.
    #[must_use]
    pub fn judge(&self, read: &Read<'_>, now: BootTime) -> Fill {
        if !self.keeps.keeps(Obligation::LateFillsAreRefused) {
            return Fill::Sound;
        }
        let Some(log) = &self.log else { return Fill::Stale };
        if now.0.saturating_sub(read.asked.0) >= self.terms.held() {
            return Fill::Stale;
        }
        if read.at.position > log.head().position {
            return Fill::Ahead;
        }
        let unchanged = log.after(read.at).is_some_and(|mut later| !later.any(|touched| read.is(touched)));
        if unchanged { Fill::Sound } else { Fill::Stale }
    }

    /// Holders whose leases have ended: to be dismissed, unless they have renewed meanwhile.
    #[must_use]
    pub fn overdue(&self, now: BootTime) -> Vec<(Holder, u64)> {
        let ended = |registration: &Registration, since: &BootTime| {
            let terms = Terms { lease: registration.lease };
            let long = if self.keeps.keeps(Obligation::RegistryOutlastsTheLease) { terms.waited() } else { terms.lease / 2 };
            now.0.saturating_sub(since.0) >= long
        };
        let overdue = self.watched.iter().filter(|(_, (registration, since))| ended(registration, since));
        overdue.map(|(holder, (registration, _))| (holder.clone(), registration.renewals)).collect()
    }

    /// The longest lease that anybody may hold, where the store has told of one so long: a store that went back may know only of shorter ones.
    #[must_use]
    pub fn longest(&self, told: Duration) -> Terms {
        Terms { lease: self.longest.lease.max(told) }
    }

    /// Whether a place is in the log as it was applied.
    fn has(&self, at: At) -> bool {
        self.log.as_ref().is_some_and(|log| log.after(at).is_some())
    }

    fn apply_all(&mut self, entries: &[Entry], memory: &mut impl Memory) {
        for entry in entries {
            self.apply(entry, memory);
        }
    }

    fn apply(&mut self, entry: &Entry, memory: &mut impl Memory) {
        let Some(log) = &mut self.log else { return };
        let next = log.head().position + 1;
        if entry.at.position >= next {
            memory.forget(&entry.touched);
        }
        if entry.at.position == next {
            log.push(entry);
        } else if log.contradicts(entry.at) {
            // of another log: which of the two is the store's the next renewal tells
            memory.forget_all();
            self.log = None;
        }
    }

    fn watch(&mut self, holders: &[(Holder, Registration)], now: BootTime) {
        let mut before = std::mem::take(&mut self.watched);
        for (holder, registration) in holders.iter().filter(|(holder, _)| *holder != self.holder) {
            let still =
                before.remove(holder).filter(|(seen, _)| seen.renewals == registration.renewals && seen.lease == registration.lease);
            let since = still.map_or(now, |(_, since)| since);
            self.watched.insert(holder.clone(), (*registration, since));
        }
    }
}

impl Asked {
    /// When: before anything was sent.
    #[must_use]
    pub fn sent(&self) -> BootTime {
        self.sent
    }
}

impl Read<'_> {
    /// Whether it is what an entry touched.
    fn is(&self, touched: &Touched) -> bool {
        match touched {
            Touched::Key { digests, .. } | Touched::NewKeys { digests } => digests.iter().any(|digest| self.digests.contains(digest)),
            Touched::Owner { realm, id } => realm == self.realm && Some(id) == self.owner,
            Touched::NewOwners { realm, ids } => realm == self.realm && self.owner.is_some_and(|owner| ids.contains(owner)),
            Touched::Anything => true,
        }
    }
}
