//! Whoever restricts: the change, the wait for its durability at the node, and the wait for every lease at the replica.

use super::data::Op;
use super::life::Life;
use super::mix::{LEASE, SECOND};
use super::mutant::Mutant;
use super::names::Change;
use super::network::{Message, Reply};
use super::promise::Witnesses;
use super::world::{Event, World, tell};
use crate::domain::time::BootTime;
use crate::revocation::{Holder, Registration, Standing, Tally, Terms, Verdict, Wait, is_everywhere};

/// How often a change is asked for that has not come to stand.
const ATTEMPTS: u32 = 4;

/// One call, with its repetitions.
pub(super) struct Flow {
    change: Change,
    attempt: u32,
    /// Of this attempt, on the replica's clock and in truth.
    begun: (BootTime, u64),
    /// When the first attempt began.
    started: u64,
    wait: Option<Wait>,
    until: Option<BootTime>,
    pause: u64,
    returned: bool,
    /// Where it stands.
    position: u64,
}

/// What happens to a call at its replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Begin,
    /// No answer has come to this attempt.
    GiveUp(u32),
    Poll(u32),
    Timer(u32),
}

/// A node's wait until a change is durable.
pub(super) struct Durability {
    node: usize,
    epoch: u64,
    life: usize,
    flow: (usize, u32),
    offset: u64,
    deadline: u64,
    pause: u64,
    standing: Standing,
}

impl Flow {
    pub(super) fn started(&self) -> u64 {
        self.started
    }
}

impl World {
    /// Plans a change, with requests round it.
    pub(super) fn plan_change(&mut self, at: u64) {
        let life = self.dice.index(3);
        let (key, owner) = (self.dice.index(super::names::KEYS), self.dice.index(super::names::OWNERS));
        let change = match self.dice.below(10) {
            0..=4 => Change::Revoke(key),
            5 => Change::Rotate(key),
            6..=7 => Change::Disable(owner),
            8 => Change::Enable(owner),
            _ => Change::Rename(key),
        };
        let touched = if let Change::Rename(key) = change { vec![2 * key] } else { change.ends() };
        for digest in touched.into_iter().take(4) {
            for life in 0..3 {
                let before = self.dice.between(SECOND / 10, 2 * SECOND);
                self.request(life, digest, at.saturating_sub(before));
            }
            let (life, around) = (self.dice.index(3), self.dice.any_span(SECOND));
            let early = self.dice.below(SECOND / 50);
            self.request(life, digest, (at + around).saturating_sub(early));
        }
        self.flows.push(Flow {
            change,
            attempt: 0,
            begun: (BootTime(std::time::Duration::ZERO), 0),
            started: at,
            wait: None,
            until: None,
            pause: 1_000,
            returned: false,
            position: 0,
        });
        self.soon(at, Event::Flow(life, self.flows.len() - 1, Stage::Begin));
    }

    pub(super) fn flow(&mut self, life: usize, flow: usize, stage: Stage) {
        let this = &self.flows[flow];
        match stage {
            Stage::Begin => self.begin(life, flow),
            Stage::GiveUp(attempt) if attempt == this.attempt && this.wait.is_none() => {
                self.counts.not_guaranteed += 1;
                self.begin(life, flow);
            }
            Stage::Timer(attempt) if attempt == this.attempt => self.consider(life, flow),
            Stage::Poll(attempt) if attempt == this.attempt && !this.returned => {
                self.send(life, Message::Holders(flow, attempt));
                let this = &mut self.flows[flow];
                let pause = this.pause;
                this.pause = (pause * 2).min(SECOND / 2);
                self.soon(pause, Event::Flow(life, flow, Stage::Poll(attempt)));
            }
            _ => {}
        }
    }

    fn begin(&mut self, life: usize, flow: usize) {
        let (clock, now) = (self.clock(life), self.now);
        let this = &mut self.flows[flow];
        let change = this.change;
        if !change.restricts() {
            return self.send(life, Message::Put(change));
        }
        this.attempt += 1;
        if this.attempt > ATTEMPTS {
            return;
        }
        self.counts.repeated += u64::from(this.attempt > 1);
        if this.attempt == 1 {
            this.started = now;
        }
        (this.begun, this.wait, this.until, this.pause) = ((clock, now), None, None, 1_000);
        let attempt = this.attempt;
        tell!(self, "{life} asks for {change:?}, attempt {attempt}");
        self.send(life, Message::Change { flow, attempt, change });
        self.soon(self.mix.patience + SECOND, Event::Flow(life, flow, Stage::GiveUp(attempt)));
    }

    /// A node makes a change, or finds it made, and begins to wait until it is durable.
    pub(super) fn change(&mut self, node: usize, life: usize, (flow, attempt, change): (usize, u32, Change)) {
        if self.refuses_writes(node) {
            return;
        }
        if self.nodes.all[node].data.has(change) {
            self.write(node, Op::Touch);
        } else {
            self.commit(node, change);
        }
        let footing = self.nodes.footing(node, self.now);
        let this = &self.nodes.all[node];
        let standing = Standing {
            at: this.data.head,
            level: self.mix.level,
            footing,
            holders: this.data.registry.holders(),
            longest: this.data.longest,
        };
        let deadline = self.now + self.mix.patience;
        let (epoch, offset) = (this.epoch, this.data.offset);
        self.durability(Box::new(Durability { node, epoch, life, flow: (flow, attempt), offset, deadline, pause: 500, standing }));
    }

    pub(super) fn durability(&mut self, mut wait: Box<Durability>) {
        let node = &self.nodes.all[wait.node];
        if node.epoch != wait.epoch || !node.primary {
            return;
        }
        let (flow, attempt) = wait.flow;
        let acknowledged = self.nodes.acknowledged(wait.node, wait.offset, self.now);
        let outcome = if is_everywhere(self.protocol.keeps(), acknowledged, self.nodes.promotable()) {
            if !self.refuses_writes(wait.node) {
                self.secure(wait.node, wait.standing.at);
            }
            // who follows is told behind the wait: a node that came back while it lasted is seen
            wait.standing.footing = self.nodes.footing(wait.node, self.now);
            tell!(self, "node {}: durable at {}, on {:?}", wait.node, wait.standing.at, wait.standing.footing);
            Some(Box::new(wait.standing))
        } else if self.now > wait.deadline {
            None
        } else {
            let pause = wait.pause / 2 + self.dice.below(wait.pause);
            wait.pause = (2 * wait.pause).min(SECOND / 5);
            return self.soon(pause, Event::Durability(wait));
        };
        self.reply(wait.node, wait.life, Reply::Standing(flow, attempt, outcome));
    }

    /// A change stands, or does not.
    pub(super) fn stands(&mut self, life: usize, (flow, attempt): (usize, u32), standing: Option<Box<Standing>>) {
        let now = self.clock(life);
        let this = &mut self.flows[flow];
        if this.attempt != attempt || this.wait.is_some() || this.returned {
            return;
        }
        let Some(standing) = standing else {
            self.counts.not_guaranteed += 1;
            let pause = self.dice.any_span(SECOND);
            return self.soon(pause, Event::Flow(life, flow, Stage::Begin));
        };
        let longest = self.longest(life, &standing);
        let this = &mut self.flows[flow];
        let firmness = self.lives[life].ground.under(&standing.footing, this.begun.0, longest);
        let mut wait = Wait::new(self.protocol.keeps(), &standing, this.begun.0, (firmness, longest));
        wait.secured(now);
        (this.wait, this.position) = (Some(wait), standing.at.position);
        tell!(self, "{life} waits for {:?}: {:?}", this.change, this.wait);
        self.consider(life, flow);
        if !self.flows[flow].returned {
            self.soon(1_000, Event::Flow(life, flow, Stage::Poll(attempt)));
        }
    }

    fn longest(&self, life: usize, standing: &Standing) -> Terms {
        if self.protocol.is(Mutant::LongestAsTold) {
            return Terms { lease: standing.longest };
        }
        self.lives[life].follower.longest(standing.longest)
    }

    pub(super) fn heard(&mut self, life: usize, (flow, attempt): (usize, u32), holders: &[(Holder, Registration)]) {
        let this = &mut self.flows[flow];
        if this.attempt != attempt || this.returned {
            return;
        }
        if let Some(wait) = &mut this.wait {
            wait.heard(holders);
            self.consider(life, flow);
        }
    }

    /// Whether the call may return.
    fn consider(&mut self, life: usize, flow: usize) {
        let now = self.clock(life);
        let this = &mut self.flows[flow];
        let Some(wait) = this.wait.as_ref().filter(|_| !this.returned) else { return };
        match wait.verdict(now) {
            Verdict::Over(tally) => {
                this.returned = true;
                let fast = this.until.is_none_or(|until| now < until);
                self.returned(flow, tally, fast);
            }
            Verdict::Wait { until } if this.until.is_none() => {
                this.until = until;
                let attempt = this.attempt;
                if let Some(until) = until {
                    let when = self.lives[life].clock.when(until);
                    self.at(when, Event::Flow(life, flow, Stage::Timer(attempt)));
                }
            }
            Verdict::Wait { .. } => {}
        }
    }

    /// Whoever the store says has acknowledged a place that it would notice the loss of.
    fn witnesses(&self, position: u64) -> Witnesses {
        let data = &self.nodes.all[self.official].data;
        let have =
            |life: &&Life| data.registry.holders().iter().any(|(holder, entry)| *holder == life.holder() && entry.applied >= position);
        let noticed = !data.is_written_off(position);
        let by = self.lives.iter().enumerate().filter(|(_, life)| noticed && have(life)).map(|(nth, _)| nth).collect();
        Witnesses { by, position }
    }

    fn returned(&mut self, flow: usize, tally: Tally, fast: bool) {
        let Flow { change, begun, position, .. } = self.flows[flow];
        self.counts.returns += 1;
        *(if fast { &mut self.counts.fast_returns } else { &mut self.counts.timer_returns }) += 1;
        tell!(self, "{change:?} has returned: {tally:?}");
        if begun.1 > self.restored {
            let witnesses = self.witnesses(position);
            self.promises.made(change, begun.1, self.now, &witnesses);
        }
        for digest in change.ends().into_iter().take(4) {
            for _ in 0..3 {
                if let Some(life) = self.alive() {
                    let later = if self.dice.chance(500) { self.dice.any_span(LEASE * 3 / 2) } else { self.dice.below(LEASE / 2) };
                    self.request(life, digest, later + 1);
                }
            }
        }
    }
}
