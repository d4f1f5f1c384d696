//! Owners that an import has met: they are not looked for again, because none is ever removed.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use crate::domain::name::OwnerId;

/// So many are remembered, some megabytes; beyond that it begins anew.
const MOST: usize = 50_000;

/// Owners that are there.
#[derive(Debug, Default)]
pub(super) struct KnownOwners(Mutex<HashSet<OwnerId>>);

impl KnownOwners {
    /// Of these, those that are known, and those that are not.
    pub(super) fn split(&self, owners: HashSet<OwnerId>) -> (HashSet<OwnerId>, Vec<OwnerId>) {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (known, other): (HashSet<OwnerId>, HashSet<OwnerId>) = owners.into_iter().partition(|owner| known.contains(owner));
        (known, other.into_iter().collect())
    }

    /// These are there.
    pub(super) fn add<'a>(&self, owners: impl IntoIterator<Item = &'a OwnerId>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.clear();
        }
        known.extend(owners.into_iter().cloned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_that_were_met_are_known_and_no_more_than_a_bound_are_kept() {
        let owner = |number: usize| OwnerId::parse(&format!("owner_{number}")).unwrap();
        let known = KnownOwners::default();
        known.add(&[owner(1)]);
        assert_eq!(known.split(HashSet::from([owner(1), owner(2)])), (HashSet::from([owner(1)]), vec![owner(2)]));
        known.add(&(2..MOST).map(owner).collect::<Vec<_>>());
        known.add(&[owner(MOST)]);
        known.add(&[owner(0)]);
        assert_eq!(known.split(HashSet::from([owner(0), owner(1)])), (HashSet::from([owner(0)]), vec![owner(1)]));
    }
}
