//! The tables that hold records and what finds them, told apart before a name is made of them.

use super::names;
use crate::domain::name::{OwnerId, RealmId};

/// A hash, or a sorted set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Table<'a> {
    Keys(&'a RealmId),
    Owners(&'a RealmId),
    Digests(&'a RealmId),
    KeyIds(&'a RealmId),
    KeyIdsOf(&'a RealmId, &'a OwnerId),
    OwnerIds(&'a RealmId),
    Realms,
    SecretEnds,
    Revoked,
}

impl Table<'_> {
    pub(super) fn name(self) -> String {
        match self {
            Self::Keys(realm) => names::keys(realm),
            Self::Owners(realm) => names::owners(realm),
            Self::Digests(realm) => names::digests(realm),
            Self::KeyIds(realm) => names::key_ids(realm),
            Self::KeyIdsOf(realm, owner) => names::key_ids_of(realm, owner),
            Self::OwnerIds(realm) => names::owner_ids(realm),
            Self::Realms => names::REALMS.to_owned(),
            Self::SecretEnds => names::SECRET_ENDS.to_owned(),
            Self::Revoked => names::REVOKED.to_owned(),
        }
    }
}
