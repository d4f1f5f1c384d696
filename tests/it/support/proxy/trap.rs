//! A trap for one call among many: it is recognised by bytes of its request, and then cut after so many bytes, or its reply is kept back.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use super::state::{Fault, Way};

/// Which call, and what becomes of it.
#[derive(Debug, Clone)]
pub struct Trap {
    /// Bytes that the request of the call holds, and that of no other.
    pub bait: Vec<u8>,
    pub then: Then,
}

/// What becomes of a call that is trapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// Its connection is cut once exactly so many bytes have passed this way, counted from the first piece of the request that holds the
    /// bait, over all connections where it is found. `after`: what holds for everyone from then on.
    CutAfter { way: Way, bytes: u64, after: Fault },
    /// Its reply, and all that follows on its connection, is kept back until the trap is taken away.
    HoldReplies,
}

/// A trap that is laid.
#[derive(Debug)]
pub(super) struct Laid {
    pub(super) trap: Trap,
    passed: Mutex<u64>,
    sprung: AtomicBool,
}

/// How much of a piece may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Passes {
    Whole,
    /// So many bytes, and then the connection is cut.
    Only(usize),
}

impl Laid {
    pub(super) fn new(trap: Trap) -> Self {
        Self { trap, passed: Mutex::new(0), sprung: AtomicBool::new(false) }
    }

    pub(super) fn sprung(&self) -> bool {
        self.sprung.load(Ordering::SeqCst)
    }

    pub(super) fn spring(&self) {
        self.sprung.store(true, Ordering::SeqCst);
    }

    /// Whether replies on a connection where the bait was found are kept back.
    pub(super) fn holds(&self, way: Way) -> bool {
        self.trap.then == Then::HoldReplies && way == Way::Replies
    }

    /// What of a piece may pass on a connection where the bait was found.
    pub(super) fn passes(&self, way: Way, piece: usize) -> Passes {
        let Then::CutAfter { way: cut, bytes, .. } = self.trap.then else { return Passes::Whole };
        if !cut.covers(way) {
            return Passes::Whole;
        }
        let mut passed = self.passed.lock().unwrap();
        let left = usize::try_from(bytes - *passed).unwrap();
        *passed += piece.min(left) as u64;
        if piece < left { Passes::Whole } else { Passes::Only(left) }
    }
}

/// Looks for the bait in a stream whose pieces may part it.
#[derive(Debug, Default)]
pub(super) struct Search {
    tail: Vec<u8>,
}

impl Search {
    /// Whether the bait ends in this piece.
    pub(super) fn finds(&mut self, bait: &[u8], piece: &[u8]) -> bool {
        self.tail.extend_from_slice(piece);
        let found = self.tail.windows(bait.len()).any(|window| window == bait);
        let keep = self.tail.len().min(bait.len() - 1);
        self.tail.drain(..self.tail.len() - keep);
        found
    }
}
