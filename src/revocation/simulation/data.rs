//! What one node of the store holds, and the operations that change it. A primary's operations are what its replicas apply.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use super::names::{self, Change, KEYS, OWNERS};
use crate::revocation::{At, Entry, Holder, Log, Mark, Registry, Renewal};

/// An operation, as it is replicated.
#[derive(Debug, Clone)]
pub(super) enum Op {
    Commit(Change, Mark),
    Renew {
        holder: Holder,
        number: u64,
        applied: u64,
        lease: Duration,
    },
    Acknowledge(Holder, u64),
    Dismiss(Holder, u64),
    Secure(At),
    /// Some replica has seen this primary for long enough.
    Vouch(Box<str>),
    RollBack,
    Resume(u64),
    /// Something that has an offset and changes nothing.
    Touch,
}

/// Everything that one node holds.
#[derive(Debug, Clone)]
pub(super) struct Data {
    /// So many entries are kept, ...
    keep: usize,
    /// ... and those up to here are trimmed away.
    pub(super) floor: u64,
    log: VecDeque<Rc<Entry>>,
    pub(super) head: At,
    pub(super) secured: At,
    pub(super) rolled_back: bool,
    pub(super) vouched: Option<Box<str>>,
    /// What was lost up to here an operator has written off.
    written_off: u64,
    pub(super) registry: Registry,
    pub(super) longest: Duration,
    revoked: [bool; KEYS],
    rotated: [bool; KEYS],
    disabled: [bool; OWNERS],
    /// How many operations it has seen.
    pub(super) offset: u64,
}

/// What is found of a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    Nothing,
    /// A record that opens, or does not.
    Open,
    Shut,
}

impl Data {
    pub(super) fn new(keep: usize) -> Self {
        Self {
            keep,
            floor: 0,
            log: VecDeque::new(),
            head: At::default(),
            secured: At::default(),
            rolled_back: false,
            vouched: None,
            written_off: 0,
            registry: Registry::default(),
            longest: Duration::ZERO,
            revoked: [false; KEYS],
            rotated: [false; KEYS],
            disabled: [false; OWNERS],
            offset: 0,
        }
    }

    pub(super) fn apply(&mut self, op: &Op) {
        self.offset += 1;
        match op {
            Op::Commit(change, mark) => self.commit(*change, *mark),
            Op::Renew { holder, number, applied, lease } => {
                self.longest = self.longest.max(*lease);
                self.registry.renew(holder, *number, *applied, *lease);
            }
            Op::Acknowledge(holder, position) => self.registry.acknowledge(holder, *position),
            Op::Dismiss(holder, renewals) => self.registry.dismiss(holder, *renewals),
            Op::Secure(at) => {
                if at.position > self.secured.position {
                    self.secured = *at;
                }
            }
            Op::Vouch(primary) => self.vouched = Some(primary.clone()),
            Op::RollBack => self.rolled_back = true,
            Op::Resume(lost) => {
                (self.rolled_back, self.written_off, self.secured) = (false, *lost, self.head);
            }
            Op::Touch => {}
        }
    }

    fn commit(&mut self, change: Change, mark: Mark) {
        match change {
            Change::Revoke(key) => self.revoked[key] = true,
            Change::Rotate(key) => self.rotated[key] = true,
            Change::Disable(owner) => self.disabled[owner] = true,
            Change::Enable(owner) => self.disabled[owner] = false,
            Change::Rename(_) => {}
        }
        self.head = At { position: self.head.position + 1, mark };
        self.log.push_back(Rc::new(Entry { at: self.head, touched: names::touched(change), restricting: change.restricts() }));
        while self.log.len() > self.keep {
            self.log.pop_front();
            self.floor += 1;
        }
    }

    /// Whether the change was made already.
    pub(super) fn has(&self, change: Change) -> bool {
        match change {
            Change::Revoke(key) => self.revoked[key],
            Change::Rotate(key) => self.rotated[key],
            Change::Disable(owner) => self.disabled[owner],
            Change::Enable(owner) => !self.disabled[owner],
            Change::Rename(_) => false,
        }
    }

    pub(super) fn find(&self, digest: usize) -> Found {
        let key = names::key_of(digest);
        let gone = self.rotated[key] && digest.is_multiple_of(2);
        match (gone, self.revoked[key] || self.disabled[names::owner_of(key)]) {
            (true, _) => Found::Nothing,
            (_, true) => Found::Shut,
            _ => Found::Open,
        }
    }

    /// How often a holder has renewed, as far as the registry tells.
    pub(super) fn renewals(&self, holder: &Holder) -> u64 {
        self.registry.holders().iter().find(|(other, _)| other == holder).map_or(0, |(_, entry)| entry.renewals)
    }

    pub(super) fn holds(&self, at: At) -> bool {
        self.mark(at.position) == Some(at.mark)
    }

    /// Whether a place that was secured is gone from this log.
    pub(super) fn betrays(&self, secured: At) -> bool {
        secured.position > self.floor && secured.position > self.written_off && !self.holds(secured)
    }

    /// Whether an operator has written off what was lost up to here, or further.
    pub(super) fn is_written_off(&self, position: u64) -> bool {
        position <= self.written_off
    }

    /// What a renewal is told; so many entries at once.
    pub(super) fn answer(&self, renewal: &Renewal, page: usize) -> Log {
        let head = self.head;
        match renewal.applied {
            _ if self.rolled_back => Log::RolledBack { head },
            None => Log::Jump { head },
            Some(applied) if self.holds(applied) => Log::Entries { entries: self.after(applied.position, page), head },
            Some(applied) if applied.position <= self.floor => Log::Jump { head },
            Some(_) => Log::Lost { head },
        }
    }

    /// The entries after a position, as a stream is read: whatever stands at that position itself.
    pub(super) fn after(&self, position: u64, page: usize) -> Vec<Entry> {
        let skip = position.saturating_sub(self.floor) as usize;
        self.log.iter().skip(skip).take(page).map(|entry| (**entry).clone()).collect()
    }

    fn mark(&self, position: u64) -> Option<Mark> {
        if position == self.head.position {
            return Some(self.head.mark);
        }
        if position == 0 && self.floor == 0 {
            return Some(Mark::default());
        }
        let nth = position.checked_sub(self.floor + 1)?;
        self.log.get(nth as usize).map(|entry| entry.at.mark)
    }
}
