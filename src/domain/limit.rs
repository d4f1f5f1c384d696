//! Plans and limits: how much a key and its owner may ask for, and which number counts.

use super::bearer::Bearer;
use super::name::Word;

/// A named set of limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub name: Word,
    pub limits: Vec<Limit>,
}

/// At most `most` tokens in any window of `length_ms`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    pub name: Word,
    pub per: Per,
    pub most: u32,
    /// One second to one day, sliding.
    pub length_ms: u32,
}

/// Whose window a limit counts in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Per {
    Key,
    /// One window for all keys of the owner.
    Owner,
}

impl Limit {
    /// In how many slots the window's past is kept: more of them forget sooner what is over.
    #[must_use]
    pub fn slots(&self) -> u32 {
        match self.length_ms {
            0..=60_000 => 16,
            60_001..=3_600_000 => 32,
            _ => 48,
        }
    }

    /// How long a slot takes grants, in milliseconds. 0 where every grant can have a slot of its own: an exact log.
    #[must_use]
    pub fn slot_ms(&self) -> u32 {
        if self.most <= self.slots() { 0 } else { self.length_ms / self.slots() }
    }
}

/// The limits that a check of this key takes from: per-key limits of the key's plan, else its owner's, else its format's, else the
/// realm's; per-owner limits never of a key's plan, or two keys would see one window under two numbers.
#[must_use]
pub fn of<'a>(plans: &'a [Plan], bearer: &Bearer, format: Option<&Word>, default: Option<&Word>) -> Vec<&'a Limit> {
    let limits = |chosen: Option<&Word>, per: Per| {
        let plan = plans.iter().find(|plan| Some(&plan.name) == chosen);
        plan.into_iter().flat_map(move |plan| plan.limits.iter().filter(move |limit| limit.per == per))
    };
    let of_key = plan_of(bearer, format).or(default);
    let of_owner = bearer.owner.plan.as_ref().or(default);
    limits(of_key, Per::Key).chain(limits(of_owner, Per::Owner)).collect()
}

/// The plan of a key: its own, else its owner's, else its format's.
#[must_use]
pub fn plan_of<'a>(bearer: &'a Bearer, format: Option<&'a Word>) -> Option<&'a Word> {
    bearer.plan.as_ref().or(bearer.owner.plan.as_ref()).or(format)
}
