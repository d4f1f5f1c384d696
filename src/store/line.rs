//! Commits that follow one another: each is made ready while the one before it is being made, and is made right behind it or not at all.

use tokio::sync::oneshot::{Receiver, Sender};
use tokio::time::Instant;

use super::audit::End;
use crate::domain::time::StoreTime;

/// A commit's place in a line of them. By default it stands alone.
#[derive(Debug, Default)]
pub struct Line {
    /// Tells where the one before it will stand; `None`: it is the first.
    pub after: Option<Receiver<Foreseen>>,
    /// Told where this one will stand, once it is on its way.
    pub next: Option<Sender<Foreseen>>,
}

/// Where a commit will stand, if it is made as it was sent: what the next one is made from. Whatever comes between changes where the audit log
/// ends, so that the next one finds itself late.
#[derive(Debug)]
pub struct Foreseen {
    /// Of the audit log.
    pub(super) end: End,
    /// In the log that replicas follow.
    pub(super) position: u64,
    /// How many nodes followed.
    pub(super) followers: u32,
    /// What time it was, and when that was asked.
    pub(super) at: (StoreTime, Instant),
}
