//! Cases written down, with the answers that are expected of both.

mod calendars;
mod shadows;
mod tickets;

use std::time::Duration;

use keyward::domain::name::{KeyId, OwnerId, RealmId};
use keyward::domain::window::{Force, Span, Spec, Told, WindowId};
use keyward::store::{Charge, Generations, Return, Subject, SubjectName, Taken};

use super::both::Both;

const MINUTE: Spec = sliding(60_000, 5, 0);
const COARSE: Spec = sliding(60_000, 100, 3_750);
const HOUR: Spec = sliding(3_600_000, 100, 112_500);
const DAY: Spec = sliding(86_400_000, 1_000, 1_800_000);
/// Some instant.
const T: i64 = 1_800_000_000_000;

type Case = fn(&mut Both) -> Result<(), String>;

const CASES: [Case; 17] = [
    a_slot_takes_grants_until_exactly_its_length,
    a_slot_without_length_takes_the_grants_of_one_millisecond,
    a_slot_counts_until_exactly_its_last_token_leaves_the_window,
    the_latest_lease_of_a_slot_is_what_it_counts_by,
    a_wait_ends_when_it_fits_and_not_a_millisecond_before,
    a_wait_is_the_longest_of_all_windows,
    a_grant_is_a_share_rounded_down_and_never_less_than_the_cost,
    a_cost_above_the_limit_never_fits,
    a_refusal_by_one_subject_takes_nothing_from_another,
    older_limits_are_stale_even_after_a_refusal,
    what_comes_back_is_there_for_the_same_charge,
    what_comes_back_to_nothing_changes_nothing,
    only_giving_back_takes_nothing,
    time_that_runs_backwards_stands_still,
    a_return_of_nothing_leaves_no_trace,
    what_is_given_back_whole_is_forgotten,
    what_there_is_more_of_is_told_by_what_ends_first,
];

/// All of them, each on windows without a past.
pub(super) fn run(both: &mut Both) -> Result<(), String> {
    CASES.iter().chain(calendars::CASES).chain(shadows::CASES).chain(tickets::CASES).try_for_each(|case| {
        both.forget();
        case(both)
    })
}

/// A slot, and the lease of its last token.
pub(super) fn a_lease_of(both: &mut Both, ttl_ms: u64) -> Result<(), String> {
    granted(both, T, &Charge { ttl: Duration::from_millis(ttl_ms), ..one(DAY, 1) }, (1, &[T], &[999]))
}

fn a_slot_takes_grants_until_exactly_its_length(both: &mut Both) -> Result<(), String> {
    granted(both, T, &one(COARSE, 1), (1, &[T], &[99]))?;
    granted(both, T + 3_749, &one(COARSE, 1), (1, &[T], &[98]))?;
    granted(both, T + 3_750, &one(COARSE, 1), (1, &[T + 3_750], &[97]))?;
    granted(both, T + 7_499, &one(COARSE, 1), (1, &[T + 3_750], &[96]))?;
    granted(both, T + 7_500, &one(COARSE, 1), (1, &[T + 7_500], &[95]))
}

fn a_slot_without_length_takes_the_grants_of_one_millisecond(both: &mut Both) -> Result<(), String> {
    granted(both, T, &one(MINUTE, 1), (1, &[T], &[4]))?;
    granted(both, T, &one(MINUTE, 1), (1, &[T], &[3]))?;
    granted(both, T + 1, &one(MINUTE, 1), (1, &[T + 1], &[2]))
}

fn a_slot_counts_until_exactly_its_last_token_leaves_the_window(both: &mut Both) -> Result<(), String> {
    granted(both, T, &one(MINUTE, 5), (5, &[T], &[0]))?;
    refused(both, T + 60_049, &one(MINUTE, 1), (Some(1), &[0]))?;
    granted(both, T + 60_050, &one(MINUTE, 5), (5, &[T + 60_050], &[0]))
}

fn the_latest_lease_of_a_slot_is_what_it_counts_by(both: &mut Both) -> Result<(), String> {
    let lease = |ms| Charge { ttl: Duration::from_millis(ms), ..one(Spec { most: 2, ..COARSE }, 1) };
    granted(both, T, &lease(5_000), (1, &[T], &[1]))?;
    granted(both, T + 100, &lease(50), (1, &[T], &[0]))?;
    refused(both, T + 64_999, &lease(50), (Some(1), &[0]))?;
    granted(both, T + 65_000, &lease(50), (1, &[T + 65_000], &[1]))
}

fn a_wait_ends_when_it_fits_and_not_a_millisecond_before(both: &mut Both) -> Result<(), String> {
    for at in [0, 1_000, 2_000] {
        granted(both, T + at, &one(Spec { most: 6, ..MINUTE }, 2), (2, &[T + at], &[u32::try_from(4 - at / 500).unwrap()]))?;
    }
    let three = Charge { want: 3, cost: 3, ..one(Spec { most: 6, ..MINUTE }, 3) };
    refused(both, T + 2_000, &three, (Some(59_050), &[0]))?;
    refused(both, T + 61_049, &three, (Some(1), &[2]))?;
    granted(both, T + 61_050, &three, (3, &[T + 61_050], &[1]))
}

fn a_wait_is_the_longest_of_all_windows(both: &mut Both) -> Result<(), String> {
    let two = [MINUTE, Spec { most: 5, ..HOUR }];
    granted(both, T, &charge(vec![subject(Some("key_1"), &two)], 5), (5, &[T, T], &[0, 0]))?;
    refused(both, T + 1, &charge(vec![subject(Some("key_1"), &two)], 1), (Some(3_600_049), &[0, 0]))?;
    refused(both, T + 61_000, &charge(vec![subject(Some("key_1"), &two)], 1), (Some(3_539_050), &[5, 0]))
}

fn a_grant_is_a_share_rounded_down_and_never_less_than_the_cost(both: &mut Both) -> Result<(), String> {
    let shared = |want, cost, share| Charge { want, cost, share, ..one(COARSE, 1) };
    granted(both, T, &shared(80, 1, 4), (25, &[T], &[75]))?;
    granted(both, T, &shared(80, 1, 4), (18, &[T], &[57]))?;
    granted(both, T, &shared(80, 20, 4), (20, &[T], &[37]))?;
    granted(both, T, &shared(3, 1, 4), (3, &[T], &[34]))?;
    granted(both, T, &shared(34, 34, 0), (34, &[T], &[0]))
}

fn a_cost_above_the_limit_never_fits(both: &mut Both) -> Result<(), String> {
    refused(both, T, &Charge { want: 6, cost: 6, ..one(MINUTE, 6) }, (None, &[5]))?;
    granted(both, T, &Charge { want: 5, cost: 5, ..one(MINUTE, 5) }, (5, &[T], &[0]))
}

fn a_refusal_by_one_subject_takes_nothing_from_another(both: &mut Both) -> Result<(), String> {
    let together = |want| charge(vec![subject(Some("key_1"), &[MINUTE, HOUR]), subject(None, &[HOUR])], want);
    granted(both, T, &together(5), (5, &[T, T, T], &[0, 95, 95]))?;
    refused(both, T, &together(1), (Some(60_050), &[0, 95, 95]))?;
    granted(both, T, &charge(vec![subject(None, &[HOUR])], 1), (1, &[T], &[94]))
}

fn older_limits_are_stale_even_after_a_refusal(both: &mut Both) -> Result<(), String> {
    let under = |generation, most| charge(vec![Subject { generation, ..subject(Some("key_1"), &[Spec { most, ..COARSE }]) }], 1);
    granted(both, T, &under(1, 100), (1, &[T], &[99]))?;
    refused(both, T, &under(2, 1), (Some(60_050), &[0]))?;
    stale(both, T, &under(1, 100))?;
    granted(both, T, &under(2, 100), (1, &[T], &[98]))
}

fn what_comes_back_is_there_for_the_same_charge(both: &mut Both) -> Result<(), String> {
    granted(both, T, &one(MINUTE, 5), (5, &[T], &[0]))?;
    granted(both, T + 1, &Charge { returns: vec![back(T, 2)], ..one(MINUTE, 5) }, (2, &[T + 1], &[0]))?;
    refused(both, T + 2, &Charge { returns: vec![back(T, 1)], cost: 2, ..one(MINUTE, 2) }, (Some(60_048), &[1]))?;
    granted(both, T + 2, &one(MINUTE, 5), (1, &[T + 2], &[0]))?;
    granted(both, T + 3, &Charge { returns: vec![back(T, 99)], ..one(MINUTE, 5) }, (2, &[T + 3], &[0]))
}

fn what_comes_back_to_nothing_changes_nothing(both: &mut Both) -> Result<(), String> {
    granted(both, T, &one(MINUTE, 4), (4, &[T], &[1]))?;
    let elsewhere =
        [back(T + 1, 9), Return { window: WindowId::sliding(61_000), ..back(T, 9) }, Return { subject: name(Some("key_2")), ..back(T, 9) }];
    granted(both, T + 5, &Charge { returns: elsewhere.into(), ..one(MINUTE, 1) }, (1, &[T + 5], &[0]))?;
    granted(both, T + 60_050, &Charge { returns: vec![back(T, 4)], ..one(MINUTE, 5) }, (4, &[T + 60_050], &[0]))
}

fn only_giving_back_takes_nothing(both: &mut Both) -> Result<(), String> {
    granted(both, T, &one(MINUTE, 5), (5, &[T], &[0]))?;
    let only = Charge { want: 0, cost: 0, returns: vec![back(T, 3)], ..one(MINUTE, 1) };
    granted(both, T, &only, (0, &[], &[3]))?;
    granted(both, T, &Charge { subjects: Vec::new(), ..only }, (0, &[], &[]))?;
    granted(both, T + 1, &one(MINUTE, 5), (5, &[T + 1], &[0]))
}

fn time_that_runs_backwards_stands_still(both: &mut Both) -> Result<(), String> {
    granted(both, T, &one(MINUTE, 5), (5, &[T], &[0]))?;
    refused(both, T - 50_000, &one(MINUTE, 1), (Some(110_050), &[0]))?;
    let other = charge(vec![subject(Some("key_1"), &[]), subject(None, &[HOUR])], 1);
    granted(both, T - 50_000, &other, (1, &[T], &[99]))?;
    refused(both, T + 60_049, &one(MINUTE, 1), (Some(1), &[0]))
}

fn a_return_of_nothing_leaves_no_trace(both: &mut Both) -> Result<(), String> {
    granted(both, T, &one(MINUTE, 5), (5, &[T], &[0]))?;
    let of_nothing = |at| Charge { returns: vec![back(T, 0)], ..one(MINUTE, at) };
    refused(both, T + 1_000, &of_nothing(1), (Some(59_050), &[0]))?;
    refused(both, T + 500, &of_nothing(1), (Some(59_550), &[0]))
}

fn what_is_given_back_whole_is_forgotten(both: &mut Both) -> Result<(), String> {
    granted(both, T, &one(MINUTE, 2), (2, &[T], &[3]))?;
    granted(both, T + 5, &one(MINUTE, 1), (1, &[T + 5], &[2]))?;
    let idle = |returns| Charge { want: 0, cost: 0, returns, ..one(MINUTE, 0) };
    granted(both, T + 6, &idle(vec![back(T, 2)]), (0, &[], &[4]))?;
    granted(both, T + 7, &idle(vec![back(T + 5, 1)]), (0, &[], &[5]))?;
    granted(both, T - 9, &one(MINUTE, 1), (1, &[T - 9], &[4]))
}

fn what_there_is_more_of_is_told_by_what_ends_first(both: &mut Both) -> Result<(), String> {
    let lease = |ms, want| Charge { ttl: Duration::from_millis(ms), ..one(MINUTE, want) };
    told(both, T, &lease(500, 1), (1, 500), &[Told { slot: Some(T), left: 4, more_in_ms: 60_500 }])?;
    told(both, T + 9, &lease(50, 2), (2, 50), &[Told { slot: Some(T + 9), left: 2, more_in_ms: 60_050 }])?;
    told(both, T + 60_059, &lease(50, 2), (2, 50), &[Told { slot: Some(T + 60_059), left: 2, more_in_ms: 441 }])?;
    let nothing = Charge { want: 3, cost: 0, share: 5, ..one(MINUTE, 0) };
    told(both, T + 60_060, &nothing, (0, 0), &[Told { slot: None, left: 2, more_in_ms: 440 }])?;
    told(both, T + 200_000, &nothing, (1, 50), &[Told { slot: Some(T + 200_000), left: 4, more_in_ms: 60_050 }])
}

const fn sliding(length_ms: u32, most: u32, slot_ms: u32) -> Spec {
    Spec { most, span: Span::Sliding { length_ms, slot_ms }, force: Force::Enforced }
}

/// Expects so many tokens for so long, and all that is told.
fn told(both: &mut Both, now: i64, charge: &Charge, (tokens, ttl_ms): (u32, u64), windows: &[Told]) -> Result<(), String> {
    let expected = Taken::Granted { tokens, ttl: Duration::from_millis(ttl_ms), windows: windows.into() };
    let taken = both.take(now, charge)?;
    if taken == expected { Ok(()) } else { Err(format!("at T{:+} {taken:?} instead of {expected:?}", now - T)) }
}

/// Expects so many tokens, counted in these slots, and so much left.
fn granted(both: &mut Both, now: i64, charge: &Charge, (tokens, slots, left): (u32, &[i64], &[u32])) -> Result<(), String> {
    match both.take(now, charge)? {
        Taken::Granted { tokens: found, windows, .. } if found == tokens && starts(&windows) == slots && left_of(&windows) == left => {
            Ok(())
        }
        other => Err(format!("at T{:+} {other:?} instead of {tokens} in {slots:?}, {left:?} left", now - T)),
    }
}

/// Expects a wait, and so much left.
fn refused(both: &mut Both, now: i64, charge: &Charge, (retry_in, left): (Option<u64>, &[u32])) -> Result<(), String> {
    match both.take(now, charge)? {
        Taken::Refused { retry_in: found, windows }
            if found == retry_in.map(Duration::from_millis) && starts(&windows).is_empty() && left_of(&windows) == left =>
        {
            Ok(())
        }
        other => Err(format!("at T{:+} {other:?} instead of a wait of {retry_in:?}, {left:?} left", now - T)),
    }
}

fn stale(both: &mut Both, now: i64, charge: &Charge) -> Result<(), String> {
    match both.take(now, charge)? {
        Taken::Stale | Taken::Behind => Ok(()),
        other => Err(format!("at T{:+} {other:?} instead of stale", now - T)),
    }
}

/// Of windows that count the tokens.
fn starts(windows: &[Told]) -> Vec<i64> {
    windows.iter().filter_map(|told| told.slot).collect()
}

fn left_of(windows: &[Told]) -> Vec<u32> {
    windows.iter().map(|told| told.left).collect()
}

/// Of one limit of one key.
fn one(spec: Spec, want: u32) -> Charge {
    charge(vec![subject(Some("key_1"), &[spec])], want)
}

fn charge(subjects: Vec<Subject>, want: u32) -> Charge {
    Charge { subjects, want, cost: 1, ttl: Duration::from_millis(50), share: 1, generations: Generations::Heard, returns: Vec::new() }
}

fn subject(key: Option<&str>, windows: &[Spec]) -> Subject {
    Subject { name: name(key), generation: 1, windows: windows.into() }
}

fn back(slot: i64, tokens: u32) -> Return {
    Return { subject: name(Some("key_1")), window: WindowId::sliding(60_000), slot, tokens }
}

pub(super) fn name(key: Option<&str>) -> SubjectName {
    let (realm, owner) = (RealmId::parse("ocus").unwrap(), OwnerId::parse("acme").unwrap());
    SubjectName { realm, owner, key: key.map(|key| KeyId::parse(key).unwrap()) }
}
