//! Until when a lease lasts, to be read on every check, and when it is renewed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::domain::time::BootTime;
use crate::revocation::{At, Log};

/// The end of a lease on the boot clock, in nanoseconds; 0: there is none.
#[derive(Debug, Default)]
pub(super) struct Lease(AtomicU64);

impl Lease {
    /// Written after the log was applied: who sees it sees that too.
    pub(super) fn is_until(&self, until: Option<BootTime>) {
        self.0.store(until.map_or(0, |until| nanoseconds(until.0)), Ordering::Release);
    }

    pub(super) fn lasts(&self, now: BootTime) -> bool {
        nanoseconds(now.0) < self.0.load(Ordering::Acquire)
    }
}

/// When to renew again.
pub(super) enum Next {
    /// There is more of the log.
    Now,
    Later,
}

impl Next {
    pub(super) fn after(log: &Log, applied: Option<At>) -> Self {
        match log {
            Log::Entries { head, .. } if applied.is_none_or(|applied| applied.position < head.position) => Self::Now,
            _ => Self::Later,
        }
    }

    /// Whether the log was applied up to its end.
    pub(super) fn ended_at_head(&self, applied: Option<At>) -> bool {
        applied.is_some() && matches!(self, Self::Later)
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
