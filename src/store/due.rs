//! What keys are due for. The list is walked on from where the last part of it ended, whatever became of what was there.

use crate::domain::name::{KeyId, RealmId};
use crate::domain::time::StoreTime;

/// What a key may be due for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// One of its secrets ends.
    SecretEnds,
    /// It was revoked: how long ago decides when it is forgotten.
    Revoked,
}

/// A key, and since when it is due: its place in the list, which no other key has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueKey {
    pub since: StoreTime,
    pub realm: RealmId,
    pub id: KeyId,
}
