//! When a restricting change is told as done: once it is as durable as is demanded, and everyone who may still remember what was there before
//! has applied it, or has lost the lease without which nobody admits. The rules are those of [`Wait`]; here are the clock and the store.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::{Keyring, KeyringError};
use crate::clock::SharedClock;
use crate::domain::time::BootTime;
use crate::replica::session::Session;
use crate::revocation::{Firmness, Keeps, Level, Standing, Verdict, Wait};

/// What a keyring needs to know when a change holds.
#[derive(Clone)]
pub struct Guard {
    /// Of the replica that the keyring is in.
    pub session: Arc<Session>,
    /// The session's.
    pub clock: SharedClock,
    /// No restricting change is told as done below this level; `None`: it is told which one it has reached.
    pub demanded: Option<Level>,
}

/// Why a change holds on every replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guarantee {
    /// What the change has reached.
    pub level: Level,
    /// So many held a lease and have applied the change.
    pub acknowledged: u32,
    /// The leases of so many have ended without.
    pub expired: u32,
    /// How long that took.
    pub waited: Duration,
}

/// A change that stands in the store, and is to be guaranteed.
pub(super) struct Promise<'a> {
    /// Which was called.
    pub(super) rpc: &'static str,
    /// The name of what was changed.
    pub(super) name: String,
    /// Where the change stands in the log.
    pub(super) position: u64,
    pub(super) standing: &'a Standing,
    /// When the store was asked for it.
    pub(super) begun: BootTime,
}

/// The shortest and the longest pause between two looks at the registry: a quarter of what was waited already, so that little is added to it.
const PAUSES: (Duration, Duration) = (Duration::from_micros(200), Duration::from_millis(20));

impl Keyring {
    /// Ends when the change holds on every replica. A level that is not reached is an error at once: waiting does not make it durable.
    pub(super) async fn guaranteed(&self, promise: Promise<'_>) -> Result<Guarantee, KeyringError> {
        let Promise { rpc, name, position, standing, begun } = promise;
        if let Some(demanded) = self.guard.demanded.filter(|demanded| standing.level < *demanded) {
            return Err(KeyringError::NotGuaranteed { rpc, name, position, reached: standing.level, demanded });
        }
        self.guard.session.promised(standing.at);
        Ok(self.settled(standing, begun).await)
    }

    /// Ends when everyone who held a lease has applied what stands there, or holds none any more.
    pub(super) async fn settled(&self, standing: &Standing, begun: BootTime) -> Guarantee {
        let Guard { session, clock, .. } = &self.guard;
        let longest = session.longest(standing.longest);
        let firmness = || session.firmness(&standing.footing, begun, longest);
        let durable = clock.boot();
        let mut wait = Wait::new(Keeps::ALL, standing, begun, (firmness(), longest));
        wait.secured(durable);
        loop {
            let now = clock.boot();
            let until = match wait.verdict(now) {
                Verdict::Over(tally) => {
                    let waited = now.0.saturating_sub(durable.0);
                    return Guarantee { level: standing.level, acknowledged: tally.acknowledged, expired: tally.expired, waited };
                }
                Verdict::Wait { until } => until,
            };
            let left = until.map_or(PAUSES.1, |until| until.0.saturating_sub(now.0));
            let pause = (now.0.saturating_sub(durable.0) / 4).clamp(PAUSES.0, PAUSES.1);
            rest(pause.min(left)).await;
            // whoever cannot be asked is waited for by the timer
            if let Ok(Ok(holders)) = timeout(left, self.store.holders()).await {
                // asked after they came: the registry of another primary speaks for nobody who held a lease of this one's
                if firmness() == Firmness::Shifting {
                    wait.shaken();
                }
                wait.heard(&holders);
            }
        }
    }
}

/// A runtime's timer knows nothing below a millisecond: up to there the call to the store is pause enough.
async fn rest(pause: Duration) {
    if pause < Duration::from_millis(1) { tokio::task::yield_now().await } else { sleep(pause).await }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Guard(..)")
    }
}
