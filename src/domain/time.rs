//! Two clocks, two types. A lease is never measured on the store's clock, nor an expiry on the machine's.

use std::time::Duration;

/// An instant on the store's clock: milliseconds since the epoch. Windows and expiry are decided on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct StoreTime(pub i64);

impl StoreTime {
    /// The time from `self` until `later`, or zero if that is past.
    #[must_use]
    pub fn until(self, later: StoreTime) -> Duration {
        Duration::from_millis(u64::try_from(later.0.saturating_sub(self.0)).unwrap_or(0))
    }
}

/// An instant on this machine's boot clock (`CLOCK_BOOTTIME`, which counts suspended time). Leases are measured on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BootTime(pub Duration);

impl BootTime {
    /// The deadline of a lease of `ttl` asked for at `self`: early by 1 ‰ and 1 ms, for clocks that run at different rates and a
    /// store that counts in milliseconds.
    #[must_use]
    pub fn deadline(self, ttl: Duration) -> BootTime {
        BootTime(self.0 + ttl.saturating_sub(ttl / 1000 + Duration::from_millis(1)))
    }
}
