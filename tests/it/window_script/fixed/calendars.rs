//! Periods of a calendar.

use std::time::Duration;

use keyward::domain::calendar::{Period, Unit};
use keyward::domain::time::StoreTime;
use keyward::domain::window::{Force, Span, Spec, Told};
use keyward::store::{Charge, Subject};

use super::super::both::Both;
use super::{Case, MINUTE, T, back, charge, granted, one, refused, stale, subject, told};

const HOUR: i64 = 3_600_000;

pub(super) const CASES: &[Case] = &[
    the_time_says_which_period_it_is,
    a_period_that_begins_a_little_later_counts_from_now_on,
    no_token_outlives_its_period,
    a_month_is_waited_for_to_its_end,
    what_was_counted_in_another_time_zone_counts_until_it_is_over,
    a_stale_charge_gives_back_and_tells_of_newer_limits,
];

/// Of three.
fn period(from: i64, until: i64, next_until: i64) -> Spec {
    let period =
        Period { unit: Unit::Month, from: StoreTime(T + from), until: StoreTime(T + until), next_until: StoreTime(T + next_until) };
    Spec { most: 3, span: Span::Calendar(period), force: Force::Enforced }
}

fn the_time_says_which_period_it_is(both: &mut Both) -> Result<(), String> {
    let spec = period(-HOUR, HOUR, 2 * HOUR);
    granted(both, T, &one(spec, 2), (2, &[T - HOUR], &[1]))?;
    granted(both, T + HOUR - 1, &one(spec, 1), (1, &[T - HOUR], &[0]))?;
    refused(both, T + HOUR - 1, &one(spec, 1), (Some(1), &[0]))?;
    granted(both, T + HOUR, &one(spec, 1), (1, &[T + HOUR], &[2]))?;
    granted(both, T + HOUR, &one(period(HOUR, 2 * HOUR, 3 * HOUR), 1), (1, &[T + HOUR], &[1]))?;
    granted(both, T + 2 * HOUR - 1, &one(spec, 1), (1, &[T + HOUR], &[0]))?;
    stale(both, T + 2 * HOUR, &one(spec, 1))?;
    granted(both, T + 2 * HOUR, &one(period(HOUR, 2 * HOUR, 3 * HOUR), 3), (3, &[T + 2 * HOUR], &[0]))
}

fn a_period_that_begins_a_little_later_counts_from_now_on(both: &mut Both) -> Result<(), String> {
    let spec = period(5_000, HOUR, 2 * HOUR);
    granted(both, T, &one(spec, 1), (1, &[T + 5_000], &[2]))?;
    granted(both, T + 4_999, &one(spec, 1), (1, &[T + 5_000], &[1]))?;
    granted(both, T + 5_000, &one(spec, 1), (1, &[T + 5_000], &[0]))?;
    refused(both, T + 5_001, &one(spec, 1), (Some(3_594_999), &[0]))
}

fn no_token_outlives_its_period(both: &mut Both) -> Result<(), String> {
    let with = |specs: &[Spec]| Charge { ttl: Duration::from_secs(9), ..charge(vec![subject(Some("key_1"), specs)], 1) };
    let month = period(-HOUR, 4_000, HOUR);
    let until = |left, more_in_ms| Told { slot: Some(T - HOUR), left, more_in_ms };
    let minute = |slot, left, more_in_ms| Told { slot: Some(slot), left, more_in_ms };
    told(both, T, &with(&[MINUTE, month]), (1, 4_000), &[minute(T, 4, 64_000), until(2, 4_000)])?;
    told(both, T + 3_999, &with(&[month]), (1, 1), &[until(1, 1)])?;
    let next = Told { slot: Some(T + 4_000), left: 2, more_in_ms: 3_596_000 };
    told(both, T + 4_000, &with(&[month, MINUTE]), (1, 9_000), &[next, minute(T + 4_000, 3, 60_000)])
}

fn a_month_is_waited_for_to_its_end(both: &mut Both) -> Result<(), String> {
    let month = period(-HOUR, 31 * 24 * HOUR, 59 * 24 * HOUR);
    told(both, T, &one(month, 3), (3, 50), &[Told { slot: Some(T - HOUR), left: 0, more_in_ms: 2_678_400_000 }])?;
    refused(both, T + 1, &one(month, 1), (Some(2_678_399_999), &[0]))?;
    let near_its_end = T + 31 * 24 * HOUR - 1;
    refused(both, near_its_end, &one(month, 1), (Some(1), &[0]))?;
    granted(both, near_its_end + 1, &one(month, 1), (1, &[near_its_end + 1], &[2]))
}

fn what_was_counted_in_another_time_zone_counts_until_it_is_over(both: &mut Both) -> Result<(), String> {
    let (before, after) = (period(-HOUR, HOUR, 3 * HOUR), period(-2 * HOUR, 2 * HOUR, 4 * HOUR));
    granted(both, T, &one(before, 2), (2, &[T - HOUR], &[1]))?;
    granted(both, T, &one(after, 1), (1, &[T - 2 * HOUR], &[0]))?;
    refused(both, T, &one(before, 2), (Some(3_600_000), &[0]))?;
    refused(both, T, &Charge { cost: 3, ..one(after, 3) }, (Some(7_200_000), &[0]))?;
    granted(both, T + HOUR, &one(after, 1), (1, &[T - 2 * HOUR], &[1]))?;
    granted(both, T + HOUR, &one(before, 1), (1, &[T + HOUR], &[0]))?;
    granted(both, T + 2 * HOUR, &one(after, 3), (2, &[T + 2 * HOUR], &[0]))
}

fn a_stale_charge_gives_back_and_tells_of_newer_limits(both: &mut Both) -> Result<(), String> {
    let of = |generation, specs: &[Spec]| charge(vec![Subject { generation, ..subject(Some("key_1"), specs) }], 5);
    granted(both, T, &of(1, &[MINUTE]), (5, &[T], &[0]))?;
    let over = Charge { returns: vec![back(T, 2)], ..of(2, &[MINUTE, period(-2 * HOUR, -HOUR, 0)]) };
    stale(both, T, &over)?;
    stale(both, T, &of(1, &[MINUTE]))?;
    granted(both, T, &of(2, &[MINUTE]), (2, &[T], &[0]))
}
