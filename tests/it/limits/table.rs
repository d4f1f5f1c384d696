//! The limits that are hammered, as data: the realm file, the keys in the store and the checker are made of the same table.

use std::fmt::Write as _;
use std::time::Duration;

use keyward::domain::name::Word;
use keyward::store::{Change, Store};

use super::records::{Answer, Interval, Record, worst_window};
use crate::support::seed;

pub const REALM: &str = "limits";
pub const HOST: &str = "limits.test";

/// What owners are given. Each owner has so many keys, and is attacked on its own.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub name: &'static str,
    pub limits: &'static [Limit],
    pub keys: usize,
    pub owners: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    pub per: Per,
    pub most: usize,
    pub window: Duration,
    pub counts: Counts,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Per {
    Key,
    Owner,
}

/// Whether what the upstream failed at is given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counts {
    All,
    AllBut5xx,
}

/// An owner, with the numbers of its keys.
#[derive(Debug, Clone)]
pub struct Owner {
    pub plan: Plan,
    pub keys: std::ops::Range<usize>,
}

/// The worst window of one limit, and how much was admitted by it.
#[derive(Debug, Clone, Copy)]
pub struct Found {
    pub plan: &'static str,
    pub limit: Limit,
    pub worst: usize,
}

const fn limit(per: Per, most: usize, millis: u64) -> Limit {
    Limit { per, most, window: Duration::from_millis(millis), counts: Counts::All }
}

const fn refunded(limit: Limit) -> Limit {
    Limit { counts: Counts::AllBut5xx, ..limit }
}

/// Exact logs; slots; windows so long that tokens of them are held in advance; limits that do not count everything.
pub const BOUNDED: &[Plan] = &[
    Plan { name: "log", limits: &[limit(Per::Key, 5, 1000), limit(Per::Key, 12, 3000), limit(Per::Owner, 16, 2000)], keys: 2, owners: 2 },
    Plan { name: "slots", limits: &[limit(Per::Key, 60, 1000), limit(Per::Owner, 150, 2000)], keys: 2, owners: 2 },
    Plan { name: "held", limits: &[limit(Per::Key, 240, 7000), limit(Per::Owner, 400, 8000)], keys: 2, owners: 2 },
    Plan { name: "refunds", limits: &[refunded(limit(Per::Key, 40, 1000)), limit(Per::Owner, 200, 2000)], keys: 2, owners: 1 },
];

/// The same and longer ones.
pub const FULL: &[Plan] = &[
    BOUNDED[0],
    BOUNDED[1],
    BOUNDED[2],
    BOUNDED[3],
    Plan { name: "long", limits: &[limit(Per::Key, 500, 10_000), limit(Per::Owner, 1200, 30_000)], keys: 2, owners: 2 },
];

/// The owners of these plans.
pub fn owners(plans: &[Plan]) -> Vec<Owner> {
    let mut owners: Vec<Owner> = Vec::new();
    for plan in plans.iter().flat_map(|plan| std::iter::repeat_n(*plan, plan.owners)) {
        let from = owners.last().map_or(0, |owner| owner.keys.end);
        owners.push(Owner { plan, keys: from..from + plan.keys });
    }
    owners
}

pub fn secret(key: usize) -> String {
    format!("lim_{key:032x}")
}

/// The realm's file.
pub fn realm_file(plans: &[Plan]) -> String {
    let head = "credentials: [{header: x-api-key}]\nkeys: [{prefix: lim_, alphabet: hex, length: 32}]\nroutes: [{prefix: /}]\nplans:\n";
    let mut file = format!("realm: {REALM}\nhosts: [{HOST}]\n{head}");
    for plan in plans {
        writeln!(file, "  {}:", plan.name).unwrap();
        for (nth, Limit { per, most, window, counts }) in plan.limits.iter().enumerate() {
            let per = if *per == Per::Key { "key" } else { "owner" };
            let counts = if *counts == Counts::All { "all" } else { "{except: [5xx]}" };
            let window = window.as_millis();
            writeln!(file, "    - {{limit: l{nth}, per: {per}, most: {most}, window: {window}ms, counts: {counts}}}").unwrap();
        }
    }
    file
}

/// Puts the owners and their keys into a store.
pub async fn seed(store: &dyn Store, owners: &[Owner]) {
    for (nth, owner) in owners.iter().enumerate() {
        let name = format!("owner-{nth}");
        let Change::Owner { owner: made, expect } = seed::owner(REALM, &name) else { unreachable!("an owner is made") };
        let of_plan = keyward::domain::owner::Owner { plan: Some(Word::parse(owner.plan.name).unwrap()), ..made };
        let mut changes = vec![Change::Owner { owner: of_plan, expect }];
        changes.extend(owner.keys.clone().map(|key| seed::key(REALM, &name, &seed::id(key), &secret(key))));
        seed::commit(store, changes).await;
    }
}

/// Of every limit of every owner and key.
pub fn worst_windows(owners: &[Owner], records: &[Record]) -> Vec<Found> {
    let mut all = Vec::new();
    for owner in owners {
        for limit in owner.plan.limits {
            let of_keys = match limit.per {
                Per::Owner => vec![owner.keys.clone()],
                Per::Key => owner.keys.clone().map(|key| key..key + 1).collect(),
            };
            let worst = of_keys.into_iter().map(|keys| worst_window(&counted(records, &keys, limit), limit.window)).max().unwrap_or(0);
            all.push(Found { plan: owner.plan.name, limit: *limit, worst });
        }
    }
    all
}

/// What this limit counts, of these keys.
fn counted(records: &[Record], keys: &std::ops::Range<usize>, limit: &Limit) -> Vec<Interval> {
    let is_counted = |record: &&Record| match record.answer {
        Answer::Admitted => true,
        Answer::Refunded => limit.counts == Counts::All,
        _ => false,
    };
    records.iter().filter(|record| keys.contains(&record.key)).filter(is_counted).map(Record::interval).collect()
}

impl Found {
    #[allow(clippy::cast_precision_loss, reason = "counts are small")]
    pub fn ratio(&self) -> f64 {
        self.worst as f64 / self.limit.most as f64
    }
}

impl std::fmt::Display for Found {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Limit { per, most, window, .. } = self.limit;
        write!(to, "{} {per:?} {most}/{window:?}: {} ({:.3})", self.plan, self.worst, self.ratio())
    }
}
