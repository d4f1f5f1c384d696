//! What clients saw, and what can be said of it with certainty.
//!
//! A token is spent at an instant that no client sees; that it lies between the sending of the check and the receiving of its answer is
//! certain, and both are read from one clock, `CLOCK_MONOTONIC` of the test's process. So admissions whose intervals lie together within
//! less than W were all spent in one true window (x−W, x], and there may be no more than N of them. The count is a lower bound of the
//! true one: a run above N is broken beyond doubt, and how much a window may hide is as much as its answers took. The real binary is
//! tried so; a stamp of the decision would be sharper by that and would need a server that is not the one that is shipped.

use std::time::Duration;

/// One check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// The number of its key.
    pub key: usize,
    /// Of the run's clock.
    pub sent: Duration,
    pub received: Duration,
    pub answer: Answer,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Admitted,
    /// Admitted, and then given back to the limits that do not count what the upstream answered.
    Refunded,
    /// A window is full.
    Limited,
    /// The store did not answer in time.
    Unavailable,
    /// The replica did not answer.
    Failed,
    /// The client went away before there was an answer.
    Cancelled,
}

/// When a check was sent and when its answer was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    pub sent: Duration,
    pub received: Duration,
}

impl Record {
    pub fn interval(&self) -> Interval {
        Interval { sent: self.sent, received: self.received }
    }
}

/// The most of these that were spent in one true window for certain.
pub fn worst_window(admitted: &[Interval], window: Duration) -> usize {
    let mut by_sent = admitted.to_vec();
    by_sent.sort_unstable_by_key(|interval| interval.sent);
    let mut ends: Vec<Duration> = admitted.iter().map(|interval| interval.received).collect();
    ends.sort_unstable();
    let mut later = Counts::new(ends.len());
    let mut worst = 0;
    // a window that begins just before one of them is sent: all that were sent later and were answered within it
    for interval in by_sent.iter().rev() {
        later.add(ends.partition_point(|end| *end < interval.received));
        worst = worst.max(later.below(ends.partition_point(|end| *end < interval.sent + window)));
    }
    worst
}

/// How many of these checks, all of one limit, an exact log would have admitted, each at the instant when it was sent.
pub fn exact_log(mut sent: Vec<Duration>, most: usize, window: Duration) -> usize {
    sent.sort_unstable();
    let mut admitted: Vec<Duration> = Vec::new();
    for at in sent {
        if admitted.len() < most || admitted[admitted.len() - most] + window <= at {
            admitted.push(at);
        }
    }
    admitted.len()
}

/// Counts by place, of which sums are quick (a Fenwick tree).
struct Counts(Vec<usize>);

impl Counts {
    fn new(places: usize) -> Self {
        Self(vec![0; places + 1])
    }

    fn add(&mut self, place: usize) {
        let mut at = place + 1;
        while at < self.0.len() {
            self.0[at] += 1;
            at += at & at.wrapping_neg();
        }
    }

    /// At places before this one.
    fn below(&self, place: usize) -> usize {
        let (mut at, mut sum) = (place, 0);
        while at > 0 {
            sum += self.0[at];
            at &= at - 1;
        }
        sum
    }
}

const MS: Duration = Duration::from_millis(1);

fn intervals(all: &[(u32, u32)]) -> Vec<Interval> {
    all.iter().map(|(sent, received)| Interval { sent: MS * *sent, received: MS * *received }).collect()
}

#[test]
fn only_what_was_sent_and_answered_within_a_window_is_counted_in_it() {
    let window = MS * 1000;
    assert_eq!(worst_window(&intervals(&[(0, 1), (10, 20), (990, 999)]), window), 3);
    assert_eq!(worst_window(&intervals(&[(0, 1), (10, 20), (990, 1000)]), window), 2, "a window does not have both its ends");
    assert_eq!(worst_window(&intervals(&[(0, 500), (1, 1200), (400, 1100)]), window), 1, "it may have been spent after the window");
    assert_eq!(worst_window(&intervals(&[(0, 5), (0, 5), (0, 5), (1001, 1002)]), window), 3);
    assert_eq!(worst_window(&[], window), 0);
}

#[test]
fn the_worst_window_is_that_which_looking_at_every_pair_finds() {
    for run in 0..200_u32 {
        let drawn = |of: u32| getrandom::u32().unwrap() % of;
        let all: Vec<(u32, u32)> = (0..run % 40).map(|_| (drawn(3000), drawn(200))).map(|(sent, took)| (sent, sent + took)).collect();
        let all = intervals(&all);
        let within = |from: &Interval| all.iter().filter(|one| one.sent >= from.sent && one.received < from.sent + MS * 1000).count();
        assert_eq!(worst_window(&all, MS * 1000), all.iter().map(within).max().unwrap_or(0), "{all:?}");
    }
}

#[test]
fn an_exact_log_admits_what_the_window_before_leaves_room_for() {
    let at = |all: &[u32]| all.iter().map(|at| MS * *at).collect::<Vec<_>>();
    assert_eq!(exact_log(at(&[0, 1, 2, 999, 1000, 1001, 1500]), 2, MS * 1000), 4, "0, 1, 1000, 1001");
    assert_eq!(exact_log(at(&[0, 1, 2]), 5, MS * 1000), 3);
}
