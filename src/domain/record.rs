//! What is kept of a key.

use super::address::AddressList;
use super::key::Digest;
use super::limit::Override;
use super::name::{KeyId, OwnerId, RealmId, Scope, Word};
use super::owner::Owner;
use super::time::StoreTime;

/// A key's record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub realm: RealmId,
    pub id: KeyId,
    pub owner: OwnerId,
    /// For people.
    pub label: String,
    pub environment: Option<Word>,
    pub kind: Option<Word>,
    pub plan: Option<Word>,
    /// Its own numbers for limits of its plan.
    pub limits: Vec<Override>,
    pub tenant: Option<String>,
    pub scopes: Vec<Scope>,
    /// Empty: any address.
    pub addresses: AddressList,
    pub created: StoreTime,
    pub expires: Option<StoreTime>,
    pub revoked: Option<StoreTime>,
    pub secrets: Vec<KeptSecret>,
    /// Goes up by one with every write.
    pub revision: u64,
    /// Goes up when one of its limits is lowered.
    pub generation: u64,
}

/// A key with its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    pub record: Record,
    pub owner: Owner,
}

/// What is kept of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptSecret {
    pub digest: Digest,
    /// The version of the pepper that the digest is under.
    pub pepper: Word,
    /// To recognise it by.
    pub prefix: String,
    pub last_four: String,
    pub created: StoreTime,
}
