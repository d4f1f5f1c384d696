//! The log: what changed, in the store's order.

use std::fmt;
use std::str::FromStr;

use crate::domain::key::Digest;
use crate::domain::name::{KeyId, OwnerId, RealmId};

/// What tells two logs apart that have other entries at one position: drawn at random for every commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Mark(pub u64);

/// A place in the log: the position of an entry, from 1 up without gaps, and its mark. The default is the place before the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct At {
    pub position: u64,
    pub mark: Mark,
}

/// A change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub at: At,
    pub touched: Touched,
    /// Whether something that passed before may not pass any more.
    pub restricting: bool,
}

/// Whose record was written, or whose records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Touched {
    /// A key, with the digests of every secret that it had before or has now.
    Key {
        realm: RealmId,
        id: KeyId,
        digests: Vec<Digest>,
    },
    /// Keys that were not there before, by the digests of all their secrets.
    NewKeys {
        digests: Vec<Digest>,
    },
    Owner {
        realm: RealmId,
        id: OwnerId,
    },
    /// Owners that were not there before.
    NewOwners {
        realm: RealmId,
        ids: Vec<OwnerId>,
    },
    /// What a newer version wrote and this one does not know: it may be anything.
    Anything,
}

/// A text that does not say what it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither a place in the log (position/mark) nor a holder of a lease (replica:incarnation)")]
pub struct Illegible(pub(super) String);

/// `position/mark`, the mark in 16 hexadecimal digits.
impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.position, self.mark)
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for At {
    type Err = Illegible;

    fn from_str(text: &str) -> Result<Self, Illegible> {
        let (position, mark) = text.split_once('/').ok_or_else(|| Illegible(text.into()))?;
        let (position, mark) = position.parse().ok().zip(mark.parse().ok()).ok_or_else(|| Illegible(text.into()))?;
        Ok(Self { position, mark })
    }
}

impl FromStr for Mark {
    type Err = Illegible;

    fn from_str(text: &str) -> Result<Self, Illegible> {
        u64::from_str_radix(text, 16).map(Self).map_err(|_| Illegible(text.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_is_written() {
        let at = At { position: 42, mark: Mark(0xfeed) };
        assert_eq!(at.to_string(), "42/000000000000feed");
        assert_eq!(at.to_string().parse(), Ok(at));
        assert_eq!(At::default().to_string().parse(), Ok(At::default()));
        for wrong in ["", "42", "42/", "/1", "x/1", "1/xyz", "-1/1"] {
            assert!(wrong.parse::<At>().is_err(), "{wrong}");
        }
    }
}
