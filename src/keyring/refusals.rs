//! Calls that were refused are in the audit log too, but not as many as somebody cares to make: of each caller so many a minute one by one, the others
//! by their number, with the last of them. Who shows no token that is known is one caller with all others like it, so that nobody's attempts hide behind theirs.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Keyring;
use crate::domain::audit::Who;
use crate::domain::time::BootTime;
use crate::store::AuditNote;
use crate::store::audit::Refused;

/// So many are told one by one in so long.
const TOLD: u32 = 10;
const PER: Duration = Duration::from_mins(1);

/// So many callers are told apart; there is one for each admin token and certificate that was refused within the minute.
const CALLERS: usize = 4_096;

/// How many of each caller were told lately, and how many were not.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<HashMap<String, Count>>);

/// A call that was refused: whose, from where, the RPC's name, and the reason as the caller was told.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Call {
    who: Who,
    from: Option<IpAddr>,
    action: &'static str,
    reason: &'static str,
}

#[derive(Debug)]
struct Count {
    /// When the first of those that were told came.
    since: BootTime,
    told: u32,
    untold: u64,
    /// Of those that were not told.
    last: Option<Call>,
}

/// A call that is told, and how many before it were not.
type Told = (Call, u64);

impl Refusals {
    /// The call, if it is told.
    fn count(&self, call: Call, now: BootTime) -> Option<Told> {
        let mut counts = self.counts();
        let whose = if counts.len() < CALLERS { call.who.to_string() } else { Who::Unknown.to_string() };
        let count = counts.entry(whose).or_insert_with(|| Count::since(now));
        if now.0.saturating_sub(count.since.0) >= PER {
            (count.since, count.told) = (now, 0);
        }
        if count.told < TOLD {
            count.told += 1;
            count.last = None;
            return Some((call, std::mem::take(&mut count.untold)));
        }
        count.untold += 1;
        count.last = Some(call);
        None
    }

    /// What is to be told though nobody else was refused: of each caller the last call, where the minute is over. Callers of whom there is nothing to tell
    /// are forgotten.
    fn overdue(&self, per: Duration, now: BootTime) -> Vec<Told> {
        let mut told = Vec::new();
        self.counts().retain(|_, count| {
            let is_over = now.0.saturating_sub(count.since.0) >= per;
            if let Some(last) = count.last.take_if(|_| is_over) {
                told.push((last, std::mem::take(&mut count.untold).saturating_sub(1)));
            }
            !is_over || count.untold > 0
        });
        told
    }

    /// What was to be told could not be.
    fn again(&self, (call, untold): Told, now: BootTime) {
        let mut counts = self.counts();
        let count = counts.entry(call.who.to_string()).or_insert_with(|| Count::since(now));
        count.untold += untold + 1;
        count.last.get_or_insert(call);
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<String, Count>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Count {
    fn since(now: BootTime) -> Self {
        Self { since: now, told: 0, untold: 0, last: None }
    }
}

impl Keyring {
    /// Notes that a call was refused. `action`: the RPC's name; `reason`: as the caller was told.
    pub async fn refused(&self, who: Who, from: Option<IpAddr>, action: &'static str, reason: &'static str) {
        if let Some(told) = self.refusals.count(Call { who, from, action, reason }, self.guard.clock.boot()) {
            self.tell(told).await;
        }
    }

    /// Notes the refused calls of minutes that are over and were not told.
    pub async fn tell_refused(&self) {
        self.tell_all(PER).await;
    }

    /// Notes all that were not told: there is no later.
    pub async fn tell_last_refused(&self) {
        self.tell_all(Duration::ZERO).await;
    }

    async fn tell_all(&self, per: Duration) {
        for told in self.refusals.overdue(per, self.guard.clock.boot()) {
            self.tell(told).await;
        }
    }

    async fn tell(&self, (call, untold): Told) {
        let refused = Some(Refused { reason: call.reason, untold });
        let note = AuditNote { from: call.from, refused, ..self.noted(call.who.clone(), call.action, Vec::new()) };
        if let Err(error) = self.store.note(&note).await {
            tracing::warn!(%error, "a refused call is not in the audit log");
            self.refusals.again((call, untold), self.guard.clock.boot());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::actor::Actor;
    use crate::domain::name::KeyId;

    fn at(seconds: u64) -> BootTime {
        BootTime(Duration::from_secs(seconds))
    }

    fn call(who: Who) -> Call {
        Call { who, from: None, action: "GetKey", reason: "UNAUTHENTICATED" }
    }

    fn untold(refusals: &Refusals, seconds: u64, times: u32) -> Vec<Option<u64>> {
        (0..times).map(|_| refusals.count(call(Who::Unknown), at(seconds)).map(|(_, untold)| untold)).collect()
    }

    #[test]
    fn ten_a_minute_are_told_and_the_next_tells_how_many_were_not() {
        let refusals = Refusals::default();
        assert_eq!(untold(&refusals, 100, 12), [vec![Some(0); 10], vec![None; 2]].concat());
        assert_eq!(untold(&refusals, 159, 1), [None]);
        assert_eq!(untold(&refusals, 160, 2), [Some(3), Some(0)]);
        refusals.again((call(Who::Unknown), 0), at(160));
        assert_eq!(untold(&refusals, 161, 1), [Some(1)]);
    }

    #[test]
    fn nobodys_calls_hide_behind_those_of_others() {
        let refusals = Refusals::default();
        untold(&refusals, 100, 12);
        let viewer = Who::By(Actor::Key(KeyId::parse("key_1").unwrap()));
        assert_eq!(refusals.count(call(viewer.clone()), at(100)), Some((call(viewer), 0)));
    }

    #[test]
    fn what_was_not_told_is_told_when_the_minute_is_over_though_nobody_comes() {
        let refusals = Refusals::default();
        untold(&refusals, 100, 13);
        assert_eq!(refusals.overdue(PER, at(159)), []);
        assert_eq!(refusals.overdue(PER, at(160)), [(call(Who::Unknown), 2)], "the last of three");
        assert_eq!((refusals.overdue(PER, at(220)), refusals.counts().len()), (vec![], 0), "and nobody is remembered for ever");
        untold(&refusals, 300, 12);
        assert_eq!(refusals.overdue(Duration::ZERO, at(301)), [(call(Who::Unknown), 1)], "at the end at once");
    }
}
