//! How fast a key is used, and so how many tokens to ask for at once.

use std::time::Duration;

use crate::domain::time::BootTime;

/// Tokens are asked for as many as are spent in this part of the time that they may be held: the rest is for the next call to come.
const USED_IN: f64 = 0.8;
/// A call asks for at most so many times what the one before brought: two requests in a millisecond are no thousand a second yet.
const GROWTH: u32 = 4;
/// Over less than this nothing is measured: a few requests that come together say nothing of the rate.
const MEASURED_OVER: Duration = Duration::from_millis(5);

/// What was spent lately.
#[derive(Debug, Clone)]
pub(super) struct Pace {
    /// Tokens a second.
    rate: f64,
    spent: u32,
    since: BootTime,
    /// How many were asked for last.
    last: u32,
}

impl Pace {
    pub(super) fn new(now: BootTime) -> Self {
        Self { rate: 0.0, spent: 0, since: now, last: 0 }
    }

    pub(super) fn spent(&mut self, tokens: u32) {
        self.spent = self.spent.saturating_add(tokens);
    }

    /// How many tokens to ask for beyond those that somebody waits for. `ahead`: how long they may be held.
    pub(super) fn next(&mut self, now: BootTime, ahead: Duration, waited_for: u32) -> u32 {
        self.measure(now, ahead);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
        let want = (self.rate * ahead.as_secs_f64() * USED_IN) as u32;
        self.last = want.min(self.last.max(waited_for).saturating_mul(GROWTH)).max(waited_for);
        self.last - waited_for
    }

    fn measure(&mut self, now: BootTime, ahead: Duration) {
        let elapsed = now.0.saturating_sub(self.since.0);
        if elapsed < MEASURED_OVER || self.spent == 0 {
            return;
        }
        let lately = f64::from(self.spent) / elapsed.as_secs_f64();
        // what was measured over longer than tokens are held says all there is to say
        let weight = (elapsed.as_secs_f64() / (ahead.as_secs_f64() * USED_IN).max(0.001)).clamp(0.25, 1.0);
        self.rate += (lately - self.rate) * weight;
        (self.spent, self.since) = (0, now);
    }
}
