//! The tables that hold records and what finds them, told apart before a name is made of them.

use super::names;
use crate::domain::name::RealmId;

/// A hash, or a sorted set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Table<'a> {
    Keys(&'a RealmId),
    Owners(&'a RealmId),
    Digests(&'a RealmId),
    KeysByOwner(&'a RealmId),
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
            Self::KeysByOwner(realm) => names::keys_by_owner(realm),
            Self::OwnerIds(realm) => names::owner_ids(realm),
            Self::Realms => names::REALMS.to_owned(),
            Self::SecretEnds => names::SECRET_ENDS.to_owned(),
            Self::Revoked => names::REVOKED.to_owned(),
        }
    }
}
