//! Usage: counts that are summed, once, and last uses.

use keyward::domain::name::KeyId;
use keyward::domain::time::StoreTime;
use keyward::domain::usage::{Counter, Granularity, LastUse, Tally};
use keyward::store::{Counts, SharedStore, SubjectName, Usage, UsagePiece, UsageRange};

use super::engines::Engine;
use super::samples::{key_id, owner_id, realm};

/// Two replicas.
const ONE: u64 = 0x4f2c_0000_0000_0001;
const OTHER: u64 = 7;

pub(super) async fn usage_is_summed_whoever_adds_it_by_the_minute_and_by_the_day(engine: &mut impl Engine) {
    let (store, now) = begun(engine).await;
    let minute = Granularity::Minute.number(now);
    let first =
        piece(ONE, 1, now, vec![counts(Some("key_1"), &[(minute, 2), (minute - 1, 3)]), counts(None, &[(minute, 2), (minute - 1, 3)])]);
    let second = piece(OTHER, 1, now, vec![counts(Some("key_1"), &[(minute, 10)]), counts(None, &[(minute, 10)])]);
    let third = piece(ONE, 2, now, vec![counts(Some("key_2"), &[(minute, 100)]), counts(None, &[(minute, 100)])]);
    add(&store, &[first]).await;
    add(&store, &[second, third]).await;
    assert_eq!(series(&store, Some("key_1"), last(Granularity::Minute, now, 2)).await, [(minute - 1, 3), (minute, 12)]);
    assert_eq!(series(&store, Some("key_2"), last(Granularity::Minute, now, 2)).await, [(minute, 100)]);
    assert_eq!(series(&store, None, last(Granularity::Minute, now, 2)).await, [(minute - 1, 3), (minute, 112)]);
    let days = series(&store, None, last(Granularity::Day, now, 2)).await;
    assert_eq!(days.iter().map(|(_, count)| count).sum::<u64>(), 115, "{days:?}");
    let all = usage(&store, Some("key_1"), last(Granularity::Minute, now, 1)).await.series.remove(0).1;
    assert_eq!(all.get(Counter::Answered(5)), 2, "a piece, a class: they are summed one by one");
}

pub(super) async fn a_piece_that_is_added_again_is_counted_once(engine: &mut impl Engine) {
    let (store, now) = begun(engine).await;
    let minute = Granularity::Minute.number(now);
    let number = |number| piece(ONE, number, now, vec![counts(Some("key_1"), &[(minute, 1)])]);
    add(&store, &[number(1), number(2)]).await;
    add(&store, &[number(1), number(2)]).await;
    add(&store, &[number(2), number(3)]).await;
    let counted = async || series(&store, Some("key_1"), last(Granularity::Minute, now, 1)).await;
    assert_eq!(counted().await, [(minute, 3)]);
    add(&store, &[UsagePiece { by: OTHER, ..number(1) }]).await;
    assert_eq!(counted().await, [(minute, 4)], "control: another replica's piece of that number is another piece");
}

pub(super) async fn the_latest_use_of_each_secret_is_kept_whatever_comes_last(engine: &mut impl Engine) {
    let (store, now) = begun(engine).await;
    let used = |number, uses: &[(u32, LastUse)]| {
        let all = Counts { key: Some(key_id("key_1")), minutes: Vec::new(), last: uses.to_vec() };
        piece(ONE, number, now, vec![all])
    };
    add(&store, &[used(1, &[(1, use_at(now.0 - 50, "192.0.2.1")), (2, use_at(now.0 - 90, "2001:db8::1"))])]).await;
    add(&store, &[used(2, &[(1, use_at(now.0 - 70, "192.0.2.9"))]), used(3, &[(2, use_at(now.0, "192.0.2.7"))])]).await;
    let told = usage(&store, Some("key_1"), last(Granularity::Minute, now, 1)).await.last;
    assert_eq!(told, [(1, use_at(now.0 - 50, "192.0.2.1")), (2, use_at(now.0, "192.0.2.7"))]);
    let unknown = LastUse { at: StoreTime(now.0 + 1), address: None };
    add(&store, &[used(4, &[(1, unknown)])]).await;
    assert_eq!(usage(&store, Some("key_1"), last(Granularity::Minute, now, 1)).await.last[0], (1, unknown));
}

pub(super) async fn a_range_has_what_was_counted_in_it_and_nothing_else(engine: &mut impl Engine) {
    let (store, now) = begun(engine).await;
    let minute = Granularity::Minute.number(now);
    let minutes: Vec<(i64, u64)> = (0..120).map(|ago| (minute - ago, 1)).collect();
    add(&store, &[piece(ONE, 1, now, vec![counts(Some("key_1"), &minutes)])]).await;
    for (first, last) in [(minute - 119, minute), (minute - 61, minute - 59), (minute, minute)] {
        let range = UsageRange { granularity: Granularity::Minute, first, last };
        let told: Vec<i64> = series(&store, Some("key_1"), range).await.into_iter().map(|(minute, _)| minute).collect();
        assert_eq!(told, (first..=last).collect::<Vec<_>>());
    }
    assert_eq!(usage(&store, Some("key_2"), last(Granularity::Day, now, 366)).await, Usage::default(), "of a key that nobody used");
}

pub(super) async fn last_uses_are_told_in_the_order_of_the_keys_asked_for(engine: &mut impl Engine) {
    let (store, now) = begun(engine).await;
    let of = |owner: &str, key: &str, uses: &[(u32, LastUse)]| UsagePiece {
        owner: SubjectName { owner: owner_id(owner), ..subject(None) },
        ..piece(ONE, 1, now, vec![Counts { key: Some(key_id(key)), minutes: Vec::new(), last: uses.to_vec() }])
    };
    let (early, late) = (use_at(now.0 - 9, "192.0.2.1"), use_at(now.0, "192.0.2.2"));
    add(&store, &[of("acme", "key_1", &[(1, late), (2, early)]), of("other", "key_2", &[(1, early)])]).await;
    let keys = [("key_2", "other"), ("key_3", "acme"), ("key_1", "acme")].map(|(key, owner)| (key_id(key), owner_id(owner)));
    let told = store.last_used(&realm("otesse"), &keys).await.unwrap();
    assert_eq!(told, [Some(early), None, Some(late)]);
    assert_eq!(store.last_used(&realm("ocote"), &keys).await.unwrap(), [None; 3], "of another realm");
    assert_eq!(store.last_used(&realm("otesse"), &[]).await.unwrap(), []);
}

async fn begun(engine: &mut impl Engine) -> (SharedStore, StoreTime) {
    let store = engine.store();
    let now = store.now().await.unwrap();
    (store, now)
}

async fn add(store: &SharedStore, pieces: &[UsagePiece]) {
    assert_eq!(store.add_usage(pieces).await.unwrap(), vec![Ok(()); pieces.len()]);
}

fn subject(key: Option<&str>) -> SubjectName {
    SubjectName { realm: realm("otesse"), owner: owner_id("acme"), key: key.map(key_id) }
}

fn piece(by: u64, number: u64, at: StoreTime, counts: Vec<Counts>) -> UsagePiece {
    UsagePiece { owner: subject(None), by, number, at, counts }
}

/// So many checks that passed in each of these minutes, and one answer of the fifth class.
fn counts(key: Option<&str>, minutes: &[(i64, u64)]) -> Counts {
    let tally = |(minute, allowed): &(i64, u64)| {
        let mut tally = Tally::default();
        tally.add(Counter::Allowed, *allowed);
        tally.add(Counter::Answered(5), 1);
        (*minute, tally)
    };
    Counts { key: key.map(|key| KeyId::parse(key).unwrap()), minutes: minutes.iter().map(tally).collect(), last: Vec::new() }
}

fn use_at(at: i64, address: &str) -> LastUse {
    LastUse { at: StoreTime(at), address: Some(address.parse().unwrap()) }
}

/// The last so many.
fn last(granularity: Granularity, now: StoreTime, count: i64) -> UsageRange {
    let last = granularity.number(now);
    UsageRange { granularity, first: last - count + 1, last }
}

async fn usage(store: &SharedStore, key: Option<&str>, range: UsageRange) -> Usage {
    store.usage(&subject(key), &range).await.unwrap()
}

/// How many checks passed.
async fn series(store: &SharedStore, key: Option<&str>, range: UsageRange) -> Vec<(i64, u64)> {
    let series = usage(store, key, range).await.series;
    series.into_iter().map(|(number, tally)| (number, tally.get(Counter::Allowed))).collect()
}
