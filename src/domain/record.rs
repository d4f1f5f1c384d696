//! What is kept of a key.

use std::collections::BTreeMap;
use std::fmt;

use super::address::AddressList;
use super::key::{Digest, Scheme};
use super::limit::Override;
use super::name::{KeyId, NameError, OwnerId, RealmId, Scope, Word};
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
    /// Why it was revoked, if it was.
    pub cause: Cause,
    /// Kept with it for its owner's people; no check looks at it.
    pub metadata: BTreeMap<String, String>,
    /// Of an admin token: all that it may touch; `None`: everything.
    pub binding: Option<Binding>,
    pub secrets: Vec<KeptSecret>,
    /// Goes up by one with every write.
    pub revision: u64,
    /// Goes up when one of its limits is lowered.
    pub generation: u64,
}

impl Record {
    /// When the next of its secrets ends, if one does.
    #[must_use]
    pub fn secret_ends(&self) -> Option<StoreTime> {
        self.secrets.iter().filter_map(|secret| secret.ends).min()
    }
}

/// Why a key was revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cause {
    /// Somebody asked for it.
    #[default]
    Asked,
    /// Its secret was seen where it should not be: there is no way back.
    Leaked,
}

/// What an admin token is bound to: a realm, or one owner of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    pub realm: RealmId,
    pub owner: Option<OwnerId>,
}

/// Why a text is not the name of what a token can be bound to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BindingError {
    #[error("must be `realms/{{realm}}` or `realms/{{realm}}/owners/{{owner}}`")]
    Shape,
    #[error(transparent)]
    Name(#[from] NameError),
}

impl Binding {
    /// `realms/{realm}` or `realms/{realm}/owners/{owner}`.
    pub fn parse(text: &str) -> Result<Self, BindingError> {
        let parts: Vec<&str> = text.split('/').collect();
        let (realm, owner) = match parts[..] {
            ["realms", realm] => (realm, None),
            ["realms", realm, "owners", owner] => (realm, Some(owner)),
            _ => return Err(BindingError::Shape),
        };
        Ok(Self { realm: RealmId::parse(realm)?, owner: owner.map(OwnerId::parse).transpose()? })
    }
}

impl fmt::Display for Binding {
    /// The name of what it is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.owner {
            None => write!(f, "realms/{}", self.realm),
            Some(owner) => write!(f, "realms/{}/owners/{owner}", self.realm),
        }
    }
}

/// A key with its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    pub record: Record,
    pub owner: Owner,
}

/// What is kept of a secret. A key has several while one takes over from another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptSecret {
    pub digest: Digest,
    /// The version of the pepper that the digest is under.
    pub pepper: Word,
    /// To recognise it by.
    pub prefix: String,
    pub last_four: String,
    pub created: StoreTime,
    /// The first of a key is 1, and each that comes has the next. It stays when the digest is made anew.
    pub number: u32,
    /// When it stops opening the key; `None`: when the key itself does.
    pub ends: Option<StoreTime>,
    /// What the pepper's HMAC is of.
    pub scheme: Scheme,
}
