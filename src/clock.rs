//! The machine's clocks, handed in as arguments so that a test may hold them still.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::domain::time::{BootTime, StoreTime};

/// Time, as one process sees it.
pub trait Clock: Send + Sync {
    /// `CLOCK_BOOTTIME`: counts suspended time, never steps. For leases.
    fn boot(&self) -> BootTime;
    /// The wall clock. Only the embedded store, which has no other, reads it.
    fn wall(&self) -> StoreTime;
}

/// A clock, shared.
pub type SharedClock = Arc<dyn Clock>;

/// The operating system's clocks.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn boot(&self) -> BootTime {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let (seconds, nanoseconds) = (u64::try_from(now.tv_sec), u32::try_from(now.tv_nsec));
        BootTime(Duration::new(seconds.unwrap_or(0), nanoseconds.unwrap_or(0)))
    }

    fn wall(&self) -> StoreTime {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        StoreTime(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}
