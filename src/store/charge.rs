//! What checks take of limits, and what goes back.

use std::time::Duration;

use super::StoreError;
use crate::domain::name::{KeyId, OwnerId, RealmId};
use crate::domain::ticket::TicketId;
use crate::domain::time::StoreTime;
use crate::domain::window::{Spec, Told, WindowId};

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
    pub generations: Generations,
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

/// What a charge's generations are worth against those that windows have heard of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Generations {
    /// This replica may not have heard of the newest.
    #[default]
    Heard,
    /// The log was applied to its head since windows spoke of newer ones, and brought none: the change that they heard of is lost.
    Confirmed,
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
    pub window: WindowId,
    /// The slot's start, as the grant told it.
    pub slot: i64,
    pub tokens: u32,
}

/// The answer to a charge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// Counted in every window, shadows without room apart.
    Granted {
        tokens: u32,
        /// How long they may be spent, from before the call was sent: less than was asked for where a period ends before.
        ttl: Duration,
        /// In the order of subjects and their windows.
        windows: Vec<Told>,
    },
    /// Counted in none.
    Refused {
        /// How long until it may fit; `None`: it never will.
        retry_in: Option<Duration>,
        windows: Vec<Told>,
    },
    /// A subject has newer limits than the charge has heard of: look at it again.
    Stale,
    /// It is later than the periods that the charge knows: look at the time again.
    Behind,
    /// Nobody knows what became of it, or what is kept cannot be read.
    Failed(StoreError),
}

/// A ticket that is settled: what goes back for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    pub ticket: TicketId,
    /// When it was minted, on the store's clock.
    pub minted: StoreTime,
    /// All of one owner. Without any there is nothing to settle, and it is done.
    pub returns: Vec<Return>,
}

/// What became of a settlement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// Its tokens went back; those of slots that are gone had been forgotten already.
    Done,
    /// It was done before.
    Replayed,
    /// It is older than [`TICKETS_LIVE`]: its tokens stay counted.
    TooLate,
    /// Nobody knows, or what is kept cannot be read.
    Failed(StoreError),
}

/// For how long after it was minted a ticket can be settled.
pub const TICKETS_LIVE: Duration = Duration::from_mins(10);

/// The returns that undo a grant of so many tokens to these subjects.
#[must_use]
pub fn undo(subjects: &[Subject], tokens: u32, windows: &[Told]) -> Vec<Return> {
    let counted = subjects.iter().flat_map(|subject| subject.windows.iter().map(move |spec| (&subject.name, spec.id())));
    let back = |((subject, window), told): ((&SubjectName, WindowId), &Told)| {
        Some(Return { subject: subject.clone(), window, slot: told.slot?, tokens })
    };
    counted.zip(windows).filter_map(back).collect()
}
