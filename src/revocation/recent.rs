//! The last entries that a replica has applied: what it takes to judge a record that was read a moment ago.

use std::collections::VecDeque;

use super::entry::{At, Entry, Mark, Touched};

/// How many.
const MOST: usize = 4096;

/// Entries without gaps, the newest last.
#[derive(Debug)]
pub(super) struct Recent {
    /// The place just before the oldest entry.
    floor: At,
    entries: VecDeque<(Mark, Touched)>,
}

impl Recent {
    /// Nothing is known but the place itself.
    pub(super) fn from(at: At) -> Self {
        Self { floor: at, entries: VecDeque::new() }
    }

    /// The newest entry's place.
    pub(super) fn head(&self) -> At {
        let newest = |(mark, _): &(Mark, Touched)| At { position: self.floor.position + self.entries.len() as u64, mark: *mark };
        self.entries.back().map_or(self.floor, newest)
    }

    /// Appends the entry that follows the newest.
    pub(super) fn push(&mut self, entry: &Entry) {
        if self.entries.len() == MOST
            && let Some((mark, _)) = self.entries.pop_front()
        {
            self.floor = At { position: self.floor.position + 1, mark };
        }
        self.entries.push_back((entry.at.mark, entry.touched.clone()));
    }

    /// Whether another entry than this stands at its position.
    pub(super) fn contradicts(&self, at: At) -> bool {
        at.position <= self.head().position && at.position >= self.floor.position && self.mark(at.position) != Some(at.mark)
    }

    /// What was touched after `at`; `None` where that place is too old, or is not in this log.
    pub(super) fn after(&self, at: At) -> Option<impl Iterator<Item = &Touched>> {
        let skip = usize::try_from(at.position.checked_sub(self.floor.position)?).ok()?;
        (self.mark(at.position)? == at.mark).then(|| self.entries.iter().skip(skip).map(|(_, touched)| touched))
    }

    fn mark(&self, position: u64) -> Option<Mark> {
        match usize::try_from(position.checked_sub(self.floor.position)?).ok()? {
            0 => Some(self.floor.mark),
            nth => self.entries.get(nth - 1).map(|(mark, _)| *mark),
        }
    }
}
