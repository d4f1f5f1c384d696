//! The few keys and owners of a simulation: two owners with two keys each, each key with two secrets.

use std::cell::OnceCell;

use crate::domain::key::Digest;
use crate::domain::name::{KeyId, OwnerId, RealmId};
use crate::revocation::Touched;

pub(super) const OWNERS: usize = 2;
pub(super) const KEYS: usize = 4;
pub(super) const DIGESTS: usize = 2 * KEYS;

/// A change, by number of key or owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Revoke(usize),
    /// The first of a key's secrets goes.
    Rotate(usize),
    Disable(usize),
    Enable(usize),
    Rename(usize),
}

impl Change {
    pub(super) fn restricts(self) -> bool {
        matches!(self, Self::Revoke(_) | Self::Rotate(_) | Self::Disable(_))
    }

    /// Which digests it ends.
    pub(super) fn ends(self) -> Vec<usize> {
        let of_key = |key: usize| [2 * key, 2 * key + 1];
        match self {
            Self::Revoke(key) => of_key(key).into(),
            Self::Rotate(key) => vec![2 * key],
            Self::Disable(owner) => (0..KEYS).filter(|key| owner_of(*key) == owner).flat_map(of_key).collect(),
            Self::Enable(_) | Self::Rename(_) => vec![],
        }
    }
}

pub(super) fn key_of(digest: usize) -> usize {
    digest / 2
}

pub(super) fn owner_of(key: usize) -> usize {
    key % OWNERS
}

/// The names, made once a thread.
pub(super) struct Names {
    pub(super) realm: RealmId,
    pub(super) owners: [OwnerId; OWNERS],
    keys: [KeyId; KEYS],
}

thread_local! {
    static NAMES: OnceCell<Names> = const { OnceCell::new() };
}

pub(super) fn with<T>(use_them: impl FnOnce(&Names) -> T) -> T {
    NAMES.with(|names| {
        use_them(names.get_or_init(|| Names {
            realm: RealmId::parse("sim").unwrap(),
            owners: std::array::from_fn(|owner| OwnerId::parse(&format!("owner{owner}")).unwrap()),
            keys: std::array::from_fn(|key| KeyId::parse(&format!("key{key}")).unwrap()),
        }))
    })
}

pub(super) fn digest(number: usize) -> Digest {
    Digest([number as u8; 32])
}

pub(super) fn touched(change: Change) -> Touched {
    with(|names| match change {
        Change::Revoke(key) | Change::Rotate(key) | Change::Rename(key) => {
            Touched::Key { realm: names.realm.clone(), id: names.keys[key].clone(), digests: vec![digest(2 * key), digest(2 * key + 1)] }
        }
        Change::Disable(owner) | Change::Enable(owner) => Touched::Owner { realm: names.realm.clone(), id: names.owners[owner].clone() },
    })
}

/// Which digests an entry touches.
pub(super) fn touches(touched: &Touched, number: usize) -> bool {
    match touched {
        Touched::Key { digests, .. } | Touched::NewKeys { digests } => digests.contains(&digest(number)),
        Touched::Owner { id, .. } => with(|names| *id == names.owners[owner_of(key_of(number))]),
        Touched::NewOwners { ids, .. } => with(|names| ids.contains(&names.owners[owner_of(key_of(number))])),
        Touched::Anything => true,
    }
}
