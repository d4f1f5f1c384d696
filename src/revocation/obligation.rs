//! What the protocol must keep for its promise to hold.

/// The eleven obligations. A simulation without any one of them finds an admit after the return.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Obligation {
    /// O1: whoever restricts waits for a lease plus the drift of clocks.
    WaitOutlastsTheLease,
    /// O2: a lease counts from before its request was sent.
    LeaseCountsFromSending,
    /// O3: the log is applied before the lease is extended.
    LogBeforeLease,
    /// O4: what was read before a change is refused by its position in the log, however late it comes.
    LateFillsAreRefused,
    /// O5: an entry is acknowledged only after it was applied.
    AppliedBeforeAcknowledged,
    /// O6: a holder stays registered for as long as its lease lasts.
    RegistryOutlastsTheLease,
    /// O7: leases are measured on a clock that counts suspended time.
    SuspendedTimeCounts,
    /// O8: the wait begins once the change is durable.
    WaitBeginsWithDurability,
    /// O9: after a change of primary, acknowledgements alone are not enough until all nodes have followed it for a lease.
    FirmGround,
    /// O10: durable means acknowledged by all nodes that may be promoted.
    AllPromotable,
    /// O11: registrations and acknowledgements carry the incarnation.
    IncarnationsDiffer,
}

impl Obligation {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::WaitOutlastsTheLease,
        Self::LeaseCountsFromSending,
        Self::LogBeforeLease,
        Self::LateFillsAreRefused,
        Self::AppliedBeforeAcknowledged,
        Self::RegistryOutlastsTheLease,
        Self::SuspendedTimeCounts,
        Self::WaitBeginsWithDurability,
        Self::FirmGround,
        Self::AllPromotable,
        Self::IncarnationsDiffer,
    ];
}

/// Which obligations a machine keeps: all of them, but in the simulation, where one can be dropped. In a build that is not a test's there is
/// nothing to choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keeps {
    #[cfg(test)]
    dropped: Option<Obligation>,
}

impl Keeps {
    pub const ALL: Self = Self {
        #[cfg(test)]
        dropped: None,
    };

    /// A mutant.
    #[cfg(test)]
    pub(crate) fn all_but(dropped: Obligation) -> Self {
        Self { dropped: Some(dropped) }
    }

    #[cfg(test)]
    pub(crate) fn keeps(self, obligation: Obligation) -> bool {
        self.dropped != Some(obligation)
    }

    #[cfg(not(test))]
    #[allow(clippy::unused_self, reason = "the test's build has something to look at")]
    pub(crate) const fn keeps(self, _: Obligation) -> bool {
        true
    }
}
