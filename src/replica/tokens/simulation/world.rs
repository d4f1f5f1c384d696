//! The world's turn: what happens next, and to whom.

use std::cell::Cell;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::event::{Call, Charged, Event};
use super::load::{Arrival, arrivals};
use super::mix::{Mix, SECOND};
use super::mutants::Mutant;
use super::node::{Node, Waiter};
use super::store::Store;
use super::truth::Truth;
use crate::domain::limit::Per;
use crate::domain::outcome::Counts;
use crate::domain::time::{BootTime, StoreTime};
use crate::replica::tokens::purse::{Drawn, Purse, Served};
use crate::replica::tokens::terms::{self, Terms};
use crate::revocation::simulation::dice::Dice;
use crate::store::{Charge, Return, StoreError, Taken};

pub(super) struct World<'a> {
    mix: &'a Mix,
    mutant: Option<Mutant>,
    dice: Dice,
    /// The store's clock, in microseconds since the start.
    now: u64,
    queue: BinaryHeap<Reverse<(u64, usize)>>,
    events: Vec<Option<Event>>,
    nodes: Vec<Node>,
    pub store: Store,
    pub truth: Truth,
    pub checks: Vec<Arrival>,
    /// When the call that lowered limits returned.
    lowered_at: Option<u64>,
}

const TIDIED_EVERY: u64 = 50_000;
/// After the last check, so that everything comes back.
const QUIET: u64 = 30 * SECOND;

impl<'a> World<'a> {
    pub(super) fn new(mix: &'a Mix, mutant: Option<Mutant>) -> Self {
        let mut dice = Dice::new(mix.seed ^ 0x5eed);
        let node = |dice: &mut Dice| {
            let ahead = if dice.chance(300) { dice.below(500) as i64 } else { 0 };
            Node::new(Duration::from_micros(dice.below(1 << 40)), dice.between(999_000, 1_001_001), ahead)
        };
        let nodes = (0..mix.replicas).map(|_| node(&mut dice)).collect();
        let store = Store::new(mutant, Duration::from_millis(mix.once_ms));
        let (queue, events, truth) = (BinaryHeap::new(), Vec::new(), Truth::default());
        let mut world = Self { mix, mutant, dice, now: 0, queue, events, nodes, store, truth, checks: Vec::new(), lowered_at: None };
        world.plan();
        world
    }

    fn plan(&mut self) {
        self.checks = arrivals(self.mix, &mut self.dice);
        for Arrival { at, key } in self.checks.clone() {
            self.at(at, Event::Check(key));
        }
        for node in 0..self.mix.replicas {
            self.at(self.dice.clone().below(TIDIED_EVERY), Event::Tidy(node));
            for second in 0..self.mix.length / SECOND {
                if self.dice.chance(self.mix.crashes) {
                    let within = self.dice.below(SECOND);
                    self.at(second * SECOND + within, Event::Crash(node));
                }
            }
        }
        if let Some((_, at)) = &self.mix.lowered {
            let learned: Vec<u64> = (0..self.mix.replicas).map(|_| at + self.dice.below(SECOND / 5)).collect();
            self.at(learned.iter().max().copied().unwrap_or(0), Event::Lowered);
            (0..).zip(learned).for_each(|(node, at)| self.at(at, Event::Learn(node)));
        }
    }

    /// To the end. With the world, for whoever looks at it then.
    pub(super) fn run(mut self) -> Self {
        while let Some(Reverse((at, event))) = self.queue.pop() {
            self.now = at;
            if let Some(event) = self.events[event].take() {
                self.happen(event);
            }
        }
        self
    }

    /// How many purses are left, of all replicas.
    pub(super) fn purses(&self) -> usize {
        self.nodes.iter().map(|node| node.purses.len()).sum()
    }

    fn at(&mut self, at: u64, event: Event) {
        self.queue.push(Reverse((at, self.events.len())));
        self.events.push(Some(event));
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Check(key) => self.check(key),
            Event::AtStore(call, charge) => self.at_store(call, &charge),
            Event::Answer(call, taken) => self.answer(&call, taken),
            Event::Spend(charged) => self.spend(&charged),
            Event::Gone(gone) => gone.set(true),
            Event::Tidy(node) => self.tidy(node),
            Event::Crash(node) => self.nodes[node].crash(),
            Event::Settle(returns) => self.store.give_back(&returns),
            Event::Learn(node) => self.nodes[node].version = 1,
            // whatever happens at the same instant may have been before
            Event::Lowered => self.lowered_at = Some(self.now + 1),
        }
    }

    fn time(&self) -> StoreTime {
        StoreTime(self.mix.base() + (self.now / 1000) as i64)
    }

    fn terms(&mut self, at: usize, key: usize) -> Arc<Terms> {
        let (time, node) = (self.time(), &mut self.nodes[at]);
        let seen = StoreTime(time.0 + node.ahead_ms);
        let version = if self.mutant == Some(Mutant::OldTermsAreSpent) { 0 } else { node.version };
        let known = node.terms.get(&key).filter(|terms| terms.bearer().generation == version && terms.last(|| seen));
        if let Some(known) = known {
            return known.clone();
        }
        let terms = Terms::under(&self.mix.in_force(version), &self.mix.bearer(key, version), seen).map(Arc::new).unwrap();
        node.terms.insert(key, terms.clone());
        terms
    }

    fn check(&mut self, key: usize) {
        let at = self.dice.index(self.nodes.len());
        let cost = self.mix.costs[self.dice.index(self.mix.costs.len())];
        let terms = self.terms(at, key);
        let now = self.nodes[at].boot(self.now);
        let node = &mut self.nodes[at];
        let (life, begun) = (node.life, node.version);
        let purse = node.purses.entry(key).or_insert_with(|| Purse::new(terms.clone(), now));
        purse.adopt(terms);
        let gone = Rc::new(Cell::new(false));
        if let Some(drawn) = purse.draw(cost, now) {
            self.ask(at, key);
            return self.spend(&Charged { node: at, life, key, drawn, begun, gone });
        }
        if purse.refuses(cost, now).is_some() {
            return;
        }
        purse.wait(cost, Waiter { cost, begun, gone: gone.clone() });
        self.ask(at, key);
        if self.dice.chance(self.mix.cancelled) {
            let soon = self.now + self.dice.below(2 * self.mix.delay);
            self.at(soon, Event::Gone(gone));
        }
    }

    fn ask(&mut self, at: usize, key: usize) {
        let node = &mut self.nodes[at];
        let now = node.boot(self.now);
        let share = terms::share(self.mix.replicas as u32);
        let Some(purse) = node.purses.get_mut(&key) else { return };
        let Some(charge) = purse.ask(now, Duration::from_millis(self.mix.once_ms), share) else { return };
        let call = Call { node: at, life: node.life, key, terms: purse.terms().clone(), sent: now };
        self.send(call, charge);
    }

    fn send(&mut self, call: Call, charge: Charge) {
        let there = self.now + self.delay();
        if self.dice.chance(self.mix.lost) {
            return self.lost(call);
        }
        self.at(there, Event::AtStore(call, charge));
    }

    /// Nobody answers, and after a while that is the answer.
    fn lost(&mut self, call: Call) {
        let error = StoreError::Unavailable("lost".into());
        self.at(self.now + 2 * SECOND, Event::Answer(call, Taken::Failed(error)));
    }

    fn delay(&mut self) -> u64 {
        let most = if self.dice.chance(50) { self.mix.long_delay } else { self.mix.delay };
        self.dice.below(most)
    }

    fn at_store(&mut self, call: Call, charge: &Charge) {
        let taken = self.store.take(charge, self.time());
        if self.dice.chance(self.mix.lost) {
            return self.lost(call);
        }
        let back = self.now + self.delay();
        self.at(back, Event::Answer(call, taken));
    }

    fn answer(&mut self, call: &Call, taken: Taken) {
        let node = &mut self.nodes[call.node];
        let now = node.boot(self.now);
        let Some(purse) = node.purses.get_mut(&call.key).filter(|_| node.life == call.life) else { return };
        let sent = match self.mutant {
            Some(Mutant::NothingEnds) => BootTime(call.sent.0 + Duration::from_hours(1)),
            Some(Mutant::DeadlinesCountFromTheAnswer) => now,
            _ => call.sent,
        };
        for (who, served) in purse.landed(&call.terms, taken, sent, now) {
            let Served::Drawn(drawn) = served else { continue };
            assert_eq!(drawn.tokens, who.cost);
            // the task is woken, sometimes late
            let late = if self.dice.chance(self.mix.late) { self.dice.below(100_000) } else { self.dice.below(300) };
            let (node, life, key) = (call.node, call.life, call.key);
            self.at(self.now + late, Event::Spend(Charged { node, life, key, drawn, begun: who.begun, gone: who.gone }));
        }
        self.ask(call.node, call.key);
    }

    fn spend(&mut self, charged: &Charged) {
        let Charged { drawn, .. } = charged;
        let node = &mut self.nodes[charged.node];
        if node.life != charged.life {
            return;
        }
        let now = node.boot(self.now);
        let stands = charged.begun == node.version || self.mutant == Some(Mutant::OldTermsAreSpent);
        if charged.gone.get() || !stands || !drawn.lasts(now) {
            let purse = node.purses.entry(charged.key).or_insert_with(|| Purse::new(drawn.grant.terms.clone(), now));
            return purse.take_back(drawn, now);
        }
        self.count(drawn);
    }

    /// Writes the truth down, and has refunded what the outcome leaves uncounted.
    fn count(&mut self, drawn: &Drawn) {
        let terms = &drawn.grant.terms;
        let mut refunds = Vec::new();
        let failed = self.dice.chance(self.mix.uncounted);
        let windows = terms.subjects.iter().flat_map(|subject| subject.windows.iter().map(|spec| (subject.name.clone(), spec.id())));
        for (((limit, _), told), (subject, window)) in terms.limits.iter().zip(&drawn.grant.told).zip(windows) {
            assert_eq!((limit.per == Per::Key, limit.window()), (subject.key.is_some(), window), "in the same order");
            let Some(slot) = told.slot else { continue };
            if failed && limit.counts != Counts::All {
                refunds.push(Return { subject, window, slot, tokens: drawn.tokens });
                continue;
            }
            let place = self.mix.limits.iter().position(|other| other.name == limit.name).unwrap();
            let most = self.mix.in_force(u64::from(self.lowered_at.is_some_and(|lowered| self.now >= lowered)))[place].most;
            self.truth.spent((subject, window), self.now, drawn.tokens, most);
        }
        self.truth.tokens += u64::from(drawn.tokens);
        if !refunds.is_empty() {
            let later = self.now + self.dice.any_span(2 * SECOND);
            self.at(later, Event::Settle(refunds));
        }
    }

    fn tidy(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        let now = node.boot(self.now);
        let mut calls = Vec::new();
        node.purses.retain(|key, purse| {
            let terms = purse.terms().clone();
            calls.extend(purse.tidy(now).map(|charge| (*key, terms, charge)));
            purse.is_of_use(now)
        });
        let life = node.life;
        for (key, terms, charge) in calls {
            // whose answer nobody waits for
            let call = Call { node: at, life: life.wrapping_sub(1), key, terms, sent: now };
            self.send(call, charge);
        }
        if self.now < self.mix.length + QUIET {
            self.at(self.now + TIDIED_EVERY, Event::Tidy(at));
        }
    }
}
