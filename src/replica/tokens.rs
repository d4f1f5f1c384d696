//! Tokens under a lease. What the store granted may be spent until the lease's deadline on this machine's boot clock, counted from before
//! the call was sent, and not an instant later: the store forgets a token when it can no longer have been spent inside the window.
//!
//! A grant that is not spent (it came too late, or the check was cancelled while it was on its way) goes back with the next call.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::clock::SharedClock;
use crate::domain::time::BootTime;
use crate::store::{Charge, SharedStore, StoreError, Taken};

/// Takes tokens and spends them.
pub struct Tokens(Arc<Shared>);

struct Shared {
    store: SharedStore,
    clock: SharedClock,
    /// How long a grant may be spent.
    ttl: Duration,
    /// Returns that leave with the next call. Beyond the bound tokens stay counted, which never over-admits.
    unspent: Mutex<Vec<Charge>>,
}

const MOST_UNSPENT: usize = 1024;

/// What became of a charge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spent {
    /// The tokens are spent; what is left of each window.
    Spent { left: Vec<u32> },
    /// Some window is full.
    Exhausted { retry_in: Option<Duration> },
}

impl Tokens {
    /// Grants of `store` live for `ttl`.
    pub fn new(store: SharedStore, clock: SharedClock, ttl: Duration) -> Self {
        Self(Arc::new(Shared { store, clock, ttl, unspent: Mutex::default() }))
    }

    /// Takes what the charge costs and spends it at once. The caller waits no longer than its own deadline; the call itself goes on when nobody waits for it any more, so that what it brings
    /// is known and can go back.
    pub async fn spend(&self, charge: Charge) -> Result<Spent, StoreError> {
        let charge = Charge { ttl: self.0.ttl, ..charge };
        let sent = self.0.clock.boot();
        let (tell, told) = oneshot::channel();
        let shared = self.0.clone();
        tokio::spawn(async move {
            // Whoever has gone drops what comes, and so gives it back.
            let _ = tell.send(take(&shared, charge).await);
        });
        match told.await.map_err(|_| too_late())?? {
            Answer::Granted(grant) => grant.spend(sent.deadline(self.0.ttl)),
            Answer::Refused { retry_in } => Ok(Spent::Exhausted { retry_in }),
        }
    }
}

enum Answer {
    Granted(Grant),
    Refused { retry_in: Option<Duration> },
}

/// Makes the call, with the returns that wait. If its fate stays unknown they are not sent again: a return is made at most once.
async fn take(shared: &Arc<Shared>, charge: Charge) -> Result<Answer, StoreError> {
    let mut calls = std::mem::take(&mut *shared.unspent.lock().unwrap_or_else(PoisonError::into_inner));
    calls.push(charge);
    let answer = shared.store.take(&calls).await?.pop();
    let (Some(answer), Some(charge)) = (answer, calls.pop()) else {
        return Err(StoreError::Corrupt("a charge without an answer".into()));
    };
    match answer {
        Taken::Granted { tokens, slots, left } => {
            let undo = Some(Charge { returns: charge.undo(tokens, &slots), want: 0, cost: 0, ..charge });
            Ok(Answer::Granted(Grant { shared: shared.clone(), undo, left }))
        }
        Taken::Refused { retry_in, .. } => Ok(Answer::Refused { retry_in }),
        Taken::Stale => Err(StoreError::Conflict),
    }
}

/// Tokens in hand. Dropped unspent, they go back.
struct Grant {
    shared: Arc<Shared>,
    undo: Option<Charge>,
    left: Vec<u32>,
}

impl Grant {
    /// Spends them, if that is still allowed: read after the last await, at the moment of spending.
    fn spend(mut self, deadline: BootTime) -> Result<Spent, StoreError> {
        if self.shared.clock.boot() >= deadline {
            return Err(too_late());
        }
        self.undo = None;
        Ok(Spent::Spent { left: std::mem::take(&mut self.left) })
    }
}

impl Drop for Grant {
    fn drop(&mut self) {
        let mut unspent = self.shared.unspent.lock().unwrap_or_else(PoisonError::into_inner);
        if unspent.len() < MOST_UNSPENT {
            unspent.extend(self.undo.take());
        }
    }
}

fn too_late() -> StoreError {
    StoreError::Unavailable("its grant came too late to be spent".into())
}
