//! What goes between replicas and nodes, and what becomes of it on the way; what a primary does with it.

use super::data::{Found, Op};
use super::faults::Happening;
use super::mutant::Mutant;
use super::names::Change;
use super::world::{Event, World, tell};
use crate::domain::time::StoreTime;
use crate::revocation::{At, Holder, Level, Log, Pushed, Registration, Renewal, Renewed, Standing};

/// From a replica to a node.
#[derive(Clone)]
pub(super) enum Message {
    Renew(u64, Box<Renewal>),
    /// `secured`: the position that is known to be.
    Follow {
        stream: u64,
        after: At,
        secured: u64,
    },
    Acknowledge(Holder, At),
    Dismiss(Holder, u64),
    Vouch(Box<str>),
    Find(usize, u32),
    Change {
        flow: usize,
        attempt: u32,
        change: Change,
    },
    /// A change that nobody waits for.
    Put(Change),
    Holders(usize, u32),
}

/// From a node to a replica.
#[derive(Clone)]
pub(super) enum Reply {
    Renewed(u64, Box<Renewed>),
    Pushed {
        stream: u64,
        after: At,
        pushed: Pushed,
    },
    Found {
        check: usize,
        attempt: u32,
        at: At,
        found: Found,
    },
    /// What a change stands on; `None`: it is not durable.
    Standing(usize, u32, Option<Box<Standing>>),
    Holders(usize, u32, Vec<(Holder, Registration)>),
}

/// Somebody who follows the log.
pub(super) struct Waiter {
    life: usize,
    stream: u64,
    after: At,
    secured: u64,
}

/// The way between a replica and a node.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Way {
    pub(super) there_cut: u64,
    pub(super) back_cut: u64,
    /// Whether what meets a cut is lost, or comes when it is over.
    pub(super) held: bool,
}

impl World {
    /// Sends a message to whom the replica takes for the primary.
    pub(super) fn send(&mut self, life: usize, message: Message) {
        let node = if self.dice.chance(950) { self.lives[life].target } else { self.official };
        let copies = 1 + u64::from(self.dice.chance(self.mix.duplicated));
        let way = self.ways[life][node];
        for _ in 1..copies {
            if let Some(delay) = self.delay(way.there_cut, way.held) {
                self.soon(delay, Event::ToNode(node, life, message.clone()));
            }
        }
        if let Some(delay) = self.delay(way.there_cut, way.held) {
            self.soon(delay, Event::ToNode(node, life, message));
        }
    }

    pub(super) fn reply(&mut self, node: usize, life: usize, reply: Reply) {
        let way = self.ways[life][node];
        if self.mix.late
            && self.dice.chance(self.mix.duplicated)
            && let Some(delay) = self.delay(way.back_cut, way.held)
        {
            self.soon(delay, Event::ToLife(life, reply.clone()));
        }
        if let Some(delay) = self.delay(way.back_cut, way.held) {
            self.soon(delay, Event::ToLife(life, reply));
        }
    }

    /// How long a message takes; `None`: it is lost.
    fn delay(&mut self, cut: u64, held: bool) -> Option<u64> {
        let slow = self.mix.slow > 0 && self.dice.chance(self.mix.slow);
        let delay = if slow { self.dice.below(self.mix.slowest) } else { self.dice.between(40, 1_500) };
        let cut = cut.saturating_sub(self.now);
        let lost = (cut > 0 && !held) || (self.mix.lost > 0 && self.dice.chance(self.mix.lost));
        (!lost).then_some(cut + delay)
    }

    /// Whether a primary that has lost its replicas takes no more writes.
    pub(super) fn refuses_writes(&mut self, node: usize) -> bool {
        let refuses = self.mix.level == Level::Replicated && self.nodes.in_touch(node, self.now) < self.mix.min_replicas;
        self.counts.refused_writes += u64::from(refuses);
        refuses
    }

    pub(super) fn write(&mut self, node: usize, op: Op) {
        self.nodes.write(node, op, self.now, &mut self.dice);
        self.promises.trimmed(self.nodes.all[node].data.floor);
    }

    /// A message comes to a node.
    pub(super) fn arrives(&mut self, node: usize, life: usize, message: Message) {
        let this = &self.nodes.all[node];
        if this.down_until > self.now {
            return;
        }
        if !this.primary {
            let delay = self.dice.between(1_000, 300_000);
            return self.soon(delay, Event::Happening(Happening::Discover(life)));
        }
        match message {
            Message::Renew(number, renewal) => self.renew(node, life, (number, &renewal)),
            Message::Follow { stream, after, secured } => self.followed(node, Waiter { life, stream, after, secured }),
            Message::Acknowledge(holder, at) => {
                if this.data.holds(at) && !self.refuses_writes(node) {
                    self.counts.acknowledgements += 1;
                    self.write(node, Op::Acknowledge(holder, at.position));
                }
            }
            Message::Dismiss(holder, renewals) => {
                if !self.refuses_writes(node) {
                    let before = self.nodes.all[node].data.registry.holders().len();
                    self.write(node, Op::Dismiss(holder.clone(), renewals));
                    let gone = self.nodes.all[node].data.registry.holders().len() < before;
                    self.counts.dismissed += u64::from(gone);
                    tell!(self, "node {node}: {holder} is dismissed at {renewals}: {gone}");
                }
            }
            Message::Vouch(primary) => {
                if !self.refuses_writes(node) {
                    self.counts.vouched += 1;
                    self.write(node, Op::Vouch(primary));
                }
            }
            Message::Find(check, attempt) => {
                let found = this.data.find(self.checks[check].digest);
                let at = this.data.head;
                self.reply(node, life, Reply::Found { check, attempt, at, found });
            }
            Message::Change { flow, attempt, change } => self.change(node, life, (flow, attempt, change)),
            Message::Put(change) => {
                if !self.refuses_writes(node) && !self.nodes.all[node].data.has(change) {
                    self.commit(node, change);
                }
            }
            Message::Holders(flow, attempt) => {
                let holders = this.data.registry.holders();
                self.reply(node, life, Reply::Holders(flow, attempt, holders));
            }
        }
    }

    fn renew(&mut self, node: usize, life: usize, (number, renewal): (u64, &Renewal)) {
        if self.refuses_writes(node) {
            return;
        }
        let data = &self.nodes.all[node].data;
        if !data.rolled_back && data.betrays(renewal.secured) {
            self.went_backwards(node, renewal.secured);
        }
        let data = &self.nodes.all[node].data;
        let applied = renewal.applied.filter(|applied| data.holds(*applied));
        let unsecured = self.protocol.is(Mutant::UnsecuredIsAcknowledged);
        let applied = applied.map_or(0, |applied| if unsecured { applied.position } else { renewal.acknowledges() });
        let (holder, lease) = (renewal.holder.clone(), renewal.terms.lease);
        let renewals = if self.protocol.is(Mutant::RenewalsCountedByStore) { data.renewals(&holder) + 1 } else { renewal.number };
        self.write(node, Op::Renew { holder, number: renewals, applied, lease });
        let data = &self.nodes.all[node].data;
        let log = data.answer(renewal, self.mix.page);
        let renewed = Renewed {
            secured: data.secured,
            now: StoreTime((self.now / 1000) as i64),
            holders: data.registry.holders(),
            footing: self.nodes.footing(node, self.now),
            longest: data.longest,
            log,
        };
        tell!(self, "node {node}: renews {} to {:?}", renewal.holder, renewed.log);
        match &renewed.log {
            Log::Jump { .. } => self.counts.jumps += 1,
            Log::Lost { .. } => self.counts.lost += 1,
            Log::RolledBack { .. } => self.counts.rolled_back += 1,
            Log::Entries { entries, .. } => self.counts.pages += u64::from(!entries.is_empty()),
        }
        self.reply(node, life, Reply::Renewed(number, Box::new(renewed)));
    }

    /// A primary appends a change to its log, and whoever follows that hears of it.
    pub(super) fn commit(&mut self, node: usize, change: Change) {
        let mark = self.mark();
        self.write(node, Op::Commit(change, mark));
        if let Change::Enable(owner) = change {
            self.promises.enabled(owner, self.now);
        }
        tell!(self, "node {node}: {change:?} is at {}", self.nodes.all[node].data.head);
        if self.mix.level == Level::Single {
            // in the same step
            return self.secure(node, self.nodes.all[node].data.head);
        }
        self.wake(node);
    }

    /// A primary notes that a place is secured. Nobody is pushed that, but whoever awaits it looks often.
    pub(super) fn secure(&mut self, node: usize, place: At) {
        self.write(node, Op::Secure(place));
        self.wake(node);
    }

    fn wake(&mut self, node: usize) {
        for waiter in std::mem::take(&mut self.waiters[node]) {
            self.followed(node, waiter);
        }
    }

    /// Whoever follows the log gets what comes after its place, if that is in the log, or waits.
    fn followed(&mut self, node: usize, waiter: Waiter) {
        let Waiter { life, stream, after, .. } = waiter;
        let data = &self.nodes.all[node].data;
        let is_news = data.head.position > after.position || data.secured.position > waiter.secured;
        if !is_news {
            return self.waiters[node].push(waiter);
        }
        if data.holds(after) || self.protocol.is(Mutant::FollowedByPosition) {
            let pushed = Pushed { entries: data.after(after.position, self.mix.page), secured: data.secured };
            self.reply(node, life, Reply::Pushed { stream, after, pushed });
        }
    }
}
