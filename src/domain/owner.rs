//! Owners: who keys belong to.

use super::limit::Override;
use super::name::{OwnerId, RealmId, Word};
use super::time::StoreTime;

/// What is known of an owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    pub realm: RealmId,
    pub id: OwnerId,
    /// For people.
    pub name: String,
    pub plan: Option<Word>,
    /// Numbers of its own for limits of the plan in force: per-owner ones, and per-key ones of its keys.
    pub limits: Box<[Override]>,
    pub created: StoreTime,
    /// Since when all of its keys are refused.
    pub disabled: Option<StoreTime>,
    /// Goes up by one with every write.
    pub revision: u64,
    /// Goes up when one of its limits is lowered.
    pub generation: u64,
}
