//! Tokens under a lease. What the store granted may be spent until the lease's deadline on this machine's boot clock, counted from before
//! the call was sent, and not an instant later: the store forgets a token when it can no longer have been spent inside the window.
//!
//! A check inside a lease asks nobody. [`purse`] has the rules of one key; here are the clock, the locks and who waits.

mod batch;
mod epochs;
mod pace;
pub mod purse;
mod receipt;
pub mod terms;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::sleep;

use self::batch::{Batches, Call, Name};
pub use self::epochs::Epoch;
use self::epochs::Epochs;
use self::purse::{Drawn, Purse, Refusal, Served};
pub use self::receipt::{Exhausted, Receipt, TicketIds};
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

const SHARDS: usize = 64;
/// How often a shard is looked at for what is over.
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
        let shared = Shared { store, clock, session, once, epochs: memory.0.clone(), batches, shards, hash: RandomState::new() };
        let shared = Arc::new(shared);
        tokio::spawn(batch::send_all(Arc::downgrade(&shared), queue));
        tokio::spawn(tidy(Arc::downgrade(&shared)));
        Self(shared)
    }

    /// The epoch that a check begins in: to be read before its key is looked for.
    #[must_use]
    pub fn begin(&self) -> Epoch {
        self.0.epochs.now()
    }

    /// Takes what the check costs, from every window of the key and its owner.
    pub async fn spend(&self, order: &Order<'_>) -> Result<Spent, StoreError> {
        let waiting = match self.0.draw(order) {
            At::Drawn(name, drawn) => return Ok(self.0.spent(order, Receipt::new(&self.0, name, drawn))),
            At::Over(spent) => return Ok(spent),
            At::Wait(waiting) => waiting,
        };
        match waiting.await {
            Ok(Answer::Receipt(receipt)) => {
                // after the last await, at the moment of spending
                if receipt.lasts(self.0.clock.boot()) { Ok(self.0.spent(order, receipt)) } else { Err(too_late()) }
            }
            Ok(Answer::Refused(refusal)) => Ok(Spent::Exhausted(Exhausted::new(refusal, order.cost, self.0.once, self.0.clock.boot()))),
            Ok(Answer::Stale) => Ok(Spent::Stale),
            Ok(Answer::Failed(error)) => Err(error),
            Err(_) => Err(StoreError::Unavailable("the replica is being stopped".into())),
        }
    }
}

/// What a look into the purse brings.
enum At {
    Drawn(Name, Drawn),
    Over(Spent),
    Wait(oneshot::Receiver<Answer>),
}

impl Shared {
    /// Who spends by what has been changed meanwhile is to look again, and what was drawn goes back.
    fn spent(&self, order: &Order<'_>, receipt: Receipt) -> Spent {
        if self.epochs.stands(order.begun, order.bearer) { Spent::Charged(receipt) } else { Spent::Stale }
    }

    fn draw(self: &Arc<Self>, order: &Order<'_>) -> At {
        let (now, time) = (self.clock.boot(), self.session.now());
        let name = (order.bearer.owner.realm.clone(), order.bearer.key.clone());
        let mut shard = self.shard(&name);
        // under the lock: what a purse adopts is not older than what it has
        if !self.epochs.stands(order.begun, order.bearer) {
            return At::Over(Spent::Stale);
        }
        let known = shard.get(&name).is_some_and(|purse| purse.terms().are_of(order.bearer, order.format, time));
        let terms = if known { None } else { Some(Terms::of(order.realm, order.bearer, order.format, time)) };
        let purse = match (shard.entry(name.clone()), terms) {
            (Entry::Occupied(known), None) => known.into_mut(),
            (entry, Some(Some(terms))) => {
                let terms = Arc::new(terms);
                let purse = entry.or_insert_with(|| Purse::new(terms.clone(), now));
                purse.adopt(terms);
                purse
            }
            _ => return At::Over(Spent::Unlimited),
        };
        if let Some(drawn) = purse.draw(order.cost, now) {
            // in advance, in the background
            let _ = self.ask(&name, purse, now);
            return At::Drawn(name, drawn);
        }
        if let Some(refusal) = purse.refuses(order.cost, now) {
            return At::Over(Spent::Exhausted(Exhausted::new(refusal.clone(), order.cost, self.once, now)));
        }
        let (tell, told) = oneshot::channel();
        purse.wait(order.cost, tell);
        let failed = self.ask(&name, purse, now).err();
        drop(shard);
        failed.into_iter().flatten().for_each(|(who, served)| self.tell(&name, who, served));
        At::Wait(told)
    }

    /// Has the purse's next call made, if there is one. Where too many wait, those who wait for this one are handed back.
    fn ask(&self, name: &Name, purse: &mut Purse<Waiter>, now: BootTime) -> Result<(), Vec<(Waiter, Served)>> {
        let Some(charge) = purse.ask(now, self.once, self.share()) else { return Ok(()) };
        let terms = purse.terms().clone();
        let call = Call { charge, whose: Some((name.clone(), terms.clone())) };
        self.batches.put(call).map_err(|_| {
            let full = StoreError::Unavailable("too many calls for tokens wait already".into());
            purse.landed(&terms, Taken::Failed(full), now, now)
        })
    }

    /// A call's answer.
    fn landed(self: &Arc<Self>, name: &Name, terms: &Arc<Terms>, answer: Taken, sent: BootTime) {
        let now = self.clock.boot();
        let served = {
            let mut shard = self.shard(name);
            let Some(purse) = shard.get_mut(name) else { return };
            let mut served = purse.landed(terms, answer, sent, now);
            served.extend(self.ask(name, purse, now).err().into_iter().flatten());
            served
        };
        served.into_iter().for_each(|(who, served)| self.tell(name, who, served));
    }

    /// Not under a lock: whoever has gone drops what comes, and so gives it back.
    fn tell(self: &Arc<Self>, name: &Name, who: Waiter, served: Served) {
        let _ = who.send(match served {
            Served::Drawn(drawn) => Answer::Receipt(Receipt::new(self, name.clone(), drawn)),
            Served::Refused(refusal) => Answer::Refused(refusal),
            Served::Stale => Answer::Stale,
            Served::Failed(error) => Answer::Failed(error),
        });
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
        4 * self.session.replicas()
    }

    fn shard(&self, name: &Name) -> MutexGuard<'_, Shard> {
        let at = usize::try_from(self.hash.hash_one(name)).unwrap_or(0) % SHARDS;
        self.shards[at].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tidy(&self, shard: &Mutex<Shard>) {
        let now = self.clock.boot();
        let mut returns = Vec::new();
        shard.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, purse| {
            returns.extend(purse.tidy(now));
            purse.is_of_use(now)
        });
        for charge in returns {
            // beyond the bound tokens stay counted, which never over-admits
            let _ = self.batches.put(Call { charge, whose: None });
        }
    }
}

/// Looks at every shard in turn, until the tokens are dropped.
async fn tidy(shared: std::sync::Weak<Shared>) {
    for at in (0..SHARDS).cycle() {
        sleep(TIDIED_EVERY / 64).await;
        let Some(shared) = shared.upgrade() else { return };
        shared.tidy(&shared.shards[at]);
    }
}

fn too_late() -> StoreError {
    StoreError::Unavailable("its grant came too late to be spent".into())
}
