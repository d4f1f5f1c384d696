//! What a mutation writes.

use crate::domain::name::KeyId;
use crate::domain::owner::Owner;
use crate::domain::record::Record;

/// Changes that are made together, or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    pub changes: Vec<Change>,
    pub audit: AuditNote,
    pub request: Option<RequestId>,
    /// A mark that no other commit may carry after this one: SHA-256 of a one-time secret.
    pub once: Option<[u8; 32]>,
}

/// A record in place of another, or of none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    Key { record: Record, expect: Expect },
    Owner { owner: Owner, expect: Expect },
}

/// What must be there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    Absent,
    Revision(u64),
}

/// Who did what, for the audit log. Never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditNote {
    /// The admin key, or `None` for the bootstrap.
    pub actor: Option<KeyId>,
    /// The RPC's name.
    pub action: &'static str,
    /// What it was done to.
    pub subject: String,
}

/// An id that makes a mutation idempotent, for 24 hours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId {
    /// Ids of different callers never meet.
    pub caller: KeyId,
    pub id: String,
    /// SHA-256 of what was asked.
    pub fingerprint: [u8; 32],
}

/// A commit that was made, now or under the same request id before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// Of the last of its changes.
    pub position: u64,
    /// The audit note's subject of the commit that was made before, where this is a replay.
    pub replayed: Option<String>,
}
