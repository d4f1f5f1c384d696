//! Tokens under a lease. What the store granted may be spent until the lease's deadline on this machine's boot clock, counted from before
//! the call was sent, and not an instant later: the store forgets a token when it can no longer have been spent inside the window.
//!
//! A check inside a lease asks nobody. [`purse`] has the rules of one key; here are the clock, the locks and who waits.

mod batch;
mod epochs;
mod lots;
mod pace;
pub mod purse;
mod receipt;
#[cfg(test)]
mod simulation;
mod tally;
pub mod terms;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::yield_now;
use tokio::time::sleep;

use self::batch::{Batches, Call, Name};
pub use self::epochs::Epoch;
use self::epochs::Epochs;
use self::purse::{Drawn, Purse, Refusal, Served, Waits};
pub use self::receipt::{Exhausted, Receipt, TicketIds};
pub use self::tally::Tally;
use self::terms::Terms;
use super::session::{Remembered, Session};
use crate::clock::SharedClock;
use crate::domain::bearer::Bearer;
use crate::domain::format::Format;
use crate::domain::realm::Realm;
use crate::domain::time::BootTime;
use crate::revocation::Touched;
use crate::store::{SharedStore, StoreError, Taken};

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
    /// The key or its limits have changed meanwhile: look for it again.
    Stale,
}

struct Shared {
    store: SharedStore,
    clock: SharedClock,
    session: Arc<Session>,
    once: Duration,
    epochs: Arc<Epochs>,
    tally: Arc<Tally>,
    batches: Batches,
    shards: Box<[Mutex<Shard>]>,
    hash: RandomState,
}

type Waiter = oneshot::Sender<Answer>;
type Shard = HashMap<Name, Purse<Waiter>>;

/// What somebody who waited is told. Dropped unheard, tokens go back.
enum Answer {
    Receipt(Receipt),
    Refused(Refusal),
    Stale,
    Failed(StoreError),
}

impl Waits for Waiter {
    fn is_gone(&self) -> bool {
        self.is_closed()
    }
}

const SHARDS: usize = 64;
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
        let Parts { store, clock, session, memory, once } = parts;
        let (batches, queue) = Batches::new();
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        let (epochs, tally) = (memory.0.clone(), Arc::default());
        let shared = Arc::new(Shared { store, clock, session, once, epochs, tally, batches, shards, hash: RandomState::new() });
        tokio::spawn(batch::send_all(Arc::downgrade(&shared), queue));
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
        self.0.shards.iter().map(|shard| locked(shard).len()).sum()
    }

    /// Takes what the check costs, from every window of the key and its owner.
    pub async fn spend(&self, order: &Order<'_>) -> Result<Spent, StoreError> {
        let shared = &self.0;
        let waiting = match shared.draw(order) {
            At::Drawn(receipt) => return Ok(shared.spent(order, receipt)),
            At::Over(spent) => return Ok(spent),
            At::Wait(waiting) => waiting,
        };
        match waiting.await {
            // after the last await, at the moment of spending
            Ok(Answer::Receipt(receipt)) if receipt.lasts(shared.clock.boot()) => Ok(shared.spent(order, receipt)),
            Ok(Answer::Receipt(_)) => {
                shared.tally.late.count();
                Err(too_late())
            }
            Ok(Answer::Refused(refusal)) => Ok(Spent::Exhausted(Exhausted::new(refusal, shared.clock.boot()))),
            Ok(Answer::Stale) => {
                // the store has heard of newer limits before the log has brought them here
                shared.session.move_on().await;
                Ok(Spent::Stale)
            }
            Ok(Answer::Failed(error)) => Err(error),
            Err(_) => Err(StoreError::Unavailable("the replica is being stopped".into())),
        }
    }
}

/// What a look into the purse brings.
enum At {
    Drawn(Receipt),
    Over(Spent),
    Wait(oneshot::Receiver<Answer>),
}

impl Shared {
    /// Who spends by what has been changed meanwhile is to look again, and what was drawn goes back. The lease is looked at first: while it
    /// lasts, whoever changes something waits until the epoch was raised here.
    fn spent(&self, order: &Order<'_>, receipt: Receipt) -> Spent {
        let stands = self.session.admits() && self.epochs.stands(order.begun, order.bearer);
        if stands { Spent::Charged(receipt) } else { Spent::Stale }
    }

    fn draw(self: &Arc<Self>, order: &Order<'_>) -> At {
        let name = (order.bearer.owner.realm.clone(), order.bearer.key.clone());
        let mut shard = self.shard(&name);
        // under the lock: what a purse adopts is not older than what it has, and what is drawn lasts at this moment
        if !self.epochs.stands(order.begun, order.bearer) {
            return At::Over(Spent::Stale);
        }
        let now = self.clock.boot();
        let Some(purse) = self.purse(&mut shard, &name, order, now) else { return At::Over(Spent::Unlimited) };
        if let Some(drawn) = purse.draw(order.cost, now) {
            self.tally.held.count();
            // in advance, in the background
            let failed = self.ask(&name, purse, now);
            drop(shard);
            self.tell_all(&name, failed);
            return At::Drawn(Receipt::new(self, name, drawn, now));
        }
        if let Some(refusal) = purse.refuses(order.cost, now) {
            self.tally.refused.count();
            return At::Over(Spent::Exhausted(Exhausted::new(refusal.clone(), now)));
        }
        self.tally.waited.count();
        let (tell, told) = oneshot::channel();
        purse.wait(order.cost, tell);
        let failed = self.ask(&name, purse, now);
        drop(shard);
        self.tell_all(&name, failed);
        At::Wait(told)
    }

    /// The key's purse, under the terms of this check; `None`: nothing limits it.
    fn purse<'a>(&self, shard: &'a mut Shard, name: &Name, order: &Order<'_>, now: BootTime) -> Option<&'a mut Purse<Waiter>> {
        let time = || self.session.now();
        if !shard.get(name).is_some_and(|purse| purse.terms().are_of(order.bearer, order.format, time)) {
            let terms = Arc::new(Terms::of(order.realm, order.bearer, order.format, time())?);
            match shard.entry(name.clone()) {
                Entry::Occupied(mut known) => known.get_mut().adopt(terms),
                Entry::Vacant(place) => drop(place.insert(Purse::new(terms, now))),
            }
        }
        shard.get_mut(name)
    }

    /// Has the purse's next call made, if there is one. Where too many wait to be sent, those who wait for this one are told so.
    fn ask(&self, name: &Name, purse: &mut Purse<Waiter>, now: BootTime) -> Vec<(Waiter, Served)> {
        let mut told = Vec::new();
        while let Some(charge) = purse.ask(now, self.once, self.share()) {
            self.tally.returned.add(purse.returned());
            let terms = purse.terms().clone();
            if self.batches.put(Call { charge, whose: Some((name.clone(), terms.clone())) }).is_ok() {
                break;
            }
            let full = StoreError::Unavailable("too many calls for tokens wait already".into());
            told.extend(purse.landed(&terms, Taken::Failed(full), now, now));
            if told.is_empty() {
                break;
            }
        }
        told
    }

    /// A call's answer.
    fn landed(self: &Arc<Self>, name: &Name, terms: &Arc<Terms>, answer: Taken, sent: BootTime) {
        let mut shard = self.shard(name);
        let now = self.clock.boot();
        let Some(purse) = shard.get_mut(name) else { return };
        let mut served = purse.landed(terms, answer, sent, now);
        served.extend(self.ask(name, purse, now));
        drop(shard);
        self.tell_all(name, served);
    }

    /// Not under a lock: whoever has gone drops what comes, and so gives it back.
    fn tell_all(self: &Arc<Self>, name: &Name, served: Vec<(Waiter, Served)>) {
        for (who, served) in served {
            let _ = who.send(match served {
                Served::Drawn(drawn) => Answer::Receipt(Receipt::new(self, name.clone(), drawn, self.clock.boot())),
                Served::Refused(refusal) => Answer::Refused(refusal),
                Served::Stale => Answer::Stale,
                Served::TooLate => {
                    self.tally.late.count();
                    Answer::Failed(too_late())
                }
                Served::Failed(error) => Answer::Failed(error),
            });
        }
    }

    /// Tokens that were drawn and not spent.
    fn take_back(&self, name: &Name, drawn: &Drawn) {
        let now = self.clock.boot();
        let mut shard = self.shard(name);
        let purse = shard.entry(name.clone()).or_insert_with(|| Purse::new(drawn.grant.terms.clone(), now));
        purse.take_back(drawn, now);
    }

    /// So that the last tokens are not held by whoever asked first.
    fn share(&self) -> u32 {
        terms::share(self.session.replicas())
    }

    fn shard(&self, name: &Name) -> MutexGuard<'_, Shard> {
        let at = usize::try_from(self.hash.hash_one(name)).unwrap_or(0) % SHARDS;
        locked(&self.shards[at])
    }

    fn tidy(&self, shard: &Mutex<Shard>) {
        let now = self.clock.boot();
        let mut returns = Vec::new();
        locked(shard).retain(|_, purse| {
            returns.extend(purse.tidy(now));
            self.tally.returned.add(purse.returned());
            purse.is_of_use(now)
        });
        for charge in returns {
            // beyond the bound tokens stay counted, which never over-admits
            let _ = self.batches.put(Call { charge, whose: None });
        }
    }
}

fn locked(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Looks at every shard, again and again, until the tokens are dropped.
async fn tidy(shared: std::sync::Weak<Shared>) {
    loop {
        sleep(TIDIED_EVERY).await;
        for at in 0..SHARDS {
            let Some(shared) = shared.upgrade() else { return };
            shared.tidy(&shared.shards[at]);
            // others are not to wait for all of them
            yield_now().await;
        }
    }
}

fn too_late() -> StoreError {
    StoreError::Unavailable("its grant came too late to be spent".into())
}
