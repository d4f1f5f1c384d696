//! What a store of the protocol holds and answers, without a store.

use std::collections::BTreeSet;
use std::time::Duration;

use keyward::revocation::{At, Entry, Holder, Log, Registration, Registry, Renewal};

/// All of it. A copy is a backup.
#[derive(Debug, Clone, Default)]
pub(super) struct Model {
    /// From position 1 on.
    entries: Vec<Entry>,
    /// So many of them are gone.
    trimmed: usize,
    registry: Registry,
    pub(super) longest: Duration,
    pub(super) secured: At,
    rolled_back: BTreeSet<String>,
    abandoned: BTreeSet<String>,
}

/// Where a place stands.
#[derive(PartialEq)]
enum Stands {
    Here,
    Gone,
    Elsewhere,
}

impl Model {
    pub(super) fn head(&self) -> At {
        self.entries.last().map_or_else(At::default, |entry| entry.at)
    }

    /// Every place that there ever was in this log.
    pub(super) fn places(&self) -> impl Iterator<Item = At> {
        std::iter::once(At::default()).chain(self.entries.iter().map(|entry| entry.at))
    }

    pub(super) fn commit(&mut self, entries: &[Entry]) {
        self.entries.extend_from_slice(entries);
    }

    /// Keeps the newest entries only.
    pub(super) fn trim(&mut self, kept: usize) {
        self.trimmed = self.trimmed.max(self.entries.len().saturating_sub(kept));
    }

    pub(super) fn renew(&mut self, renewal: &Renewal) -> Log {
        let stands = renewal.applied.map(|applied| (applied, self.stands(applied)));
        let here = stands.iter().find(|(_, stands)| *stands == Stands::Here).map(|(applied, _)| *applied);
        self.registry.renew(&renewal.holder, renewal.number, here.map_or(0, |_| renewal.acknowledges()), renewal.terms.lease);
        self.longest = self.longest.max(renewal.terms.lease);
        let secured = renewal.secured.to_string();
        if self.stands(renewal.secured) == Stands::Elsewhere && !self.abandoned.contains(&secured) {
            self.rolled_back.insert(secured);
        }
        let head = self.head();
        match stands {
            _ if !self.rolled_back.is_empty() => Log::RolledBack { head },
            Some((applied, Stands::Here)) => {
                let entries = self.entries.iter().filter(|entry| entry.at.position > applied.position).cloned().collect();
                Log::Entries { entries, head }
            }
            Some((_, Stands::Elsewhere)) => Log::Lost { head },
            Some((_, Stands::Gone)) | None => Log::Jump { head },
        }
    }

    pub(super) fn acknowledge(&mut self, holder: &Holder, applied: At) {
        if self.stands(applied) == Stands::Here {
            self.registry.acknowledge(holder, applied.position);
        }
    }

    pub(super) fn dismiss(&mut self, holder: &Holder, renewals: u64) {
        self.registry.dismiss(holder, renewals);
    }

    pub(super) fn holders(&self) -> Vec<(Holder, Registration)> {
        self.registry.holders()
    }

    pub(super) fn resume(&mut self) {
        self.abandoned.append(&mut self.rolled_back);
    }

    /// The head is known even where all entries are gone; of what came before the first entry that is left, only the very beginning is known, and
    /// that only while the first entry is there.
    fn stands(&self, place: At) -> Stands {
        let index = usize::try_from(place.position).unwrap();
        if index > self.entries.len() {
            return Stands::Elsewhere;
        }
        let is_known = index == self.entries.len() || index > self.trimmed || (index == 0 && self.trimmed == 0);
        let mark = index.checked_sub(1).map_or(At::default().mark, |before| self.entries[before].at.mark);
        match (is_known, mark == place.mark) {
            (false, _) => Stands::Gone,
            (true, true) => Stands::Here,
            (true, false) => Stands::Elsewhere,
        }
    }
}
