//! The world of one schedule: everything that is, and what happens next.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use super::checks::{Check, Step};
use super::counts::Counts;
use super::data::Data;
use super::dice::Dice;
use super::faults::Happening;
use super::life::{Life, State};
use super::mix::{Campaign, Mix, SECOND};
use super::mutant::Protocol;
use super::network::{Message, Reply, Waiter, Way};
use super::nodes::Nodes;
use super::promise::{Promises, Violation};
use super::revoker::{Durability, Flow, Stage};
use crate::domain::time::BootTime;
use crate::revocation::{At, Pushed};

/// What happens.
pub(super) enum Event {
    /// It is time to renew.
    Tick(usize),
    ToNode(usize, usize, Message),
    ToLife(usize, Reply),
    /// Entries that a mutant applies late.
    Apply(usize, At, Pushed),
    Check(usize, usize, Step),
    Flow(usize, usize, Stage),
    Durability(Box<Durability>),
    Happening(Happening),
}

pub(super) struct World {
    pub(super) dice: Dice,
    pub(super) mix: Mix,
    pub(super) protocol: Protocol,
    pub(super) now: u64,
    pub(super) nodes: Nodes,
    /// The primary that sentinels name.
    pub(super) official: usize,
    pub(super) isolated: Vec<u64>,
    pub(super) lives: Vec<Life>,
    pub(super) ways: Vec<Vec<Way>>,
    pub(super) waiters: Vec<Vec<Waiter>>,
    pub(super) checks: Vec<Check>,
    pub(super) flows: Vec<Flow>,
    pub(super) promises: Promises,
    pub(super) backup: Option<Data>,
    pub(super) restored: u64,
    pub(super) lost: u64,
    pub(super) counts: Counts,
    pub(super) violation: Option<Violation>,
    pub(super) told: bool,
    queue: BinaryHeap<Pending>,
    pending: u64,
}

struct Pending {
    at: u64,
    nth: u64,
    event: Event,
}

/// Says what happens, where somebody listens.
macro_rules! tell {
    ($world:expr, $($what:tt)*) => {
        if $world.told {
            eprintln!("{:>12.6} {}", $world.now as f64 / 1e6, format_args!($($what)*));
        }
    };
}
pub(super) use tell;

impl World {
    /// Runs one schedule to its end, or to the first broken promise.
    pub(super) fn run(seed: u64, campaign: Campaign, protocol: Protocol) -> (Result<(), Violation>, Counts) {
        Self::play(seed, campaign, protocol, false)
    }

    pub(super) fn play(seed: u64, campaign: Campaign, protocol: Protocol, told: bool) -> (Result<(), Violation>, Counts) {
        let mut world = Self::new(seed, campaign, protocol);
        world.told = told;
        tell!(world, "{:?}", world.mix);
        world.prepare();
        while world.violation.is_none()
            && let Some(Pending { at, event, .. }) = world.queue.pop()
            && at <= world.mix.horizon
        {
            world.now = at;
            world.counts.events += 1;
            world.happens(event);
        }
        world.counts.schedules = 1;
        (world.violation.map_or(Ok(()), Err), world.counts)
    }

    fn new(seed: u64, campaign: Campaign, protocol: Protocol) -> Self {
        let mut dice = Dice::new(seed);
        let mix = Mix::draw(campaign, &mut dice);
        let nodes = Nodes::new(mix.nodes, (mix.level, mix.max_lag), mix.keep, &mut dice);
        Self {
            now: 0,
            nodes,
            official: 0,
            isolated: vec![0; mix.nodes],
            lives: Vec::new(),
            ways: Vec::new(),
            waiters: (0..mix.nodes).map(|_| Vec::new()).collect(),
            checks: Vec::new(),
            flows: Vec::new(),
            promises: Promises::new(),
            backup: None,
            restored: 0,
            lost: 0,
            counts: Counts::default(),
            violation: None,
            told: false,
            queue: BinaryHeap::with_capacity(256),
            pending: 0,
            dice,
            mix,
            protocol,
        }
    }

    fn prepare(&mut self) {
        for name in 0..3 {
            self.born(name);
        }
        for _ in 0..self.mix.changes {
            let at = self.dice.between(SECOND, self.mix.horizon - 6 * SECOND);
            self.plan_change(at);
        }
        self.plan_faults();
    }

    pub(super) fn soon(&mut self, delay: u64, event: Event) {
        self.pending += 1;
        self.queue.push(Pending { at: self.now + delay, nth: self.pending, event });
    }

    pub(super) fn at(&mut self, when: u64, event: Event) {
        self.soon(when.saturating_sub(self.now), event);
    }

    /// The clock of a replica.
    pub(super) fn clock(&self, life: usize) -> BootTime {
        self.lives[life].clock.at(self.now)
    }

    pub(super) fn alive(&mut self) -> Option<usize> {
        let start = self.dice.index(self.lives.len());
        let all = self.lives.len();
        (0..all).map(|step| (start + step) % all).find(|life| self.lives[*life].state != State::Dead)
    }

    fn happens(&mut self, event: Event) {
        if let Some(life) = event.of_life() {
            match self.lives[life].state {
                State::Dead => return,
                State::Paused(until) if self.now < until => {
                    let later = until - self.now + self.dice.below(20_000);
                    return self.soon(later, event);
                }
                _ => self.lives[life].state = State::Running,
            }
        }
        match event {
            Event::Tick(life) => self.tick(life),
            Event::ToNode(node, life, message) => self.arrives(node, life, message),
            Event::ToLife(life, reply) => self.answered(life, reply),
            Event::Apply(life, after, pushed) => self.apply(life, after, &pushed),
            Event::Check(life, check, step) => self.check(life, check, step),
            Event::Flow(life, flow, stage) => self.flow(life, flow, stage),
            Event::Durability(wait) => self.durability(wait),
            Event::Happening(happening) => self.happening(happening),
        }
    }
}

impl Event {
    /// Whose process it takes.
    fn of_life(&self) -> Option<usize> {
        match self {
            Self::Tick(life) | Self::ToLife(life, _) | Self::Apply(life, ..) | Self::Check(life, ..) | Self::Flow(life, ..) => Some(*life),
            Self::ToNode(..) | Self::Durability(_) | Self::Happening(_) => None,
        }
    }
}

impl PartialEq for Pending {
    fn eq(&self, other: &Self) -> bool {
        self.nth == other.nth
    }
}

impl Eq for Pending {}

impl PartialOrd for Pending {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The earliest is the greatest: a heap gives that first.
impl Ord for Pending {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.nth).cmp(&(self.at, self.nth))
    }
}
