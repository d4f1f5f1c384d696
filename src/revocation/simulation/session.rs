//! A replica's session with the store: renewals, pushes, acknowledgements, and the dismissal of those whose leases have ended.

use super::life::{Clock, Life};
use super::mix::{LEASE, SECOND};
use super::mutant::Mutant;
use super::network::{Message, Reply, Way};
use super::world::{Event, World, tell};
use crate::revocation::{At, Firmness, Holder, Log, Mark, Obligation, Pushed, Renewed, Terms};

/// After so long a call is given up.
const PATIENCE: u64 = SECOND;

impl World {
    /// A replica starts.
    pub(super) fn born(&mut self, name: usize) {
        let holder = Holder { replica: ["a", "b", "c"][name].into(), incarnation: self.dice.draw() };
        let terms = Terms { lease: self.mix.lease };
        let rate = 1_000_000 - 10_000 + self.dice.below(20_001);
        let clock = Clock { rate, offset: self.dice.below(1000) * SECOND, uncounted: 0 };
        let life = self.lives.len();
        self.lives.push(Life::new(self.protocol.keeps(), holder, terms, clock));
        let nodes = self.mix.nodes;
        let other = self.dice.index(nodes);
        self.lives[life].target = if self.nodes.all[other].primary { other } else { self.official };
        self.ways.push(vec![Way::default(); self.mix.nodes]);
        let delay = self.dice.below(LEASE / 5);
        self.soon(delay, Event::Tick(life));
    }

    pub(super) fn mark(&mut self) -> Mark {
        if self.protocol.is(Mutant::PositionsOnly) { Mark::default() } else { Mark(self.dice.draw()) }
    }

    pub(super) fn tick(&mut self, life: usize) {
        self.renew_now(life);
        if self.lives[life].following.is_none_or(|(_, since)| self.now - since > PATIENCE) {
            self.follow(life);
        }
        let pause = LEASE / 5 - LEASE / 50 + self.dice.below(LEASE / 25);
        self.soon(pause, Event::Tick(life));
    }

    /// Asks for a renewal, unless one is on its way.
    pub(super) fn renew_now(&mut self, life: usize) {
        let clock = self.clock(life);
        let (now, late) = (self.now, self.mix.late);
        let this = &mut self.lives[life];
        if this.renewing.last().is_some_and(|(_, since, _)| now - since <= PATIENCE) {
            return;
        }
        if !late {
            this.renewing.clear();
        }
        let asked = this.follower.ask(clock);
        let renewal = Box::new(asked.renewal.clone());
        this.asked += 1;
        let number = this.asked;
        this.renewing.push((number, now, asked));
        self.counts.renewals += 1;
        self.send(life, Message::Renew(number, renewal));
    }

    fn follow(&mut self, life: usize) {
        let now = self.now;
        let this = &mut self.lives[life];
        if let Some(after) = this.follower.applied() {
            this.streams += 1;
            let stream = this.streams;
            this.following = Some((stream, now));
            let secured = this.follower.secured().position;
            self.send(life, Message::Follow { stream, after, secured });
        }
    }

    pub(super) fn answered(&mut self, life: usize, reply: Reply) {
        match reply {
            Reply::Renewed(number, renewed) => self.renewed(life, number, *renewed),
            Reply::Pushed { stream, after, pushed } => self.pushed(life, stream, (after, pushed)),
            Reply::Found { check, attempt, at, found } => self.found(life, check, (attempt, at, found)),
            Reply::Standing(flow, attempt, standing) => self.stands(life, (flow, attempt), standing),
            Reply::Holders(flow, attempt, holders) => self.heard(life, (flow, attempt), &holders),
        }
    }

    fn renewed(&mut self, life: usize, number: u64, mut renewed: Renewed) {
        let now = self.clock(life);
        let this = &mut self.lives[life];
        let Some(nth) = this.renewing.iter().position(|(asked, ..)| *asked == number) else { return };
        let (_, _, asked) = if self.mix.late { this.renewing[nth].clone() } else { this.renewing.remove(nth) };
        this.ground.observe(&renewed.footing, now);
        let (mut late, after) = (Pushed::default(), this.follower.applied().unwrap_or_default());
        if let Log::Entries { entries, head } = &mut renewed.log
            && self.protocol.drops(Obligation::LogBeforeLease)
            && let Some(applied) = this.follower.applied()
        {
            late = Pushed { entries: std::mem::take(entries), secured: renewed.secured };
            *head = applied;
        }
        let before = this.follower.acknowledges();
        this.follower.renewed(&asked, &renewed, now, &mut this.memory);
        let (applied, overdue) = (this.follower.applied(), this.follower.overdue(now));
        let longest = this.follower.longest(renewed.longest);
        let firm = this.ground.under(&renewed.footing, asked.sent(), longest) == Firmness::Firm;
        if firm && renewed.footing.vouched == Firmness::Shifting {
            self.send(life, Message::Vouch(renewed.footing.primary.clone()));
        }
        let holder = self.lives[life].holder();
        tell!(self, "{holder} has renewed to {applied:?}, until {:?}", self.lives[life].follower.lease_until());
        if !late.entries.is_empty() {
            let delay = self.dice.any_span(SECOND);
            self.soon(delay, Event::Apply(life, after, late));
        } else if let Log::Entries { head, .. } = &renewed.log
            && applied.is_none_or(|applied| applied.position < head.position)
        {
            self.lives[life].renewing.retain(|(asked, ..)| *asked != number);
            self.renew_now(life);
        }
        let news = self.lives[life].follower.acknowledges().filter(|place| Some(*place) != before);
        if let Some(place) = news.or(applied.filter(|_| self.protocol.is(Mutant::UnsecuredIsAcknowledged))) {
            self.send(life, Message::Acknowledge(holder, place));
        }
        if self.lives[life].following.is_none() {
            self.follow(life);
        }
        for (holder, renewals) in overdue {
            self.counts.dismissals += 1;
            self.send(life, Message::Dismiss(holder, renewals));
        }
    }

    fn pushed(&mut self, life: usize, stream: u64, (after, mut pushed): (At, Pushed)) {
        if self.protocol.is(Mutant::UnsecuredIsAcknowledged) {
            pushed.secured = At::default();
        }
        let this = &mut self.lives[life];
        let current = this.following.is_some_and(|(current, _)| current == stream);
        if current {
            this.following = None;
        } else if !self.mix.late {
            return;
        }
        self.counts.pushes += 1;
        if self.protocol.drops(Obligation::AppliedBeforeAcknowledged) {
            if let Some(last) = pushed.entries.last() {
                self.send(life, Message::Acknowledge(self.lives[life].holder(), last.at));
            }
            let delay = self.dice.any_span(SECOND);
            self.soon(delay, Event::Apply(life, after, pushed));
        } else {
            self.apply(life, after, &pushed);
        }
        if current {
            self.follow(life);
        }
    }

    pub(super) fn apply(&mut self, life: usize, after: At, pushed: &Pushed) {
        let this = &mut self.lives[life];
        let before = this.follower.applied();
        let news = this.follower.pushed(after, pushed, &mut this.memory);
        self.counts.contradictions += u64::from(before.is_some() && this.follower.applied().is_none());
        let holder = this.holder();
        tell!(self, "{holder} is pushed {pushed:?} and is at {:?}", self.lives[life].follower.applied());
        let applied = self.lives[life].follower.applied().filter(|_| self.protocol.is(Mutant::UnsecuredIsAcknowledged));
        if let Some(place) = news.or(applied) {
            self.send(life, Message::Acknowledge(holder, place));
        }
    }
}
