//! One configuration: limits, replicas, faults, and who asks when.

use std::sync::Arc;

use jiff::tz::TimeZone;

use crate::domain::bearer::Bearer;
use crate::domain::calendar::Unit;
use crate::domain::limit::{InForce, Length, Limit, Per};
use crate::domain::name::{KeyId, OwnerId, RealmId, Word};
use crate::domain::outcome::{Counts, Kind, Outcomes};
use crate::domain::owner::Owner;
use crate::domain::time::StoreTime;
use crate::domain::window::Force;
use crate::revocation::simulation::dice::Dice;

/// How a key is used.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Pattern {
    /// At random instants, so many times as fast as its limits allow.
    Rate(f64),
    /// Quiet, then all at once, twice a length or so.
    Bursts,
    /// Quiet, then all that a limit allows just before and just after its window would turn.
    Boundary,
}

#[derive(Debug, Clone)]
pub(super) struct Mix {
    pub seed: u64,
    pub replicas: usize,
    pub owners: usize,
    pub keys_each: usize,
    /// Per key and per owner; the same for all.
    pub limits: Vec<Limit>,
    /// What each is lowered to, and when, in microseconds.
    pub lowered: Option<(Vec<u32>, u64)>,
    pub pattern: Pattern,
    pub costs: Vec<u32>,
    /// In microseconds.
    pub length: u64,
    /// So that one configuration takes a moment.
    pub most_checks: usize,
    /// A call takes up to so long in either direction.
    pub delay: u64,
    /// And sometimes up to so long.
    pub long_delay: u64,
    pub once_ms: u64,
    /// In thousands: tasks that are woken late.
    pub late: u64,
    /// In thousands: calls and replies that are lost, checks that are cancelled, outcomes that are not counted, crashes per second.
    pub lost: u64,
    pub cancelled: u64,
    pub uncounted: u64,
    pub crashes: u64,
}

const DAY: i64 = 86_400_000;
pub(super) const SECOND: u64 = 1_000_000;

impl Mix {
    pub(super) fn random(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let limits = limits(&mut dice);
        let longest = limits.iter().filter_map(sliding).max().unwrap_or(2_000);
        let length = (u64::from(longest) * 3_500).min(30 * SECOND);
        let lowered = dice.chance(300).then(|| {
            let lower = limits.iter().map(|limit| dice.between(1, u64::from(limit.most) + 1) as u32).collect();
            (lower, dice.below(length))
        });
        let pattern = match dice.below(6) {
            0 => Pattern::Rate(0.8),
            1 => Pattern::Rate(3.0),
            2 | 3 => Pattern::Bursts,
            _ => Pattern::Boundary,
        };
        let some = |dice: &mut Dice, most: &[u64]| most[dice.index(most.len())];
        Self {
            seed,
            replicas: dice.between(1, 7) as usize,
            owners: dice.between(1, 3) as usize,
            keys_each: dice.between(1, 4) as usize,
            limits,
            lowered,
            pattern,
            costs: [vec![1], vec![1], vec![1, 1, 1, 2, 7]][dice.index(3)].clone(),
            length,
            most_checks: 12_000,
            delay: some(&mut dice, &[1_000, 10_000, 40_000, 100_000]),
            long_delay: some(&mut dice, &[100_000, 600_000]),
            once_ms: some(&mut dice, &[50, 50, 250]),
            late: some(&mut dice, &[0, 30, 300]),
            lost: some(&mut dice, &[0, 0, 20, 200]),
            cancelled: some(&mut dice, &[0, 50, 500]),
            uncounted: some(&mut dice, &[0, 300]),
            crashes: some(&mut dice, &[0, 0, 100, 1000]),
        }
    }

    /// The store's time at the start: a day ends halfway.
    pub(super) fn base(&self) -> i64 {
        20_000 * DAY - (self.length / 2_000) as i64
    }

    /// A key, and its owner, as they are before or after limits were lowered.
    pub(super) fn bearer(&self, key: usize, version: u64) -> Arc<Bearer> {
        bearer(key, key / self.keys_each, version)
    }

    pub(super) fn in_force(&self, version: u64) -> Vec<InForce<'_>> {
        let most = |at: usize| self.lowered.as_ref().filter(|_| version > 0).map_or(self.limits[at].most, |(lower, _)| lower[at]);
        self.limits.iter().enumerate().map(|(at, limit)| InForce { limit, most: most(at) }).collect()
    }
}

/// A key of an owner, by their numbers.
pub(in crate::replica::tokens) fn bearer(key: usize, owner: usize, generation: u64) -> Arc<Bearer> {
    let owner = Owner {
        realm: RealmId::parse("simulated").unwrap(),
        id: OwnerId::parse(&format!("owner-{owner}")).unwrap(),
        name: String::new(),
        plan: None,
        limits: [].into(),
        created: StoreTime(0),
        disabled: None,
        revision: 1,
        generation,
    };
    Arc::new(Bearer {
        key: KeyId::parse(&format!("key_{key}")).unwrap(),
        environment: None,
        kind: None,
        plan: None,
        tenant: None,
        scopes: [].into(),
        special: None,
        expires: None,
        revoked: false,
        secret: 1,
        generation,
        owner: Arc::new(owner),
    })
}

/// The length of a window that slides, in milliseconds.
pub(super) fn sliding(limit: &Limit) -> Option<u32> {
    if let Length::Sliding(length) = limit.length { Some(length) } else { None }
}

/// A limit of everything that is enforced.
pub(in crate::replica::tokens) fn limit(name: &str, per: Per, most: u32, length_ms: u32) -> Limit {
    let length = Length::Sliding(length_ms);
    Limit { name: Word::parse(name).unwrap(), per, most, length, counts: Counts::All, force: Force::Enforced }
}

/// A quota of one day.
pub(in crate::replica::tokens) fn calendar(most: u32) -> Limit {
    Limit { length: Length::Calendar(Unit::Day, TimeZone::UTC), ..limit("quota", Per::Key, most, 1_000) }
}

fn limits(dice: &mut Dice) -> Vec<Limit> {
    let mut limits: Vec<Limit> = Vec::new();
    for number in 0..dice.between(1, 6) {
        let per = if dice.chance(500) { Per::Key } else { Per::Owner };
        let most = [dice.between(1, 16), dice.between(16, 60), dice.between(60, 600)][dice.index(3)] as u32;
        let lengths = [1_000, 2_000, 5_000, 10_000];
        let mut new = limit(&format!("limit-{number}"), per, most, lengths[dice.index(4)]);
        if dice.chance(200) {
            new.length = Length::Calendar(Unit::Day, TimeZone::UTC);
        }
        if dice.chance(400) {
            new.counts = Counts::Only(Outcomes::new(&[Kind::Class(2)], Vec::new()));
        }
        if number > 0 && dice.chance(250) {
            new.force = Force::Shadow;
        }
        if limits.iter().all(|other| (other.per, other.window()) != (new.per, new.window())) {
            limits.push(new);
        }
    }
    limits
}
