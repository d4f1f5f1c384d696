//! What a caller demands of a change beside the change itself: that it is made of the state that was seen, and made once.

use sha2::{Digest as _, Sha256};

use super::caller::Caller;
use crate::domain::key::Digest;
use crate::domain::name::RealmId;
use crate::store::RequestId;

/// What a change is made to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target<Id> {
    pub realm: RealmId,
    pub id: Id,
}

/// The terms of a change to what exists.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Terms {
    /// The revision that the caller saw; `None`: whatever there is.
    pub seen: Option<u64>,
    pub once: Option<Once>,
}

/// A request id, and what it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Once {
    /// A UUID.
    pub id: String,
    /// SHA-256 of what was asked, without the id and without any secret.
    pub content: [u8; 32],
}

impl Once {
    /// For the store. A given secret counts by its digest: what is kept must not help anybody to guess it.
    pub(super) fn of(&self, caller: &Caller, given: Option<&Digest>) -> RequestId {
        let fingerprint = match given {
            None => self.content,
            Some(digest) => Sha256::new().chain_update(self.content).chain_update(digest.0).finalize().into(),
        };
        RequestId { caller: caller.actor.clone(), id: self.id.clone(), fingerprint }
    }
}
