//! The rule of windows in fixed cases.

use super::calendar::{Period, Unit};
use super::time::StoreTime;
use super::window::*;

const MINUTE: Spec = sliding(60_000, 5, 0);

const fn sliding(length_ms: u32, most: u32, slot_ms: u32) -> Spec {
    Spec { most, span: Span::Sliding { length_ms, slot_ms }, force: Force::Enforced }
}

fn left(answer: &Answer) -> Vec<u32> {
    match answer {
        Answer::Granted { windows, .. } | Answer::Refused { windows, .. } => windows.iter().map(|told| told.left).collect(),
        Answer::Behind => Vec::new(),
    }
}

fn ask(now: i64, want: u32) -> Ask {
    Ask { now: StoreTime(now), want, cost: 1, ttl_ms: 50, share: 1 }
}

fn one(windows: &mut Windows, spec: Spec, ask: &Ask) -> Answer {
    take(&mut [(windows, &[spec])], ask)
}

#[test]
fn a_slot_counts_in_full_until_its_last_token_leaves_the_window() {
    let mut windows = Windows::default();
    assert!(matches!(one(&mut windows, MINUTE, &ask(1_000, 5)), Answer::Granted { tokens: 5, .. }));
    let refused = Answer::Refused { retry_at: Some(StoreTime(61_050)), windows: vec![Told { slot: None, left: 0, more_in_ms: 1 }] };
    assert_eq!(one(&mut windows, MINUTE, &ask(61_049, 1)), refused);
    assert!(matches!(one(&mut windows, MINUTE, &ask(61_050, 1)), Answer::Granted { tokens: 1, .. }));
}

#[test]
fn a_refusal_by_one_window_takes_nothing_from_the_others() {
    let hour = sliding(3_600_000, 100, 112_500);
    let (mut key, mut owner) = (Windows::default(), Windows::default());
    for _ in 0..5 {
        take(&mut [(&mut key, &[MINUTE, hour]), (&mut owner, &[hour])], &ask(0, 1));
    }
    let answer = take(&mut [(&mut key, &[MINUTE, hour]), (&mut owner, &[hour])], &ask(0, 1));
    assert!(matches!(answer, Answer::Refused { retry_at: Some(StoreTime(60_050)), .. }));
    assert_eq!(left(&answer), [0, 95, 95]);
    let counted: u32 = owner.windows[0].slots.iter().map(|slot| slot.count).sum();
    assert_eq!(counted, 5);
}

#[test]
fn a_grant_is_a_share_of_the_room_and_never_less_than_the_cost() {
    let spec = sliding(60_000, 100, 3_750);
    let mut windows = Windows::default();
    let ask = Ask { share: 4, cost: 1, ..ask(0, 80) };
    let granted: Vec<u32> = std::iter::from_fn(|| match one(&mut windows, spec, &ask) {
        Answer::Granted { tokens, .. } => Some(tokens),
        _ => None,
    })
    .collect();
    assert_eq!(granted.iter().sum::<u32>(), 100);
    assert_eq!(granted[..4], [25, 18, 14, 10]);
    assert_eq!(*granted.last().unwrap(), 1);
}

#[test]
fn a_cost_above_the_limit_never_fits() {
    let answer = one(&mut Windows::default(), MINUTE, &Ask { cost: 6, ..ask(0, 6) });
    assert!(matches!(answer, Answer::Refused { retry_at: None, .. }));
    assert_eq!(left(&answer), [5]);
}

#[test]
fn what_is_given_back_can_be_taken_again_and_never_more_than_was_taken() {
    let mut windows = Windows::default();
    one(&mut windows, MINUTE, &ask(7, 5));
    windows.give_back(WindowId::sliding(60_000), 7, 2);
    assert!(matches!(one(&mut windows, MINUTE, &ask(8, 5)), Answer::Granted { tokens: 2, .. }));
    windows.give_back(WindowId::sliding(60_000), 7, 99);
    windows.give_back(WindowId::sliding(60_000), 12_345, 99);
    assert!(matches!(one(&mut windows, MINUTE, &ask(9, 5)), Answer::Granted { tokens: 3, .. }));
}

#[test]
fn time_that_runs_backwards_is_taken_as_standing_still() {
    let mut windows = Windows::default();
    one(&mut windows, MINUTE, &ask(100_000, 5));
    assert!(matches!(one(&mut windows, MINUTE, &ask(0, 1)), Answer::Refused { .. }));
    assert_eq!(windows.latest, StoreTime(100_000));
}

fn day(now: i64) -> Period {
    Period::of(Unit::Day, &jiff::tz::TimeZone::UTC, StoreTime(now)).unwrap()
}

const A_DAY: i64 = 86_400_000;

#[test]
fn a_calendar_window_is_one_count_that_begins_anew_with_its_period() {
    let quota = Spec { most: 3, span: Span::Calendar(day(5)), force: Force::Enforced };
    let mut windows = Windows::default();
    assert_eq!(left(&one(&mut windows, quota, &ask(5, 2))), [1]);
    assert_eq!(left(&one(&mut windows, quota, &ask(A_DAY - 60, 5))), [0]);
    let refused = one(&mut windows, quota, &ask(A_DAY - 1, 1));
    assert!(matches!(refused, Answer::Refused { retry_at: Some(StoreTime(A_DAY)), .. }), "{refused:?}");
    assert_eq!(left(&one(&mut windows, quota, &ask(A_DAY, 1))), [2], "the taker knows of the next period");
    assert_eq!(one(&mut windows, quota, &ask(2 * A_DAY, 1)), Answer::Behind);
}

#[test]
fn no_token_outlives_its_period() {
    let quota = Spec { most: 3, span: Span::Calendar(day(5)), force: Force::Enforced };
    let answer = one(&mut Windows::default(), quota, &ask(A_DAY - 7, 1));
    assert!(matches!(answer, Answer::Granted { ttl_ms: 7, .. }), "{answer:?}");
}

#[test]
fn a_shadow_counts_what_it_would_admit_and_refuses_nothing() {
    let shadow = Spec { most: 2, ..MINUTE };
    let shadow = Spec { force: Force::Shadow, ..shadow };
    let mut windows = [Windows::default(), Windows::default()];
    let mut took = |now| {
        let [first, second] = &mut windows;
        take(&mut [(first, &[MINUTE]), (second, &[shadow])], &ask(now, 1))
    };
    let counted = |answer: Answer| match answer {
        Answer::Granted { windows, .. } => windows.iter().map(|told| told.slot.is_some()).collect::<Vec<_>>(),
        _ => Vec::new(),
    };
    let all: Vec<_> = (0..6).map(|now| counted(took(now))).collect();
    assert_eq!(all, [vec![true, true], vec![true, true], vec![true, false], vec![true, false], vec![true, false], vec![]]);
    assert_eq!(windows[1].windows[0].slots.len(), 2);
}
