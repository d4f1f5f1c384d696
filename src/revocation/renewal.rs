//! What a replica and the store say to each other when a lease is renewed.

use std::time::Duration;

use super::entry::{At, Entry};
use super::footing::Footing;
use super::registry::{Holder, Registration};
use super::terms::Terms;
use crate::domain::time::StoreTime;

/// What the store is asked at a renewal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renewal {
    pub holder: Holder,
    /// Which of the holder's renewals it is: they count up from 1 through all of its life.
    pub number: u64,
    pub terms: Terms,
    /// The last entry applied; `None`: none, and nothing is remembered.
    pub applied: Option<At>,
    /// The last place known to be secured.
    pub secured: At,
}

impl Renewal {
    /// The position that it acknowledges: see [`Follower::acknowledges`](super::Follower::acknowledges).
    #[must_use]
    pub fn acknowledges(&self) -> u64 {
        self.applied.map_or(0, |applied| applied.position.min(self.secured.position))
    }
}

/// What the store pushes to whoever follows its log from some place on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pushed {
    /// What follows that place, without gaps; none of a place that is not in the log.
    pub entries: Vec<Entry>,
    /// The last place that is secured, of a log that has that place.
    pub secured: At,
}

/// What the store answers to a renewal. The holder was registered before any of it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renewed {
    pub log: Log,
    /// The last place that is secured.
    pub secured: At,
    pub now: StoreTime,
    /// Everyone registered.
    pub holders: Vec<(Holder, Registration)>,
    /// Which nodes stand behind this answer.
    pub footing: Footing,
    /// The longest lease that this store ever granted.
    pub longest: Duration,
}

/// The log, to who has applied it up to some place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Log {
    /// Entries that follow that place, without gaps; the last may be before the head: ask again.
    Entries { entries: Vec<Entry>, head: At },
    /// That place is too old, or none was named.
    Jump { head: At },
    /// That place is not in this log: what was never promised to anybody is lost.
    Lost { head: At },
    /// The secured place is not in this log. So it answers from now on to everyone, until an operator says to go on.
    RolledBack { head: At },
}
