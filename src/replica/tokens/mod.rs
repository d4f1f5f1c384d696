//! Tokens under a lease. What the store granted may be spent until the lease's deadline on this machine's boot clock, counted from before
//! the call was sent, and not an instant later: the store forgets a token when it can no longer have been spent inside the window.
//!
//! A check inside a lease asks nobody. [`purse`] has the rules of one key; here are the clock, the locks and who waits.

mod batch;
mod epochs;
mod lots;
mod name;
#[cfg(test)]
mod overload_tests;
mod pace;
pub mod purse;
#[cfg(test)]
mod purse_tests;
mod receipt;
mod shared;
#[cfg(test)]
mod shared_tests;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod stale_tests;
#[cfg(test)]
mod stand;
pub mod standing;
mod tally;
pub mod terms;

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::task::yield_now;
use tokio::time::{Instant, sleep, timeout_at};

use self::batch::Batches;
pub use self::epochs::Epoch;
use self::epochs::Epochs;
pub use self::receipt::{Exhausted, Receipt, TicketIds};
use self::shared::{Answer, At, Shared};
pub use self::tally::Tally;
use super::session::{Remembered, Session};
use crate::clock::SharedClock;
use crate::domain::bearer::Bearer;
use crate::domain::format::Format;
use crate::domain::realm::Realm;
use crate::revocation::Touched;
use crate::store::{Generations, SharedStore, StoreError};

/// Takes tokens and spends them.
#[derive(Clone)]
pub struct Tokens(Arc<Shared>);

/// What the log tells of keys and owners, as tokens have to know it.
pub struct TokensMemory(Arc<Epochs>);

/// What tokens are made of.
pub struct Parts {
    pub store: SharedStore,
    pub clock: SharedClock,
    pub session: Arc<Session>,
    /// Told by the session.
    pub memory: Arc<TokensMemory>,
    /// How long a call for tokens may take.
    pub once: Duration,
}

/// A check that is to be charged.
#[derive(Clone, Copy)]
pub struct Order<'a> {
    pub realm: &'a Realm,
    pub bearer: &'a Arc<Bearer>,
    pub format: &'a Format,
    pub cost: u32,
    /// Read before the bearer was looked for.
    pub begun: Epoch,
    /// Of the bearer's limits.
    pub generations: Generations,
}

/// What became of a charge.
#[derive(Debug)]
pub enum Spent {
    /// Nothing limits this key.
    Unlimited,
    /// Charged, until the receipt is dropped unkept.
    Charged(Receipt),
    /// Some window is full.
    Exhausted(Exhausted),
    /// The key or its limits have changed meanwhile: look for it again. Its generations are worth so much then.
    Stale(Generations),
}

/// How often every purse is looked at for what is over.
const TIDIED_EVERY: Duration = Duration::from_millis(50);

impl TokensMemory {
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self(Arc::new(Epochs::new())))
    }
}

impl Remembered for TokensMemory {
    fn forget(&self, touched: &Touched) {
        self.0.touch(touched);
    }

    fn forget_all(&self) {
        self.0.touch_all();
    }
}

impl Tokens {
    /// To be called inside a Tokio runtime.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let shared = Arc::new_cyclic(|shared| Shared::new(parts, Batches::new(shared.clone())));
        tokio::spawn(tidy(Arc::downgrade(&shared)));
        Self(shared)
    }

    /// The epoch that a check begins in: to be read before its key is looked for.
    #[must_use]
    pub fn begin(&self) -> Epoch {
        self.0.epochs.now()
    }

    /// What became of everyone who asked.
    #[must_use]
    pub fn tally(&self) -> Arc<Tally> {
        self.0.tally.clone()
    }

    /// For how many keys something is held or known.
    #[must_use]
    pub fn purses(&self) -> usize {
        self.0.purses()
    }

    /// Takes what the check costs, from every window of the key and its owner, by `deadline`.
    pub async fn spend(&self, order: &Order<'_>, deadline: Instant) -> Result<Spent, StoreError> {
        let spent = self.0.spend(order, deadline).await;
        if matches!(spent, Err(StoreError::Overloaded)) {
            self.0.tally.overloaded.count();
        }
        spent
    }
}

impl Shared {
    async fn spend(self: &Arc<Self>, order: &Order<'_>, deadline: Instant) -> Result<Spent, StoreError> {
        let (told, since) = match self.draw(order) {
            At::Drawn(receipt) => return Ok(self.spent(order, receipt)),
            At::Over(spent) => return Ok(spent),
            At::Wait { told, since } => (told, since),
        };
        match timeout_at(deadline, told).await.map_err(|_| self.why(order, since))? {
            // after the last await, at the moment of spending
            Ok(Answer::Receipt(receipt)) if receipt.lasts(self.clock.boot()) => Ok(self.spent(order, receipt)),
            Ok(Answer::Receipt(_)) => {
                self.tally.late.count();
                Err(too_late())
            }
            Ok(Answer::Refused(refusal)) => Ok(Spent::Exhausted(Exhausted::new(refusal, self.clock.boot()))),
            // the store has heard of newer limits before the log has brought them here: what was asked for before that is worth nothing
            Ok(Answer::Stale) => self.once_caught_up(Generations::Confirmed, deadline).await,
            // a renewal tells the time; it says nothing of limits that nobody has spoken of
            Ok(Answer::Behind) => self.once_caught_up(Generations::Heard, deadline).await,
            Ok(Answer::Failed(error)) => Err(error),
            Err(_) => Err(StoreError::Unavailable("the replica is being stopped".into())),
        }
    }

    async fn once_caught_up(&self, generations: Generations, deadline: Instant) -> Result<Spent, StoreError> {
        timeout_at(deadline, self.session.catch_up_with_now()).await.map_err(|_| no_renewal())?;
        Ok(Spent::Stale(generations))
    }
}

/// Looks at every purse, again and again, until the tokens are dropped.
async fn tidy(shared: Weak<Shared>) {
    loop {
        sleep(TIDIED_EVERY).await;
        for shard in 0..shared::SHARDS {
            let Some(shared) = shared.upgrade() else { return };
            shared.tidy(shard);
            // others are not to wait for all of them
            yield_now().await;
        }
    }
}

fn too_late() -> StoreError {
    StoreError::Unavailable("its grant came too late to be spent".into())
}

fn no_renewal() -> StoreError {
    StoreError::Unavailable("its log was not read within the check's deadline".into())
}
