//! The nodes of the store: who is a primary, who follows whom, and how far. Replication is asynchronous, in order, and worked out only when
//! somebody looks: an operation is on its way with the time at which it comes.

use std::collections::VecDeque;
use std::rc::Rc;

use super::data::{Data, Op};
use super::dice::Dice;
use crate::revocation::{Firmness, Footing, Level, Whole};

/// How often a replica tells its primary how far it is, at least.
const HEARTBEAT: u64 = 1_000_000;

pub(super) struct Node {
    pub(super) data: Data,
    pub(super) primary: bool,
    /// Goes up whenever its connections break.
    pub(super) epoch: u64,
    pub(super) down_until: u64,
    /// The history that it is in, and the one before with its end: what decides whether who follows must copy everything.
    lineage: u64,
    before: Option<(u64, u64)>,
    /// So many copied everything from it.
    copies: u64,
    pub(super) upstream: Option<Link>,
    /// Followers that left without a word.
    ghosts: Vec<Ghost>,
}

/// A replica's link to its primary.
pub(super) struct Link {
    pub(super) from: usize,
    /// Of the primary, when they were linked: one that has followed another node since has lost its own followers.
    epoch: u64,
    /// Before that it copies.
    pub(super) online: u64,
    lag: u64,
    shipped: VecDeque<Shipped>,
    applied: usize,
    acknowledged: u64,
    data: Cut,
    acks: Cut,
}

#[derive(Debug, Clone, Copy, Default)]
struct Cut {
    since: u64,
    until: u64,
}

struct Shipped {
    op: Rc<Op>,
    offset: u64,
    comes: u64,
    heard: u64,
}

struct Ghost {
    node: usize,
    since: u64,
    acknowledged: u64,
}

pub(super) struct Nodes {
    pub(super) all: Vec<Node>,
    level: Level,
    max_lag: u64,
    lineages: u64,
}

impl Nodes {
    pub(super) fn new(count: usize, (level, max_lag): (Level, u64), keep: usize, dice: &mut Dice) -> Self {
        let node = |number| Node {
            data: Data::new(keep),
            primary: number == 0,
            epoch: 0,
            down_until: 0,
            lineage: 0,
            before: None,
            copies: 0,
            upstream: None,
            ghosts: Vec::new(),
        };
        let mut nodes = Self { all: (0..count).map(node).collect(), level, max_lag, lineages: 0 };
        for replica in 1..count {
            nodes.follow(replica, 0, (0, 0), dice);
        }
        nodes
    }

    /// A replica's link to this node, if they are linked.
    fn link(&self, replica: usize, to: usize) -> Option<&Link> {
        self.all[replica].upstream.as_ref().filter(|link| (link.from, link.epoch) == (to, self.all[to].epoch))
    }

    pub(super) fn follows(&self, replica: usize, to: usize) -> bool {
        self.link(replica, to).is_some()
    }

    pub(super) fn promotable(&self) -> u32 {
        self.all.len() as u32 - 1
    }

    /// A primary does an operation and sends it on its way to its replicas.
    pub(super) fn write(&mut self, node: usize, op: Op, now: u64, dice: &mut Dice) {
        let op = Rc::new(op);
        self.all[node].data.apply(&op);
        let offset = self.all[node].data.offset;
        for replica in 0..self.all.len() {
            let epoch = self.all[node].epoch;
            if let Some(link) = self.all[replica].upstream.as_mut().filter(|link| (link.from, link.epoch) == (node, epoch)) {
                link.ship(op.clone(), offset, now, dice);
            }
        }
    }

    /// Brings a replica to where it is now.
    pub(super) fn settle(&mut self, replica: usize, now: u64) {
        let node = &mut self.all[replica];
        let Some(link) = &mut node.upstream else { return };
        if now < link.online {
            return;
        }
        while link.shipped.get(link.applied).is_some_and(|shipped| shipped.comes <= now) {
            node.data.apply(&link.shipped[link.applied].op);
            link.applied += 1;
        }
        while link.applied > 0 && link.shipped[0].heard <= now {
            link.acknowledged = link.acknowledged.max(link.shipped[0].offset);
            link.shipped.pop_front();
            link.applied -= 1;
        }
    }

    /// How many replicas a primary knows to have an offset.
    pub(super) fn acknowledged(&mut self, node: usize, offset: u64, now: u64) -> u32 {
        let mut count = 0;
        for replica in 0..self.all.len() {
            self.settle(replica, now);
            let link = self.link(replica, node);
            let ghost = self.all[node].ghosts.iter().find(|ghost| ghost.node == replica);
            let known = link.map(|link| link.acknowledged).or(ghost.map(|ghost| ghost.acknowledged));
            count += u32::from(known.is_some_and(|known| known >= offset));
        }
        count
    }

    /// How many replicas a primary believes to be in touch.
    pub(super) fn in_touch(&self, node: usize, now: u64) -> u32 {
        let linked = (0..self.all.len()).filter_map(|replica| self.link(replica, node));
        let fresh = linked.filter(|link| now >= link.online && now.saturating_sub(link.heard(now)) <= self.max_lag).count();
        let ghosts = self.all[node].ghosts.iter().filter(|ghost| now - ghost.since <= self.max_lag).count();
        (fresh + ghosts) as u32
    }

    /// How many replicas are connected, as far as a primary has noticed.
    fn online(&self, node: usize, now: u64) -> u32 {
        let linked = (0..self.all.len()).filter_map(|replica| self.link(replica, node));
        (linked.filter(|link| now >= link.online).count() + self.all[node].ghosts.len()) as u32
    }

    pub(super) fn footing(&self, node: usize, now: u64) -> Footing {
        let this = &self.all[node];
        let whole = if self.online(node, now) >= self.promotable() { Whole::Whole } else { Whole::Missing };
        let primary: Box<str> = format!("{node}:{}:{}:{}", this.epoch, this.lineage, this.copies).into();
        let vouched = if this.data.vouched.as_ref() == Some(&primary) { Firmness::Firm } else { Firmness::Shifting };
        Footing { primary, whole, level: self.level, vouched }
    }

    /// A replica becomes a primary with what it has.
    pub(super) fn promote(&mut self, node: usize, now: u64) {
        self.settle(node, now);
        self.leave(node, now);
        self.lineages += 1;
        let this = &mut self.all[node];
        this.before = Some((this.lineage, this.data.offset));
        (this.lineage, this.primary) = (self.lineages, true);
    }

    pub(super) fn is_promotable(&self, node: usize, now: u64) -> bool {
        let this = &self.all[node];
        !this.primary && this.down_until <= now && this.upstream.as_ref().is_some_and(|link| now >= link.online)
    }

    /// A node follows another one: it drops what it has and copies it, and takes some time for it.
    pub(super) fn follow(&mut self, node: usize, to: usize, (now, long): (u64, u64), dice: &mut Dice) {
        self.settle(node, now);
        self.leave(node, now);
        let (lineage, offset) = (self.all[node].lineage, self.all[node].data.offset);
        let of = &mut self.all[to];
        let goes_on = of.lineage == lineage && offset <= of.data.offset;
        let shared = of.before.is_some_and(|(before, end)| before == lineage && offset <= end);
        of.ghosts.retain(|ghost| ghost.node != node);
        of.copies += u64::from(!goes_on && !shared);
        let (data, lineage, epoch) = (of.data.clone(), of.lineage, of.epoch);
        let lag = if dice.chance(200) { dice.any_span(400_000) } else { dice.between(100, 2_000) };
        let acknowledged = data.offset;
        let this = &mut self.all[node];
        (this.data, this.lineage, this.before, this.primary) = (data, lineage, None, false);
        this.epoch += 1;
        this.ghosts.clear();
        this.upstream = Some(Link {
            from: to,
            epoch,
            online: now + long,
            lag,
            shipped: VecDeque::new(),
            applied: 0,
            acknowledged,
            data: Cut::default(),
            acks: Cut::default(),
        });
    }

    /// Nothing that a replica is sent comes, or nothing of what it says, until then.
    pub(super) fn cut(&mut self, replica: usize, (now, until): (u64, u64), (data, acks): (bool, bool)) {
        self.settle(replica, now);
        let Some(link) = &mut self.all[replica].upstream else { return };
        if data {
            link.data = link.data.again(now, until);
        }
        if acks {
            link.acks = link.acks.again(now, until);
        }
        link.delay(now);
    }

    /// A replica leaves its primary, which does not hear of it while they are cut off.
    fn leave(&mut self, node: usize, now: u64) {
        if let Some(link) = self.all[node].upstream.take()
            && now < link.acks.until
            && link.epoch == self.all[link.from].epoch
        {
            let ghost = Ghost { node, since: link.acks.since, acknowledged: link.acknowledged };
            self.all[link.from].ghosts.push(ghost);
        }
    }

    /// A node starts again with what it had: a new run, a new history.
    pub(super) fn restart(&mut self, node: usize, until: u64) {
        self.lineages += 1;
        let this = &mut self.all[node];
        (this.lineage, this.before, this.down_until) = (self.lineages, None, until);
        this.epoch += 1;
    }
}

impl Link {
    fn ship(&mut self, op: Rc<Op>, offset: u64, now: u64, dice: &mut Dice) {
        let (comes, heard) = self.shipped.back().map_or((self.online, self.online), |last| (last.comes, last.heard));
        let comes = comes.max(now.max(self.data.until) + dice.between(self.lag / 2, self.lag + 2));
        let heard = heard.max(comes.max(self.acks.until) + dice.between(50, 1_000));
        self.shipped.push_back(Shipped { op, offset, comes, heard });
    }

    /// What is on its way comes after the cuts.
    fn delay(&mut self, now: u64) {
        let (data, acks) = (self.data.until, self.acks.until);
        for shipped in &mut self.shipped {
            if shipped.comes > now {
                shipped.comes = shipped.comes.max(data + 100);
            }
            if shipped.heard > now {
                shipped.heard = shipped.heard.max(shipped.comes).max(acks + 200);
            }
        }
    }

    /// When its primary last heard of it.
    fn heard(&self, now: u64) -> u64 {
        if now < self.acks.until { self.acks.since.saturating_sub(HEARTBEAT / 2) } else { now }
    }
}

impl Cut {
    fn again(self, now: u64, until: u64) -> Self {
        let since = if now < self.until { self.since } else { now };
        Self { since, until: self.until.max(until) }
    }
}
