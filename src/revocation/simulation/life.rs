//! One life of one replica of keyward: its clock, its machines, its memory.

use std::time::Duration;

use super::names::{DIGESTS, touches};
use crate::domain::time::BootTime;
use crate::revocation::{Asked, Follower, Ground, Holder, Keeps, Memory, Terms, Touched};

pub(super) struct Life {
    holder: Holder,
    pub(super) follower: Follower,
    pub(super) ground: Ground,
    pub(super) memory: Remembered,
    pub(super) clock: Clock,
    pub(super) state: State,
    /// The node that it takes for the primary.
    pub(super) target: usize,
    /// Renewals that are on their way, by number, with when they were sent.
    pub(super) renewing: Vec<(u64, u64, Asked)>,
    pub(super) asked: u64,
    /// The stream that it follows, and since when.
    pub(super) following: Option<(u64, u64)>,
    pub(super) streams: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Running,
    /// Nothing runs until then.
    Paused(u64),
    Dead,
}

/// A machine's clock: its rate, where it began, and what of it was spent in suspension.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    /// Parts per million, above a million or below.
    pub(super) rate: u64,
    pub(super) offset: u64,
    /// Suspended time that it does not count; 0 on a boot clock.
    pub(super) uncounted: u64,
}

impl Clock {
    pub(super) fn at(&self, now: u64) -> BootTime {
        BootTime(Duration::from_micros((now - self.uncounted) * self.rate / 1_000_000 + self.offset))
    }

    /// When it is that time there, in the simulation's time.
    pub(super) fn when(&self, then: BootTime) -> u64 {
        ((then.0.as_micros() as u64).saturating_sub(self.offset) * 1_000_000).div_ceil(self.rate) + self.uncounted
    }
}

/// What is remembered of digests: whether they open.
#[derive(Debug, Clone, Default)]
pub(super) struct Remembered(pub(super) [Option<bool>; DIGESTS]);

impl Memory for Remembered {
    fn forget(&mut self, touched: &Touched) {
        for (number, remembered) in self.0.iter_mut().enumerate() {
            if remembered.is_some() && touches(touched, number) {
                *remembered = None;
            }
        }
    }

    fn forget_all(&mut self) {
        *self = Self::default();
    }
}

impl Life {
    pub(super) fn new(keeps: Keeps, holder: Holder, terms: Terms, clock: Clock) -> Self {
        let mut follower = Follower::new(keeps, terms, holder);
        let holder = follower.ask(BootTime(Duration::ZERO)).renewal.holder;
        Self {
            holder,
            follower,
            ground: Ground::new(keeps),
            memory: Remembered::default(),
            clock,
            state: State::Running,
            target: 0,
            renewing: Vec::new(),
            asked: 0,
            following: None,
            streams: 0,
        }
    }

    /// As whom it speaks.
    pub(super) fn holder(&self) -> Holder {
        self.holder.clone()
    }
}
