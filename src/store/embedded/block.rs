//! A block of tokens: counted in every window of its subjects, durably, before the first of them is spent; then spent from memory.

use std::time::Duration;

use super::clock::Moment;
use crate::domain::time::{BootTime, StoreTime};
use crate::domain::window::Spec;
use crate::store::{Charge, Return, Subject, SubjectName, Taken};

/// At most this part of what is left goes into one block, so that the last tokens are not held by whoever asked first.
const SHARE: u32 = 4;
/// How long a block lives where the smallest window is an exact log.
const EXACT_LIFE: Duration = Duration::from_millis(100);
const LONGEST_LIFE: Duration = Duration::from_secs(2);

/// Tokens of one subject set, under one set of limits.
#[derive(Debug)]
pub(super) struct Block {
    pub id: u64,
    pub subjects: Vec<Subject>,
    /// Where they are counted, in the order of subjects and their windows.
    pub slots: Vec<i64>,
    /// What was left of each window when they were counted.
    pub left: Vec<u32>,
    pub size: u32,
    pub balance: u32,
    pub taken: BootTime,
    /// Until when they may be spent.
    pub deadline: BootTime,
    /// Whether the transaction that counted them is durable.
    pub durable: Durable,
}

/// Whether a block's transaction has reached the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Durable {
    Pending,
    Written,
}

/// How a subject set's tokens were used last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Past {
    pub spent: u32,
    pub since: BootTime,
}

/// A refusal that holds until something is given back, or time passes.
#[derive(Debug)]
pub(super) struct Refusal {
    pub subjects: Vec<Subject>,
    pub cost: u32,
    pub retry_at: Option<StoreTime>,
    pub left: Vec<u32>,
    /// When it is asked again at the latest.
    pub until: BootTime,
}

impl Block {
    /// Whether the charge may spend from it: whatever is granted now, its caller spends no later than the block's deadline.
    pub(super) fn serves(&self, charge: &Charge, boot: BootTime) -> bool {
        let in_time = boot.0.saturating_add(charge.ttl) <= self.deadline.0;
        in_time && charge.want == charge.cost && charge.cost <= self.balance && self.subjects == charge.subjects
    }

    /// Takes what is unspent out of the block: from now on it can only be given back.
    pub(super) fn drain(&mut self) -> Vec<Return> {
        let tokens = std::mem::take(&mut self.balance);
        for left in &mut self.left {
            *left = left.saturating_add(tokens);
        }
        if tokens == 0 { Vec::new() } else { self.counted_in().map(|(subject, spec, slot)| back(subject, spec, slot, tokens)).collect() }
    }

    /// Whether the owner's own windows are among those it counts in.
    pub(super) fn of_owner(&self) -> bool {
        self.subjects.iter().any(|subject| subject.name.key.is_none())
    }

    /// How many of the tokens in this slot may still be spent.
    pub(super) fn held_in(&self, name: &SubjectName, length_ms: u32, slot: i64) -> u32 {
        let here = |(subject, spec, at): (&Subject, &Spec, i64)| subject.name == *name && spec.length_ms == length_ms && at == slot;
        if self.counted_in().any(here) { self.balance } else { 0 }
    }

    pub(super) fn past(&self) -> Past {
        Past { spent: self.size.saturating_sub(self.balance), since: self.taken }
    }

    fn counted_in(&self) -> impl Iterator<Item = (&Subject, &Spec, i64)> {
        let windows = self.subjects.iter().flat_map(|subject| subject.windows.iter().map(move |spec| (subject, spec)));
        windows.zip(&self.slots).map(|((subject, spec), slot)| (subject, spec, *slot))
    }
}

impl Refusal {
    /// The same answer, if it is still true of this charge.
    pub(super) fn repeat(&self, charge: &Charge, at: Moment) -> Option<Taken> {
        let same = self.cost <= charge.cost && self.subjects == charge.subjects;
        let holds = at.boot < self.until && self.retry_at.is_none_or(|retry_at| at.now < retry_at);
        let retry_in = self.retry_at.map(|retry_at| at.now.until(retry_at));
        (same && holds).then(|| Taken::Refused { retry_in, left: self.left.clone() })
    }
}

/// How long a block lives beyond what its last caller may take to spend: a quarter of the time that a slot takes grants.
pub(super) fn life(charge: &Charge) -> Duration {
    let smallest = charge.subjects.iter().flat_map(|subject| subject.windows.iter().map(|spec| spec.slot_ms)).min().unwrap_or(0);
    if smallest == 0 { EXACT_LIFE } else { LONGEST_LIFE.min(Duration::from_millis(u64::from(smallest / 4))) }
}

/// How many tokens a block takes of `room`. Whoever comes for the first time gets what they ask for; then at most twice what was spent,
/// and no more than will be spent in a block's life if things go on as they did.
pub(super) fn size(charge: &Charge, past: Option<Past>, boot: BootTime, room: u32) -> u32 {
    let Some(past) = past else { return charge.cost };
    let spent = past.spent.max(charge.cost);
    let elapsed = boot.0.saturating_sub(past.since.0).as_millis().max(1);
    let by_rate = u128::from(spent) * life(charge).as_millis() / elapsed;
    let wanted = u32::try_from(by_rate).unwrap_or(u32::MAX).min(spent.saturating_mul(2));
    wanted.min(room / SHARE.max(charge.share)).max(charge.cost)
}

fn back(subject: &Subject, spec: &Spec, slot: i64, tokens: u32) -> Return {
    Return { subject: subject.name.clone(), length_ms: spec.length_ms, slot, tokens }
}
