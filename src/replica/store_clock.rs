//! The store's time between two renewals: what it told at the last, and what has passed on the boot clock since.

use std::sync::atomic::{AtomicI64, Ordering};

use crate::domain::time::{BootTime, StoreTime};

/// The store's clock, as a replica can tell it.
#[derive(Debug, Default)]
pub(super) struct StoreClock {
    /// The store's time less the boot clock's, in milliseconds.
    offset: AtomicI64,
    /// What may have been told before: it does not go back.
    floor: AtomicI64,
}

impl StoreClock {
    /// The store told its time in answer to a call that was sent at `sent`. Counted from then it is never too early, so no key lives longer
    /// than it was told to.
    pub(super) fn told(&self, time: StoreTime, sent: BootTime, now: BootTime) {
        if self.offset.load(Ordering::Relaxed) != 0 {
            self.floor.fetch_max(self.at(now).0, Ordering::Release);
        }
        self.offset.store(time.0 - milliseconds(sent), Ordering::Release);
    }

    pub(super) fn at(&self, now: BootTime) -> StoreTime {
        let time = milliseconds(now) + self.offset.load(Ordering::Acquire);
        StoreTime(time.max(self.floor.load(Ordering::Acquire)))
    }
}

fn milliseconds(time: BootTime) -> i64 {
    i64::try_from(time.0.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(ms: u64) -> BootTime {
        BootTime(Duration::from_millis(ms))
    }

    #[test]
    fn time_passes_between_renewals_and_is_counted_from_sending() {
        let clock = StoreClock::default();
        clock.told(StoreTime(50_000), at(100), at(103));
        assert_eq!(clock.at(at(103)), StoreTime(50_003));
        assert_eq!(clock.at(at(1_103)), StoreTime(51_003));
    }

    #[test]
    fn time_does_not_go_back_when_the_store_tells_an_earlier_one() {
        let clock = StoreClock::default();
        clock.told(StoreTime(50_000), at(0), at(0));
        clock.told(StoreTime(48_000), at(1_000), at(1_000));
        assert_eq!(clock.at(at(1_000)), StoreTime(51_000));
        assert_eq!(clock.at(at(3_999)), StoreTime(51_000));
        assert_eq!(clock.at(at(5_000)), StoreTime(52_000));
    }
}
