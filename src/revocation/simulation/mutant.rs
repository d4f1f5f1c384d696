//! What may be left out of the protocol, to see that its loss is noticed.

use crate::revocation::{Keeps, Obligation};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mutant {
    /// One of the eleven.
    Without(Obligation),
    /// The memory is read first, and the lease looked at then.
    LeaseAfterMemory,
    /// Places in the log are compared by their position alone.
    PositionsOnly,
    /// Entries are pushed by position, whether or not the place that they are asked after is in the log.
    FollowedByPosition,
    /// The longest lease is the one that the store tells of, however far it has gone back.
    LongestAsTold,
    /// What is applied is acknowledged, and only renewals tell whether it is secured.
    UnsecuredIsAcknowledged,
    /// The store counts a holder's renewals, from 1 again after a dismissal.
    RenewalsCountedByStore,
}

/// What a schedule runs: the protocol (`None`) or a mutant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Protocol(pub(super) Option<Mutant>);

impl Protocol {
    pub(super) fn keeps(self) -> Keeps {
        match self.0 {
            Some(Mutant::Without(obligation)) => Keeps::all_but(obligation),
            _ => Keeps::ALL,
        }
    }

    pub(super) fn drops(self, obligation: Obligation) -> bool {
        self.0 == Some(Mutant::Without(obligation))
    }

    pub(super) fn is(self, mutant: Mutant) -> bool {
        self.0 == Some(mutant)
    }
}
