//! What became of the checks that asked for a record.

use std::sync::atomic::{AtomicU64, Ordering};

/// Each check is counted once.
#[derive(Debug, Default)]
pub struct Tally {
    /// The record was remembered.
    pub remembered: Count,
    /// It was remembered that no key has it.
    pub unknown: Count,
    /// The store was asked.
    pub looked_up: Count,
    /// The store was being asked already.
    pub joined: Count,
    /// Its source was told to wait.
    pub throttled: Count,
    /// There was no lease.
    pub unleased: Count,
}

impl Tally {
    /// Each way, by the name that metrics have for it.
    #[must_use]
    pub fn named(&self) -> [(&'static str, u64); 6] {
        [
            ("remembered", self.remembered.get()),
            ("unknown", self.unknown.get()),
            ("looked_up", self.looked_up.get()),
            ("joined", self.joined.get()),
            ("throttled", self.throttled.get()),
            ("unleased", self.unleased.get()),
        ]
    }
}

/// A number that goes up.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    pub(super) fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn add(&self, number: u32) {
        if number > 0 {
            self.0.fetch_add(number.into(), Ordering::Relaxed);
        }
    }

    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
