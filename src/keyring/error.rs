//! What a keyring says instead of an answer. Each is a sentence for whoever asked; `grpc/admin/status.rs` has the table of codes.

use std::time::Duration;

use crate::domain::name::{KeyId, NameError, OwnerId, RealmId, Word};
use crate::domain::record::Binding;
use crate::revocation::Level;
use crate::store::StoreError;

use super::NoRandomness;
use super::unknown::Unknown;

/// Why nothing was done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    #[error("{}", listed(.0))]
    Invalid(Vec<Wrong>),
    #[error(
        "an admin token that is valid now is needed: send `authorization: Bearer <token>`, or show a client certificate that the server lets in"
    )]
    TokenRefused,
    #[error("the caller lacks the role {0}: use a token whose scopes hold {0} or admin")]
    RoleMissing(&'static str),
    #[error("in the realm keyward only a caller with the role admin may do this: use a token whose scopes hold admin")]
    AdminOnly,
    #[error("the caller is bound to {binding}, and {what} is beyond that: ask somebody who is not bound, or not so narrowly")]
    Bound { binding: Binding, what: &'static str },
    #[error("there is no realm {0}: a realm is a file that the server reads when it starts")]
    NoRealm(Unknown<RealmId>),
    #[error("the realm {0} has no key {1}: list its keys to see which it has")]
    NoKey(RealmId, Unknown<KeyId>),
    #[error("the realm {0} has no owner {1}: list its owners to see which it has")]
    NoOwner(RealmId, Unknown<OwnerId>),
    #[error("the realm {0} has no owner {1} that the key could belong to: create the owner first")]
    OwnerMissing(RealmId, Unknown<OwnerId>),
    #[error("the realm {0} has an owner {1} already: go on with that one, or choose another id")]
    OwnerExists(RealmId, OwnerId),
    #[error("the key {1} of the realm {0} is revoked: make another, or enable it if that was a mistake")]
    KeyRevoked(RealmId, KeyId),
    #[error("the key {1} of the realm {0} has expired: update its expire_time first, or make another")]
    KeyExpired(RealmId, KeyId),
    #[error("the key {1} of the realm {0} was revoked because its secret had leaked, and stays revoked: make another")]
    KeyLeaked(RealmId, KeyId),
    #[error("the key has {0} secrets that open it, and more are not made: retire some")]
    TooManySecrets(usize),
    #[error("no key has this secret: there is nothing to revoke")]
    NoSuchSecret,
    #[error("this secret is publishable: it is meant to be seen, and whoever has seen it may not end it")]
    Publishable,
    #[error("too many {what} came from here: wait {} s, and try again", .retry_in.as_secs() + 1)]
    Throttled { what: &'static str, retry_in: Duration },
    #[error("the caller has {0} calls open that read the audit log, and may have no more at one replica: end one of them first")]
    TooManyOwnReaders(usize),
    #[error("this replica reads the audit log for {0} calls already, and takes no more: end one of them, wait, or ask another replica")]
    TooManyReaders(usize),
    #[error("a key of the realm {0} has this secret already: go on with that key, or give another secret")]
    SecretTaken(RealmId),
    #[error("it is no longer what the etag says: read it again, look at what changed, and repeat")]
    EtagOld,
    #[error("others keep changing it at this moment: repeat it in a moment")]
    Busy,
    #[error("this request id was used within 24 hours for another request: use a new one")]
    RequestIdReused,
    #[error(
        "it is recorded at position {position} and not yet guaranteed, for it has reached the level {reached} and {demanded} is demanded: \
         repeat it, or wait for it if it is a revocation"
    )]
    NotGuaranteed { rpc: &'static str, name: String, position: u64, reached: Level, demanded: Level },
    #[error("{0} is not restricted in the store: that was not recorded, or it was lost or taken back, and has to be done again")]
    NotRestricted(String),
    #[error("this replica has no lease at the moment, so that what it is told may be old: repeat it in a moment, or ask another replica")]
    NoLease,
    #[error("the store's log was found rolled back, and nobody is admitted: make the revocations that were lost again, then resume")]
    RolledBack,
    #[error("the store's log is not rolled back, as far as this replica was told: there is nothing to resume")]
    NotRolledBack,
    #[error("the server has no one-time secret: put one of at least 16 bytes into its bootstrap file")]
    BootstrapOff,
    #[error("this is not the one-time secret that the server holds: look into its bootstrap file")]
    BootstrapRefused,
    #[error("this one-time secret was redeemed before: put a new one into the server's bootstrap file and redeem that")]
    BootstrapDone,
    #[error("row {row} is in the way of what is there: {}: {}", .wrong.field, .wrong.says)]
    ImportConflict { row: u64, wrong: Wrong },
    #[error("the import ended: {why}; rows up to {durable_row} are done, and to import all of them again changes nothing of those")]
    ImportCut { durable_row: u64, why: Box<KeyringError> },
    #[error(
        "{keys} keys would stop working without the pepper {version}, at once or when the graces of their other secrets are over, {first} among \
         them: a dry run names them; have the newest secret of each used once, or rotate the key and give its holder the fresh one, and withdraw \
         again; with force they stop"
    )]
    PepperHoldsKeys { version: Word, keys: u64, first: String },
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
    #[error(transparent)]
    Name(#[from] NameError),
    #[error(transparent)]
    Store(StoreError),
}

/// A field that cannot be taken as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// Its path in what was asked: `key.scopes[1]`.
    pub field: String,
    /// What it should be, as a sentence's end: `must be ...`.
    pub says: String,
}

impl Wrong {
    #[must_use]
    pub fn new(field: impl Into<String>, says: impl Into<String>) -> Self {
        Self { field: field.into(), says: says.into() }
    }
}

impl From<StoreError> for KeyringError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict | StoreError::Late => Self::Busy,
            StoreError::RequestIdReused => Self::RequestIdReused,
            other => Self::Store(other),
        }
    }
}

fn listed(wrong: &[Wrong]) -> String {
    wrong.iter().map(|wrong| format!("{}: {}", wrong.field, wrong.says)).collect::<Vec<_>>().join("; ")
}
