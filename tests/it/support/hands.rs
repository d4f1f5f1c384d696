//! Clocks that stand still until a test moves them.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use keyward::clock::Clock;
use keyward::domain::time::{BootTime, StoreTime};

/// The hands of both clocks.
pub struct Hands {
    boot_ms: AtomicU64,
    wall_ms: AtomicI64,
}

impl Hands {
    pub fn new() -> Arc<Self> {
        Arc::new(Self { boot_ms: AtomicU64::new(5_000), wall_ms: AtomicI64::new(1_800_000_000_000) })
    }

    /// Time passes, on both.
    pub fn pass(&self, time: Duration) {
        let ms = u64::try_from(time.as_millis()).unwrap();
        self.boot_ms.fetch_add(ms, Ordering::SeqCst);
        self.wall_ms.fetch_add(ms.cast_signed(), Ordering::SeqCst);
    }

    /// Somebody sets the wall clock.
    pub fn step_wall(&self, ms: i64) {
        self.wall_ms.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Clock for Hands {
    fn boot(&self) -> BootTime {
        BootTime(Duration::from_millis(self.boot_ms.load(Ordering::SeqCst)))
    }

    fn wall(&self) -> StoreTime {
        StoreTime(self.wall_ms.load(Ordering::SeqCst))
    }
}
