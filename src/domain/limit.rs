//! Plans and limits: how much a key and its owner may ask for, and which number counts.

use jiff::tz::TimeZone;

use super::bearer::Bearer;
use super::calendar::{Period, Unit};
use super::name::Word;
use super::outcome::Counts;
use super::time::StoreTime;
use super::window::{Force, Span, Spec, WindowId, slot_ms};

/// A named set of limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub name: Word,
    pub limits: Vec<Limit>,
}

/// At most `most` tokens in any window, or in every calendar period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    pub name: Word,
    pub per: Per,
    pub most: u32,
    pub length: Length,
    pub counts: Counts,
    pub force: Force,
}

/// How long a limit's window is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Length {
    /// So many milliseconds: one second to one day.
    Sliding(u32),
    /// A quota.
    Calendar(Unit, TimeZone),
}

/// Whose window a limit counts in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Per {
    Key,
    /// One window for all keys of the owner.
    Owner,
}

/// Another number for one limit, of one key or one owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// The limit's name in whatever plan is in force.
    pub limit: Word,
    pub most: u32,
}

/// A limit with the number that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InForce<'a> {
    pub limit: &'a Limit,
    pub most: u32,
}

impl Length {
    /// The unit of Envoy's rate limits that is as long, where there is one.
    #[must_use]
    pub fn envoy_unit(&self) -> Option<&'static str> {
        match self {
            Self::Sliding(1_000) => Some("SECOND"),
            Self::Sliding(60_000) => Some("MINUTE"),
            Self::Sliding(3_600_000) => Some("HOUR"),
            Self::Sliding(86_400_000) | Self::Calendar(Unit::Day, _) => Some("DAY"),
            Self::Calendar(Unit::Month, _) => Some("MONTH"),
            Self::Sliding(_) | Self::Calendar(Unit::Week, _) => None,
        }
    }
}

impl Plan {
    /// The limits of which failures can be farmed: they do not count everything, and nothing beside them bounds what they do not count. The
    /// limits of keys and those of owners may come from two plans, and a shadow bounds nothing.
    pub fn farmed(&self) -> impl Iterator<Item = &Limit> {
        let enforced = || self.limits.iter().filter(|limit| limit.force == Force::Enforced);
        let bounded = move |per| enforced().any(|limit| limit.per == per && limit.counts == Counts::All);
        enforced().filter(move |limit| limit.counts != Counts::All && !bounded(limit.per))
    }
}

impl Limit {
    #[must_use]
    pub fn window(&self) -> WindowId {
        match &self.length {
            Length::Sliding(length_ms) => WindowId::sliding(*length_ms),
            Length::Calendar(unit, _) => WindowId::calendar(*unit),
        }
    }
}

impl InForce<'_> {
    /// What a taker has to know of it at this time; `None` where the calendar ends.
    #[must_use]
    pub fn spec(&self, now: StoreTime) -> Option<Spec> {
        let span = match &self.limit.length {
            Length::Sliding(length_ms) => Span::Sliding { length_ms: *length_ms, slot_ms: slot_ms(*length_ms, self.most) },
            Length::Calendar(unit, zone) => Span::Calendar(Period::of(*unit, zone, now)?),
        };
        Some(Spec { most: self.most, span, force: self.limit.force })
    }
}

/// The limits that a check of this key takes from, with the numbers that count. Per-key limits are those of the key's plan, else its owner's,
/// else its format's, else the realm's; per-owner limits never of a key's plan, or two keys would see one window under two numbers. A
/// number of the key's own goes before one that its owner has for it, and either before the plan's.
#[must_use]
pub fn of<'a>(plans: &'a [Plan], bearer: &Bearer, format: Option<&Word>, default: Option<&Word>) -> Vec<InForce<'a>> {
    let limits = |chosen: Option<&Word>, per: Per| {
        let plan = plans.iter().find(|plan| Some(&plan.name) == chosen);
        plan.into_iter().flat_map(move |plan| plan.limits.iter().filter(move |limit| limit.per == per))
    };
    let of_key = plan_of(bearer, format).or(default);
    let of_owner = bearer.owner.plan.as_ref().or(default);
    let own: [&[Override]; 2] = [bearer.limits(), &bearer.owner.limits];
    let with = |numbers: &[&[Override]], limit: &'a Limit| {
        let number = numbers.iter().find_map(|numbers| numbers.iter().find(|number| number.limit == limit.name));
        InForce { limit, most: number.map_or(limit.most, |number| number.most) }
    };
    let of_key = limits(of_key, Per::Key).map(|limit| with(&own, limit));
    let of_owner = limits(of_owner, Per::Owner).map(|limit| with(&own[1..], limit));
    of_key.chain(of_owner).collect()
}

/// The plan of a key: its own, else its owner's, else its format's.
#[must_use]
pub fn plan_of<'a>(bearer: &'a Bearer, format: Option<&'a Word>) -> Option<&'a Word> {
    bearer.plan.as_ref().or(bearer.owner.plan.as_ref()).or(format)
}
