//! When a connection may be tried again. Links of one way fail together: their failures count as one, and from the second one on only one of
//! them tries at a time, so that a server that is away is not stormed by as many as there are threads.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::store::StoreError;

/// Of all links of one way.
#[derive(Default)]
pub(super) struct Attempts {
    /// Whether anything failed since the last answer: asked for each of them.
    troubled: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// In a row.
    failures: u32,
    barred: Option<(Instant, StoreError)>,
    round: Round,
}

/// How often something had failed when a connection was tried: whatever was tried in one round fails once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Round(u64);

impl Attempts {
    /// Whether a connection may be made now, or why not. While it is tried, for `patience` at most, nobody else may after two failures.
    pub(super) fn begin(&self, now: Instant, patience: Duration) -> Result<Round, StoreError> {
        let mut state = self.state();
        if let Some((until, why)) = &mut state.barred {
            if now < *until {
                return Err(why.clone());
            }
            *until = now + patience;
        }
        if state.failures < 2 {
            state.barred = None;
        }
        Ok(state.round)
    }

    /// What was made in this round was no good.
    pub(super) fn failed(&self, now: Instant, round: Round, why: StoreError) {
        let mut state = self.state();
        if round < state.round {
            return;
        }
        self.troubled.store(true, Ordering::Relaxed);
        state.failures = state.failures.saturating_add(1);
        state.barred = Some((now + pause(state.failures), why));
        state.round.0 += 1;
    }

    /// What was tried in this round was made: others may try too.
    pub(super) fn made(&self, now: Instant, round: Round) {
        let mut state = self.state();
        if round >= state.round
            && let Some((until, _)) = &mut state.barred
        {
            *until = now;
        }
    }

    /// There was an answer to what was made in this round. One that was made before the last failure says nothing of what can be made now.
    pub(super) fn succeeded(&self, round: Round) {
        if !self.troubled.load(Ordering::Relaxed) {
            return;
        }
        let mut state = self.state();
        if round >= state.round {
            (state.failures, state.barred) = (0, None);
            self.troubled.store(false, Ordering::Relaxed);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long nothing is tried after so many failures in a row: not at all after the first, or a server that was only restarted would be
/// missed; half a second at most; and up to as much again at random, so that replicas do not all come back at once.
fn pause(failures: u32) -> Duration {
    let longest = match failures {
        0 | 1 => 0,
        few => (25 << few.min(5)).min(500),
    };
    let random = getrandom::u32().unwrap_or_default() % (longest + 1);
    Duration::from_millis(u64::from(longest + random))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(1);

    fn why() -> StoreError {
        StoreError::Unavailable("away".into())
    }

    #[test]
    fn the_pause_after_failures_grows_to_half_a_second_and_is_never_twice_that() {
        assert_eq!(pause(1), Duration::ZERO);
        for (failures, least) in [(2, 100), (3, 200), (4, 400), (5, 500), (6, 500), (u32::MAX, 500)] {
            for _ in 0..100 {
                assert!((least..=2 * least).contains(&pause(failures).as_millis()), "{failures}");
            }
        }
    }

    #[test]
    fn what_many_tried_together_fails_once_and_may_be_tried_again_at_once() {
        let (attempts, now) = (Attempts::default(), Instant::now());
        let rounds = [(); 3].map(|()| attempts.begin(now, PATIENCE).unwrap());
        for round in rounds {
            attempts.failed(now, round, why());
        }
        assert!(attempts.begin(now, PATIENCE).is_ok() && attempts.begin(now, PATIENCE).is_ok());
    }

    #[test]
    fn after_two_failures_nobody_tries_for_a_while_and_then_one_at_a_time_until_there_is_an_answer() {
        let (attempts, begun) = (Attempts::default(), Instant::now());
        for _ in 0..2 {
            attempts.failed(begun, attempts.begin(begun, PATIENCE).unwrap(), why());
        }
        assert_eq!(attempts.begin(begun, PATIENCE), Err(why()), "a pause");
        let later = begun + Duration::from_millis(200);
        attempts.begin(later, PATIENCE).unwrap();
        assert_eq!(attempts.begin(later, PATIENCE), Err(why()), "it is being tried");
        let later = later + PATIENCE;
        let round = attempts.begin(later, PATIENCE).expect("whoever tried has given up");
        attempts.succeeded(round);
        assert!(attempts.begin(later, PATIENCE).is_ok() && attempts.begin(later, PATIENCE).is_ok());
    }

    #[test]
    fn what_was_made_lets_others_try_before_it_has_answered() {
        let (attempts, begun) = (Attempts::default(), Instant::now());
        for _ in 0..2 {
            attempts.failed(begun, attempts.begin(begun, PATIENCE).unwrap(), why());
        }
        let later = begun + Duration::from_millis(200);
        let round = attempts.begin(later, PATIENCE).unwrap();
        assert_eq!(attempts.begin(later, PATIENCE), Err(why()), "control: while it is being tried");
        attempts.made(later, round);
        attempts.begin(later, PATIENCE).unwrap();
    }

    #[test]
    fn answers_to_what_was_made_before_do_not_hide_that_nothing_can_be_made_any_more() {
        let (attempts, begun) = (Attempts::default(), Instant::now());
        let old = attempts.begin(begun, PATIENCE).unwrap();
        for _ in 0..2 {
            attempts.failed(begun, attempts.begin(begun, PATIENCE).unwrap(), why());
            attempts.succeeded(old);
        }
        assert_eq!(attempts.begin(begun, PATIENCE), Err(why()));
        let later = begun + Duration::from_millis(200);
        attempts.succeeded(attempts.begin(later, PATIENCE).unwrap());
        assert!(attempts.begin(later, PATIENCE).is_ok() && attempts.begin(later, PATIENCE).is_ok(), "control: those to a new one do");
    }
}
