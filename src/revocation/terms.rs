//! The one knob: how long a lease lasts.

use std::time::Duration;

/// The lease, as everyone counts it. The rates of two clocks differ by 1 % (ρ) at most; nothing else is assumed of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// L.
    pub lease: Duration,
}

impl Terms {
    /// How long its holder counts it: L(1−ρ).
    #[must_use]
    pub fn held(self) -> Duration {
        self.lease * 99 / 100
    }

    /// How long everybody else waits for it to end: L(1+2ρ).
    #[must_use]
    pub fn waited(self) -> Duration {
        self.lease + self.lease / 50
    }

    /// How often it is renewed: every L/5.
    #[must_use]
    pub fn renewal(self) -> Duration {
        self.lease / 5
    }
}
