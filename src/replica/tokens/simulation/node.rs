//! One replica: its clock, and its purses.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::domain::time::BootTime;
use crate::replica::tokens::purse::{Purse, Waits};
use crate::replica::tokens::terms::Terms;

pub(super) struct Node {
    /// Goes up with every crash.
    pub life: u64,
    /// What it knows of limits.
    pub version: u64,
    pub purses: BTreeMap<usize, Purse<Waiter>>,
    /// The terms of each key, as long as they last.
    pub terms: BTreeMap<usize, Arc<Terms>>,
    /// How far it takes the store's time for later than it is, in milliseconds.
    pub ahead_ms: i64,
    offset: Duration,
    /// In millionths, beside the store's clock.
    rate: u64,
}

/// A check that waits.
pub(super) struct Waiter {
    pub cost: u32,
    pub begun: u64,
    pub gone: Rc<Cell<bool>>,
}

impl Waits for Waiter {
    fn is_gone(&self) -> bool {
        self.gone.get()
    }
}

impl Node {
    pub(super) fn new(offset: Duration, rate: u64, ahead_ms: i64) -> Self {
        let (purses, terms) = (BTreeMap::new(), BTreeMap::new());
        Self { life: 0, version: 0, purses, terms, ahead_ms, offset, rate }
    }

    /// What its clock shows at a true instant.
    pub(super) fn boot(&self, now: u64) -> BootTime {
        BootTime(self.offset + Duration::from_nanos(now * self.rate / 1000))
    }

    pub(super) fn crash(&mut self) {
        self.life += 1;
        self.purses.clear();
        self.terms.clear();
    }
}
