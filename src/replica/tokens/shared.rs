//! Where purses are kept: each key's in one of many shards, so that checks of different keys rarely meet. What a purse says is done here: calls
//! are sent, and whoever waits is told, never under a lock.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::RandomState;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::batch::{Batches, Call};
use super::epochs::Epochs;
use super::name::{Hashed, Name};
use super::purse::{Drawn, Purse, Refusal, Served, Waits};
use super::receipt::{Exhausted, Receipt};
use super::tally::Tally;
use super::terms::{self, Terms};
use super::{Order, Parts, Spent, too_late};
use crate::clock::SharedClock;
use crate::domain::name::{KeyId, RealmId, Word};
use crate::domain::time::BootTime;
use crate::replica::session::Session;
use crate::store::{Charge, Generations, Return, SharedStore, StoreError, SubjectName, Taken};

/// What all checks of one replica share.
pub(super) struct Shared {
    pub(super) store: SharedStore,
    pub(super) clock: SharedClock,
    pub(super) session: Arc<Session>,
    pub(super) once: Duration,
    pub(super) epochs: Arc<Epochs>,
    pub(super) tally: Arc<Tally>,
    pub(super) batches: Batches,
    shards: Box<[Mutex<Shard>]>,
    hash: RandomState,
}

type Waiter = oneshot::Sender<Answer>;
type Shard = HashMap<Name, Purse<Waiter>, Hashed>;

/// What somebody who waited is told. Dropped unheard, tokens go back.
pub(super) enum Answer {
    Receipt(Receipt),
    Refused(Refusal),
    Stale,
    Behind,
    Failed(StoreError),
}

impl Waits for Waiter {
    fn is_gone(&self) -> bool {
        self.is_closed()
    }
}

/// What a purse holds.
#[derive(Default)]
pub(super) struct Held {
    /// The most that one check could draw.
    pub(super) most: u32,
    /// Wait to go back.
    pub(super) returns: Vec<Return>,
    /// What a check of the same cost was told lately, and the next one would be.
    pub(super) refusal: Option<Exhausted>,
}

pub(super) const SHARDS: usize = 64;
/// What a look into the purse brings.
pub(super) enum At {
    Drawn(Receipt),
    Over(Spent),
    Wait { told: oneshot::Receiver<Answer>, since: BootTime },
}

impl Shared {
    pub(super) fn new(parts: Parts, batches: Batches) -> Self {
        let Parts { store, clock, session, memory, once } = parts;
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        let (epochs, tally) = (memory.0.clone(), Arc::default());
        Self { store, clock, session, once, epochs, tally, batches, shards, hash: RandomState::new() }
    }

    pub(super) fn purses(&self) -> usize {
        self.shards.iter().map(|shard| locked(shard).len()).sum()
    }

    /// Who spends by what has been changed meanwhile is to look again, and what was drawn goes back. The lease is looked at first: while it
    /// lasts, whoever changes something waits until the epoch was raised here.
    pub(super) fn spent(&self, order: &Order<'_>, receipt: Receipt) -> Spent {
        let stands = self.session.admits() && self.epochs.stands(order.begun, order.bearer);
        if stands { Spent::Charged(receipt) } else { Spent::Stale(Generations::Heard) }
    }

    /// Looks into the key's purse.
    pub(super) fn draw(self: &Arc<Self>, order: &Order<'_>) -> At {
        let name = self.name(&order.bearer.owner.realm, &order.bearer.key, order.format.plan.as_ref());
        let mut shard = self.shard(&name);
        // under the lock: what a purse adopts is not older than what it has, and what is drawn lasts at this moment
        if !self.epochs.stands(order.begun, order.bearer) {
            return At::Over(Spent::Stale(Generations::Heard));
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
        purse.wait_under(order.generations, order.cost, tell);
        let failed = self.ask(&name, purse, now);
        drop(shard);
        self.tell_all(&name, failed);
        At::Wait { told, since: now }
    }

    /// The key's purse, under the terms of this check; `None`: nothing limits it.
    fn purse<'a>(&self, shard: &'a mut Shard, name: &Name, order: &Order<'_>, now: BootTime) -> Option<&'a mut Purse<Waiter>> {
        let time = || self.session.now();
        if !shard.get(name).is_some_and(|purse| purse.terms().are_of(order.bearer, time)) {
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
        let Some(charge) = purse.ask(now, self.once, self.share()) else { return Vec::new() };
        let whose = Some((name.clone(), purse.terms().clone()));
        // all who wait are aboard: one try is enough
        self.put(purse, Call { charge, whose, since: now })
    }

    /// A call's answer.
    pub(super) fn landed(self: &Arc<Self>, name: &Name, terms: &Arc<Terms>, answer: Taken, sent: BootTime) {
        let mut shard = self.shard(name);
        let now = self.clock.boot();
        let Some(purse) = shard.get_mut(name) else { return };
        let mut served = purse.landed(terms, answer, sent, now);
        served.extend(self.ask(name, purse, now));
        drop(shard);
        self.tell_all(name, served);
    }

    /// A call waited for its turn until nobody should wait for it.
    pub(super) fn unsent(self: &Arc<Self>, name: &Name, charge: Charge, why: &StoreError) {
        let mut shard = self.shard(name);
        let Some(purse) = shard.get_mut(name) else { return };
        let mut served = purse.unsent(charge, why);
        served.extend(self.ask(name, purse, self.clock.boot()));
        drop(shard);
        self.tell_all(name, served);
    }

    /// Why nobody has answered this check, which waits since then.
    pub(super) fn why(&self, order: &Order<'_>, since: BootTime) -> StoreError {
        let owner = &order.bearer.owner;
        let name = SubjectName { realm: owner.realm.clone(), owner: owner.id.clone(), key: Some(order.bearer.key.clone()) };
        self.batches.why(self.store.part(&name), since)
    }

    /// Not under a lock: whoever has gone drops what comes, and so gives it back.
    fn tell_all(self: &Arc<Self>, name: &Name, served: Vec<(Waiter, Served)>) {
        for (who, served) in served {
            let _ = who.send(match served {
                Served::Drawn(drawn) => Answer::Receipt(Receipt::new(self, name.clone(), drawn, self.clock.boot())),
                Served::Refused(refusal) => Answer::Refused(refusal),
                Served::Stale => Answer::Stale,
                Served::Behind => Answer::Behind,
                Served::TooLate => {
                    self.tally.late.count();
                    Answer::Failed(too_late())
                }
                Served::Failed(error) => Answer::Failed(error),
            });
        }
    }

    /// Tokens that were drawn and not spent.
    pub(super) fn take_back(&self, name: &Name, drawn: &Drawn) {
        let now = self.clock.boot();
        let mut shard = self.shard(name);
        let purse = shard.entry(name.clone()).or_insert_with(|| Purse::new(drawn.grant.terms.clone(), now));
        purse.take_back(drawn, now);
    }

    /// So that the last tokens are not held by whoever asked first.
    fn share(&self) -> u32 {
        terms::share(self.session.replicas())
    }

    /// The purse of a key, under a format's plan.
    pub(super) fn name(&self, realm: &RealmId, key: &KeyId, plan: Option<&Word>) -> Name {
        Name::new(&self.hash, realm, key, plan)
    }

    /// What the key's purse would say to a check of this cost, and bring back: nothing becomes of it.
    pub(super) fn glance(&self, name: &Name, terms: &Terms, cost: u32) -> Held {
        let now = self.clock.boot();
        let shard = self.shard(name);
        let Some(purse) = shard.get(name) else { return Held::default() };
        let (most, returns) = purse.glance(terms, now);
        let is_theirs = purse.terms().subjects == terms.subjects;
        let refusal = purse.refuses(cost, now).filter(|_| is_theirs).map(|refusal| Exhausted::new(refusal.clone(), now));
        Held { most, returns, refusal }
    }

    fn shard(&self, name: &Name) -> MutexGuard<'_, Shard> {
        locked(&self.shards[name.shard(SHARDS)])
    }

    /// Ends what is over in one of the shards.
    pub(super) fn tidy(&self, shard: usize) {
        let now = self.clock.boot();
        locked(&self.shards[shard]).retain(|_, purse| {
            if let Some(charge) = purse.tidy(now) {
                self.put(purse, Call { charge, whose: None, since: now });
            }
            purse.is_of_use(now)
        });
    }

    /// Beside calls of the same part of the store. One that finds no room has not been sent: its purse has its returns back.
    fn put(&self, purse: &mut Purse<Waiter>, call: Call) -> Vec<(Waiter, Served)> {
        let part = call.owner().map_or(0, |owner| self.store.part(owner));
        match self.batches.put(part, call) {
            Ok(()) => {
                self.tally.returned.add(purse.returned());
                Vec::new()
            }
            Err(call) => purse.unsent(call.charge, &StoreError::Overloaded),
        }
    }
}

fn locked(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}
