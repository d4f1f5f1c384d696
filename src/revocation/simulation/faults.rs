//! What goes wrong, and when.

use super::data::Op;
use super::life::State;
use super::mix::{FaultKind, LEASE, SECOND};
use super::network::Way;
use super::world::{Event, World, tell};
use crate::revocation::{At, Obligation};

/// What happens to the world, as against in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Happening {
    Fault(FaultKind),
    /// A replica hears who the primary is.
    Discover(usize),
    Promote(usize),
    /// A node is told to follow the primary.
    Reconfigure(usize),
    /// A replica of this name starts.
    Born(usize),
    Dies(usize),
    BackUp,
    Resume,
}

impl World {
    pub(super) fn plan_faults(&mut self) {
        let starts: Vec<u64> = self.flows.iter().map(super::revoker::Flow::started).collect();
        for (kind, count) in self.mix.faults.clone() {
            for _ in 0..count {
                let near = starts[self.dice.index(starts.len())];
                let at = match self.dice.below(3) {
                    0 => self.dice.below(self.mix.horizon - 4 * SECOND),
                    1 => near + self.dice.any_span(2 * SECOND),
                    _ => near.saturating_sub(self.dice.any_span(4 * SECOND)),
                };
                if kind == FaultKind::Restore {
                    let before = at.saturating_sub(self.dice.below(6 * SECOND));
                    self.at(before, Event::Happening(Happening::BackUp));
                }
                self.at(at, Event::Happening(Happening::Fault(kind)));
            }
        }
    }

    pub(super) fn happening(&mut self, happening: Happening) {
        tell!(self, "-- {happening:?}");
        match happening {
            Happening::Fault(kind) => self.fault(kind),
            Happening::Discover(life) => self.lives[life].target = self.official,
            Happening::Promote(node) => self.promote(node),
            Happening::Reconfigure(node) => self.reconfigure(node),
            Happening::Born(name) => self.born(name),
            Happening::Dies(life) => self.lives[life].state = State::Dead,
            Happening::BackUp => self.backup = Some(self.nodes.all[0].data.clone()),
            Happening::Resume => self.resume(),
        }
    }

    fn fault(&mut self, kind: FaultKind) {
        match kind {
            FaultKind::CutLife => self.cut_life(),
            FaultKind::CutLink => {
                let (replica, long) = (self.dice.index(self.mix.nodes), self.dice.any_span(4 * SECOND));
                let sides = [(true, true), (true, false), (false, true)][self.dice.index(3)];
                self.counts.cuts += 1;
                self.nodes.cut(replica, (self.now, self.now + long), sides);
            }
            FaultKind::Isolate => {
                let (node, long) = (self.dice.index(self.mix.nodes), self.dice.between(SECOND / 2, 8 * SECOND));
                self.isolate(node, long);
            }
            FaultKind::Failover => self.failover(),
            FaultKind::Flap => self.flap(),
            FaultKind::Pause | FaultKind::Suspend | FaultKind::Crash | FaultKind::Overlap => self.process(kind),
            FaultKind::RestartNode => {
                let long = self.dice.any_span(3 * SECOND);
                self.counts.restarts += 1;
                self.nodes.restart(0, self.now + long);
                self.waiters[0].clear();
            }
            FaultKind::Restore => self.restore(),
        }
    }

    fn cut_life(&mut self) {
        let Some(life) = self.alive() else { return };
        let until = self.now + self.dice.between(self.mix.cut.0, self.mix.cut.1);
        let (held, side, all) = (self.dice.chance(300), self.dice.below(4), self.dice.chance(700));
        let one = self.dice.index(self.mix.nodes);
        self.counts.cuts += 1;
        for (node, way) in self.ways[life].iter_mut().enumerate().filter(|(node, _)| all || *node == one) {
            tell!(self, "-- {life} is cut off from {node} until {until}, side {side}");
            let there_cut = if side == 1 { way.there_cut } else { until };
            let back_cut = if side == 2 { way.back_cut } else { until };
            *way = Way { there_cut, back_cut, held };
        }
    }

    /// A node is cut off from the others, and from some replicas.
    fn isolate(&mut self, node: usize, long: u64) {
        let until = self.now + long;
        self.counts.cuts += 1;
        self.isolated[node] = self.isolated[node].max(until);
        for other in 0..self.mix.nodes {
            let upstream = self.nodes.all[other].upstream.as_ref().map(|link| link.from);
            if other == node || upstream == Some(node) {
                self.nodes.cut(other, (self.now, until), (true, true));
            }
        }
        for life in 0..self.lives.len() {
            if self.dice.chance(500) {
                self.ways[life][node] = Way { there_cut: until, back_cut: until, held: self.dice.chance(300) };
            }
        }
    }

    fn failover(&mut self) {
        let primary = self.official;
        let mut delay = 0;
        match self.dice.below(10) {
            0..=4 => {
                let long = self.dice.between(SECOND, 8 * SECOND);
                self.isolate(primary, long);
                delay = self.dice.between(SECOND / 10, 4 * SECOND);
            }
            5..=7 => {
                delay = self.dice.between(SECOND / 10, 2 * SECOND);
                self.nodes.all[primary].down_until = self.now + delay + self.dice.any_span(6 * SECOND);
            }
            _ => {}
        }
        let node = self.dice.index(self.mix.nodes);
        self.soon(delay, Event::Happening(Happening::Promote(node)));
    }

    fn promote(&mut self, node: usize) {
        let count = self.mix.nodes;
        let chosen = (0..count).map(|step| (node + step) % count).find(|node| self.nodes.is_promotable(*node, self.now));
        let Some(chosen) = chosen else { return };
        self.counts.failovers += 1;
        self.nodes.promote(chosen, self.now);
        self.official = chosen;
        tell!(self, "-- node {chosen} is promoted");
        for other in (0..count).filter(|other| *other != chosen) {
            let delay = self.dice.any_span(6 * SECOND);
            self.soon(delay, Event::Happening(Happening::Reconfigure(other)));
        }
        for life in 0..self.lives.len() {
            let delay = if self.dice.chance(500) { self.dice.any_span(self.mix.unaware) } else { self.dice.below(self.mix.unaware) };
            self.soon(delay, Event::Happening(Happening::Discover(life)));
        }
    }

    /// One half of the sentinels promotes a node, and is overruled.
    fn flap(&mut self) {
        let node = self.dice.index(self.mix.nodes);
        if !self.nodes.is_promotable(node, self.now) {
            return;
        }
        self.counts.flaps += 1;
        let delay = self.dice.between(SECOND / 20, 6 * SECOND);
        if self.dice.chance(700) {
            self.nodes.cut(node, (self.now, self.now + delay), (true, true));
        }
        self.nodes.promote(node, self.now);
        for life in 0..self.lives.len() {
            if self.dice.chance(600) {
                self.lives[life].target = node;
            }
        }
        self.soon(delay, Event::Happening(Happening::Reconfigure(node)));
    }

    fn reconfigure(&mut self, node: usize) {
        let official = self.official;
        if node == official || self.nodes.follows(node, official) {
            return;
        }
        let busy = self.isolated[node].max(self.isolated[official]).max(self.nodes.all[node].down_until);
        if busy > self.now {
            return self.at(busy + 50_000, Event::Happening(Happening::Reconfigure(node)));
        }
        if !self.nodes.all[official].primary {
            return;
        }
        self.counts.demotions += u64::from(self.nodes.all[node].primary);
        let long = self.dice.any_span(SECOND);
        self.nodes.follow(node, official, (self.now, long), &mut self.dice);
        self.waiters[node].clear();
    }

    fn process(&mut self, kind: FaultKind) {
        let Some(life) = self.alive().filter(|life| self.lives[*life].state == State::Running) else { return };
        let long = self.dice.between(SECOND / 100, 9 * SECOND);
        let name = ["a", "b", "c"].iter().position(|name| **name == *self.lives[life].holder().replica).unwrap_or(0);
        tell!(self, "-- {kind:?} of {life}, {long}");
        match kind {
            FaultKind::Pause => {
                self.counts.pauses += 1;
                self.lives[life].state = State::Paused(self.now + long);
            }
            FaultKind::Suspend => {
                self.counts.suspensions += 1;
                self.lives[life].state = State::Paused(self.now + long);
                if self.protocol.drops(Obligation::SuspendedTimeCounts) {
                    self.lives[life].clock.uncounted += long;
                }
            }
            FaultKind::Crash => {
                self.counts.crashes += 1;
                self.lives[life].state = State::Dead;
                let delay = self.dice.any_span(2 * SECOND);
                self.soon(delay, Event::Happening(Happening::Born(name)));
            }
            _ => {
                self.counts.overlaps += 1;
                self.born(name);
                self.soon(SECOND / 2 + long, Event::Happening(Happening::Dies(life)));
            }
        }
    }

    fn restore(&mut self) {
        let Some(backup) = self.backup.take() else { return };
        self.counts.restores += 1;
        self.nodes.all[0].data = backup;
        let long = self.dice.any_span(2 * SECOND);
        self.nodes.restart(0, self.now + long);
        self.waiters[0].clear();
        self.restored = self.now;
        self.counts.voided += self.promises.void();
        self.promises.nobody_from(None);
    }

    /// The store's log is not the one that somebody was promised something on.
    pub(super) fn went_backwards(&mut self, node: usize, secured: At) {
        self.lost = self.lost.max(secured.position);
        self.write(node, Op::RollBack);
        self.promises.nobody_from(Some(self.now + LEASE));
        let delay = self.dice.between(SECOND, 8 * SECOND);
        self.soon(delay, Event::Happening(Happening::Resume));
    }

    fn resume(&mut self) {
        let node = self.official;
        if self.nodes.all[node].data.rolled_back {
            self.counts.resumptions += 1;
            self.write(node, Op::Resume(self.lost));
            self.promises.go_on();
        }
    }
}
