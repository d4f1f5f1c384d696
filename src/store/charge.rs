//! What a check takes of limits.

use std::time::Duration;

use crate::domain::name::{KeyId, OwnerId, RealmId};
use crate::domain::window::Spec;

/// Tokens asked for, of one or two subjects together: a key and its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    pub subjects: Vec<Subject>,
    /// How many would be welcome; fewer than `cost` are of no use. Both 0: only the returns matter.
    pub want: u32,
    pub cost: u32,
    /// How long they may be spent, from before the call is sent.
    pub ttl: Duration,
    /// At most one `share`-th of what is left, the cost apart.
    pub share: u32,
    /// Tokens granted before and never spent, of these subjects.
    pub returns: Vec<Return>,
}

/// Whose windows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    pub name: SubjectName,
    /// Of the limits that `windows` were made from.
    pub generation: u64,
    pub windows: Vec<Spec>,
}

/// An owner, or one of its keys. All subjects of one owner are kept together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SubjectName {
    pub realm: RealmId,
    pub owner: OwnerId,
    /// `None`: the owner itself.
    pub key: Option<KeyId>,
}

/// Tokens that go back to one slot of one window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Return {
    pub subject: SubjectName,
    pub length_ms: u32,
    /// The slot's start, as the grant told it.
    pub slot: i64,
    pub tokens: u32,
}

/// The answer to a charge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// Counted in every window.
    Granted {
        tokens: u32,
        /// The slot's start in each window, in the order of subjects and their windows.
        slots: Vec<i64>,
        /// What is left of each window, in the same order.
        left: Vec<u32>,
    },
    /// Counted in none.
    Refused {
        /// How long until it may fit; `None`: it never will.
        retry_in: Option<Duration>,
        left: Vec<u32>,
    },
    /// A subject has newer limits than the charge knows: read the record again.
    Stale,
}

impl Charge {
    /// The returns that undo a grant of this charge.
    #[must_use]
    pub fn undo(&self, tokens: u32, slots: &[i64]) -> Vec<Return> {
        let windows = self.subjects.iter().flat_map(|subject| subject.windows.iter().map(move |spec| (&subject.name, spec.length_ms)));
        let slot =
            |((name, length_ms), slot): ((&SubjectName, u32), &i64)| Return { subject: name.clone(), length_ms, slot: *slot, tokens };
        windows.zip(slots).map(slot).collect()
    }
}
