//! Calls that were refused are in the audit log too, but not as many as somebody cares to make: so many a minute one by one, the others by
//! their number.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::Keyring;
use crate::domain::audit::Who;
use crate::domain::time::BootTime;
use crate::store::AuditNote;
use crate::store::audit::Refused;

/// So many are told one by one in so long.
const TOLD: u32 = 10;
const PER: Duration = Duration::from_mins(1);

/// How many were told lately, and how many were not.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<Count>);

#[derive(Debug, Default)]
struct Count {
    /// When the first of those that were told came.
    since: Option<BootTime>,
    told: u32,
    untold: u64,
}

impl Refusals {
    /// Whether this one is told, and how many before it were not.
    fn count(&self, now: BootTime) -> Option<u64> {
        let mut count = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if count.since.is_none_or(|since| now.0.saturating_sub(since.0) >= PER) {
            (count.since, count.told) = (Some(now), 0);
        }
        if count.told < TOLD {
            count.told += 1;
            return Some(std::mem::take(&mut count.untold));
        }
        count.untold += 1;
        None
    }

    /// What was to be told could not be.
    fn again(&self, untold: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).untold += untold + 1;
    }
}

impl Keyring {
    /// Notes that a call was refused. `action`: the RPC's name; `reason`: as the caller was told.
    pub async fn refused(&self, who: Who, from: Option<IpAddr>, action: &'static str, reason: &'static str) {
        let Some(untold) = self.refusals.count(self.guard.clock.boot()) else { return };
        let refused = Some(Refused { reason, untold });
        let note = AuditNote { from, refused, ..self.noted(who, action, Vec::new()) };
        if let Err(error) = self.store.note(&note).await {
            tracing::warn!(%error, "a refused call is not in the audit log");
            self.refusals.again(untold);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_a_minute_are_told_and_the_next_tells_how_many_were_not() {
        let refusals = Refusals::default();
        let at = |seconds| BootTime(Duration::from_secs(seconds));
        let told = |seconds, times| (0..times).map(|_| refusals.count(at(seconds))).collect::<Vec<_>>();
        assert_eq!(told(100, 12), [vec![Some(0); 10], vec![None; 2]].concat());
        assert_eq!(told(159, 1), [None]);
        assert_eq!(told(160, 2), [Some(3), Some(0)]);
        refusals.again(0);
        assert_eq!(told(161, 1), [Some(1)]);
    }
}
