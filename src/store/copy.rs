//! What a store keeps beside keys, owners and the audit log, as it goes from one engine to another. Nobody may serve from either meanwhile.
//!
//! What stays behind: the log that replicas follow, for none of them goes on from there; leases; and windows, so that limits count anew.

use super::{PepperClaim, PepperUse};
use crate::domain::time::StoreTime;
use crate::revocation::At;

/// What a store keeps beside them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rest {
    /// Of the log that replicas follow.
    pub head: At,
    pub peppers: Vec<PepperClaim>,
    /// Which of them are in use, and which withdrawn.
    pub pepper_uses: Vec<PepperUse>,
    /// Marks that no commit may carry again.
    pub marks: Vec<[u8; 32]>,
    pub answers: Vec<KeptAnswer>,
    /// The log was found rolled back, and nobody has said to go on.
    pub rolled_back: bool,
}

/// What an idempotent request was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptAnswer {
    /// The caller, as the audit log names it.
    pub caller: String,
    pub id: String,
    /// When it is forgotten.
    pub until: StoreTime,
    pub fingerprint: [u8; 32],
    pub subject: String,
    pub position: u64,
}
