//! Tokens under a lease. What the store granted may be spent until the lease's deadline on this machine's boot clock, counted from before
//! the call was sent, and not an instant later: the store forgets a token when it can no longer have been spent inside the window.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::SharedClock;
use crate::store::{Charge, SharedStore, StoreError, Taken};

/// Takes tokens and spends them.
pub struct Tokens {
    store: SharedStore,
    clock: SharedClock,
    /// How long a grant may be spent: as long as a call may take.
    ttl: Duration,
    /// Grants that came too late: they go back with the next call. Beyond the bound they stay counted, which never over-admits.
    late: Mutex<Vec<Charge>>,
}

const MOST_LATE: usize = 1024;

/// What became of a charge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spent {
    /// The tokens are spent; what is left of each window.
    Spent { left: Vec<u32> },
    /// Some window is full.
    Exhausted { retry_in: Option<Duration> },
}

impl Tokens {
    /// Grants of `store` live for `ttl`, the time that one of its calls may take.
    pub fn new(store: SharedStore, clock: SharedClock, ttl: Duration) -> Self {
        Self { store, clock, ttl, late: Mutex::default() }
    }

    /// Takes what the charge costs and spends it at once. The deadline is read after the last await: a reply that was held up anywhere
    /// on its way is not spent.
    pub async fn spend(&self, charge: Charge) -> Result<Spent, StoreError> {
        let charge = Charge { ttl: self.ttl, ..charge };
        let sent = self.clock.boot();
        let mut calls = self.take_late();
        calls.push(charge);
        let answer = self.store.take(&calls).await?.pop();
        let charge = calls.pop().ok_or_else(nothing_came)?;
        match answer.ok_or_else(nothing_came)? {
            Taken::Granted { left, .. } if self.clock.boot() < sent.deadline(self.ttl) => Ok(Spent::Spent { left }),
            Taken::Granted { tokens, slots, .. } => {
                self.keep_late(charge, tokens, &slots);
                Err(StoreError::Unavailable("its grant came too late to be spent".into()))
            }
            Taken::Refused { retry_in, .. } => Ok(Spent::Exhausted { retry_in }),
            Taken::Stale => Err(StoreError::Conflict),
        }
    }

    fn keep_late(&self, charge: Charge, tokens: u32, slots: &[i64]) {
        let mut late = self.late.lock().unwrap_or_else(PoisonError::into_inner);
        if late.len() < MOST_LATE {
            let returns = charge.undo(tokens, slots);
            late.push(Charge { want: 0, cost: 0, returns, ..charge });
        }
    }

    /// They leave with this call, and if its fate stays unknown they are not sent again: a return is made at most once.
    fn take_late(&self) -> Vec<Charge> {
        std::mem::take(&mut *self.late.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn nothing_came() -> StoreError {
    StoreError::Corrupt("a charge without an answer".into())
}
