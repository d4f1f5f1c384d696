//! What there is to see of a session.

use crate::revocation::{At, Renewed};

/// How a session stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    pub lease: Leased,
    /// Up to where the log is applied.
    pub applied: Option<At>,
    /// The answer to the last renewal.
    pub last: Option<Renewed>,
}

/// Whether a lease is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leased {
    Never,
    Held,
    Over,
    /// The store's log is not the one that was followed: nobody is admitted until an operator says to go on.
    RolledBack,
}
