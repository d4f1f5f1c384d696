//! Ids that are nobody's. They are told again to whoever asked for them, but where they look like a secret: whoever pastes a secret in place of its
//! key's id must not find it again in whatever keeps what errors say.

use std::fmt;

use super::Keyring;
use crate::domain::format::{Alphabet, Format};
use crate::domain::realms::Realms;

/// An id that is nobody's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unknown<Id> {
    Named(Id),
    /// It has the shape of a secret of some realm.
    LooksSecret,
}

impl<Id: fmt::Display> Unknown<Id> {
    /// The id, or `-`, which is none.
    #[must_use]
    pub fn in_a_name(&self) -> String {
        match self {
            Self::Named(id) => id.to_string(),
            Self::LooksSecret => "-".into(),
        }
    }
}

impl<Id> From<Id> for Unknown<Id> {
    fn from(id: Id) -> Self {
        Self::Named(id)
    }
}

impl<Id: fmt::Display> fmt::Display for Unknown<Id> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(id) => id.fmt(f),
            Self::LooksSecret => f.write_str("of what was given for an id (it looks like a secret, and is not repeated)"),
        }
    }
}

impl<Id: Clone + fmt::Display> Unknown<Id> {
    /// What is told of an id that is nobody's.
    pub(super) fn of(id: &Id, realms: &Realms) -> Self {
        let text = id.to_string();
        let mut formats = realms.iter().flat_map(|realm| &realm.formats);
        if formats.any(|format| has_a_shape(format) && format.fits(text.as_bytes())) { Self::LooksSecret } else { Self::Named(id.clone()) }
    }
}

impl Keyring {
    pub(super) fn unknown<Id: Clone + fmt::Display>(&self, id: &Id) -> Unknown<Id> {
        Unknown::of(id, &self.realms)
    }
}

/// Anything may have what has no prefix and any letters.
fn has_a_shape(format: &Format) -> bool {
    !format.prefix.is_empty() || format.alphabet != Alphabet::Opaque
}
