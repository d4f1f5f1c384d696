//! The store's time: the wall clock, held so that it never goes back, not by a step of the clock and not over a restart.

use std::sync::{Mutex, PoisonError};

use crate::clock::SharedClock;
use crate::domain::time::{BootTime, StoreTime};

/// The largest of three: what was told or persisted before, the wall clock, and the boot clock's course since the wall clock last led.
/// So it runs on while the wall clock is set back, and jumps only where the wall clock is set forward: then slots are forgotten, and keys
/// expire, by as much too early. Keep the machine's clock disciplined.
pub(super) struct StoreClock {
    machine: SharedClock,
    course: Mutex<Course>,
}

struct Course {
    /// Where the wall clock last led, on both clocks.
    base: (StoreTime, BootTime),
    /// The latest instant told.
    latest: StoreTime,
}

/// One moment on both clocks. The boot clock is read first: a deadline counted from `boot` is over before one counted from `now`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub boot: BootTime,
    pub now: StoreTime,
}

impl StoreClock {
    /// Goes on from the time that was persisted last.
    pub(super) fn after(persisted: StoreTime, machine: SharedClock) -> Self {
        let base = (persisted, machine.boot());
        Self { machine, course: Mutex::new(Course { base, latest: persisted }) }
    }

    /// Never tells less than this any more.
    pub(super) fn not_before(&self, persisted: StoreTime) {
        let mut course = self.course.lock().unwrap_or_else(PoisonError::into_inner);
        course.latest = course.latest.max(persisted);
    }

    pub(super) fn boot(&self) -> BootTime {
        self.machine.boot()
    }

    pub(super) fn now(&self) -> StoreTime {
        self.moment().now
    }

    pub(super) fn moment(&self) -> Moment {
        let (boot, wall) = (self.machine.boot(), self.machine.wall());
        let mut course = self.course.lock().unwrap_or_else(PoisonError::into_inner);
        let elapsed = boot.0.saturating_sub(course.base.1.0).as_millis();
        let by_boot = course.base.0.0.saturating_add(i64::try_from(elapsed).unwrap_or(i64::MAX));
        if wall.0 > by_boot {
            course.base = (wall, boot);
        }
        course.latest = course.latest.max(StoreTime(by_boot)).max(wall);
        Moment { boot, now: course.latest }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};
    use std::time::Duration;

    use super::*;
    use crate::clock::Clock;

    #[derive(Default)]
    struct Hands {
        boot_us: AtomicI64,
        wall_ms: AtomicI64,
    }

    impl Clock for Hands {
        fn boot(&self) -> BootTime {
            BootTime(Duration::from_micros(self.boot_us.load(Ordering::SeqCst).unsigned_abs()))
        }

        fn wall(&self) -> StoreTime {
            StoreTime(self.wall_ms.load(Ordering::SeqCst))
        }
    }

    #[test]
    fn time_runs_on_while_the_wall_clock_is_set_back() {
        let hands = Arc::new(Hands::default());
        hands.wall_ms.store(10_000, Ordering::SeqCst);
        let clock = StoreClock::after(StoreTime(0), hands.clone());
        assert_eq!(clock.now(), StoreTime(10_000));
        hands.wall_ms.store(2_000, Ordering::SeqCst);
        for _ in 0..100 {
            hands.boot_us.fetch_add(500, Ordering::SeqCst);
            clock.now();
        }
        assert_eq!(clock.now(), StoreTime(10_050), "asking often does not hold it back");
        hands.wall_ms.store(70_000, Ordering::SeqCst);
        assert_eq!(clock.now(), StoreTime(70_000));
    }

    #[test]
    fn time_goes_on_from_what_was_persisted() {
        let clock = StoreClock::after(StoreTime(5_000), Arc::new(Hands::default()));
        assert_eq!(clock.now(), StoreTime(5_000));
    }
}
