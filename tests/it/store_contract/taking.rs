//! `take`.

use std::time::Duration;

use keyward::domain::calendar::{Period, Unit};
use keyward::domain::time::StoreTime;
use keyward::domain::window::{Force, Span, Spec, Told, WindowId};
use keyward::store::{Charge, Generations, Return, SharedStore, Subject, Taken, undo};

use super::engines::Engine;
use super::samples::{DAY, MINUTE, charge, subject};

pub(super) async fn a_charge_takes_from_all_of_its_windows_or_from_none(engine: &mut impl Engine) {
    let store = engine.store();
    let both = |want| charge(vec![subject(Some("key_1"), &[(MINUTE, 5), (DAY, 100)]), subject(None, &[(DAY, 3)])], want);
    assert_eq!(granted(&store, both(2)).await, (2, vec![3, 98, 1]));
    let refused = taken(&store, Charge { cost: 2, ..both(2) }).await;
    assert!(
        matches!(&refused, Taken::Refused { retry_in: Some(wait), windows } if *wait > Duration::ZERO && left(windows) == [3, 98, 1]),
        "{refused:?}"
    );
    assert_eq!(granted(&store, both(5)).await, (1, vec![2, 97, 0]), "nothing was taken by the refusal, and no more than all of them hold");
    let of_the_key = charge(vec![subject(Some("key_1"), &[(MINUTE, 5), (DAY, 100)])], 5);
    assert_eq!(granted(&store, of_the_key).await, (2, vec![0, 95]));
    let never = taken(&store, Charge { want: 4, cost: 4, ..charge(vec![subject(None, &[(DAY, 3)])], 4) }).await;
    assert!(matches!(&never, Taken::Refused { retry_in: None, windows } if left(windows) == [0]), "{never:?}");
}

pub(super) async fn no_window_ever_holds_more_than_its_limit_whatever_takes_at_once(engine: &mut impl Engine) {
    const LIMIT: u32 = 60;
    let store = engine.store();
    assert_eq!(hammer(&store, "key_", LIMIT).await, LIMIT);
    // The control: the same hammer, on a limit that it does not reach.
    assert!(hammer(&store, "other_", 1_000_000).await > 2 * LIMIT);
}

/// What many takers get of one day of the owner's, each with a key of its own.
async fn hammer(store: &SharedStore, keys: &str, most: u32) -> u32 {
    let owner = if most > 1_000 { (DAY - 1_000, most) } else { (DAY, most) };
    let takers: Vec<_> = (0..12)
        .map(|number| {
            let (store, key) = (store.clone(), format!("{keys}{number}"));
            tokio::spawn(async move {
                let mut got = 0;
                for want in (1..=3).cycle().take(12) {
                    let charges = [want, 1].map(|want| charge(vec![subject(Some(&key), &[(DAY, 1_000)]), subject(None, &[owner])], want));
                    for taken in store.take(&charges).await.unwrap() {
                        got += if let Taken::Granted { tokens, .. } = taken { tokens } else { 0 };
                    }
                }
                got
            })
        })
        .collect();
    let mut all = 0;
    for taker in takers {
        all += taker.await.unwrap();
    }
    all
}

pub(super) async fn returns_are_applied_before_anything_is_taken_and_a_return_of_what_is_gone_changes_nothing(engine: &mut impl Engine) {
    let store = engine.store();
    let all = || charge(vec![subject(Some("key_1"), &[(DAY, 5)]), subject(None, &[(DAY, 8)])], 5);
    let first = all();
    let Taken::Granted { tokens: 5, windows, .. } = taken(&store, first.clone()).await else { panic!("a first charge fits") };
    assert!(matches!(taken(&store, all()).await, Taken::Refused { .. }), "the control: without a return it does not fit");
    let with_returns = Charge { returns: undo(&first.subjects, 2, &windows), ..all() };
    assert_eq!(granted(&store, with_returns).await, (2, vec![0, 3]));

    let gone = |back: Return| vec![Return { slot: back.slot - 1, ..back.clone() }, Return { window: WindowId::sliding(MINUTE), ..back }];
    let returns = undo(&first.subjects, 5, &windows).into_iter().flat_map(gone).collect();
    let nothing = taken(&store, Charge { returns, ..all() }).await;
    assert!(matches!(&nothing, Taken::Refused { windows, .. } if left(windows) == [0, 3]), "{nothing:?}");

    // What was granted again may share the slot, if it was in the same millisecond, and then comes back too; never more than both.
    let only = Charge { want: 0, cost: 0, returns: undo(&first.subjects, 99, &windows), ..all() };
    let back = taken(&store, only).await;
    assert!(
        matches!(&back, Taken::Granted { tokens: 0, windows, .. } if [[3, 6], [5, 8]].iter().any(|most| left(windows) == most)),
        "{back:?}"
    );
}

pub(super) async fn a_charge_that_names_an_older_generation_than_its_subjects_is_stale(engine: &mut impl Engine) {
    let store = engine.store();
    let under = |of_key, of_owner| {
        let with = |generation, subject: Subject| Subject { generation, ..subject };
        charge(vec![with(of_key, subject(Some("key_1"), &[(DAY, 100)])), with(of_owner, subject(None, &[(DAY, 100)]))], 1)
    };
    assert_eq!(granted(&store, under(1, 1)).await, (1, vec![99, 99]));
    assert_eq!(granted(&store, under(2, 1)).await, (1, vec![98, 98]));
    assert_eq!(taken(&store, under(1, 1)).await, Taken::Stale);
    assert_eq!(granted(&store, under(2, 3)).await, (1, vec![97, 97]), "what was stale took nothing");
    assert_eq!(taken(&store, under(2, 2)).await, Taken::Stale);
    assert_eq!(granted(&store, under(2, 3)).await, (1, vec![96, 96]));
}

pub(super) async fn a_generation_that_is_confirmed_holds_against_a_newer_one_that_only_windows_have_heard_of(engine: &mut impl Engine) {
    let store = engine.store();
    let under = |generation| charge(vec![Subject { generation, ..subject(Some("key_1"), &[(DAY, 3)]) }], 1);
    let confirmed = |generation| Charge { generations: Generations::Confirmed, ..under(generation) };
    assert_eq!(granted(&store, under(3)).await, (1, vec![2]));
    assert_eq!(taken(&store, under(2)).await, Taken::Stale, "the control: what is not confirmed does not hold");
    assert_eq!(granted(&store, confirmed(2)).await, (1, vec![1]));
    assert_eq!(granted(&store, under(2)).await, (1, vec![0]), "and nobody has to confirm it again");
    assert!(matches!(taken(&store, confirmed(1)).await, Taken::Refused { .. }));
    assert!(matches!(taken(&store, under(1)).await, Taken::Refused { .. }), "whatever the answer is");
    assert!(matches!(taken(&store, under(2)).await, Taken::Refused { .. }));
    assert_eq!(taken(&store, under(1)).await, Taken::Stale);
}

pub(super) async fn a_charge_that_knows_only_periods_that_are_over_is_behind(engine: &mut impl Engine) {
    let store = engine.store();
    let now = whole_second(&store).await;
    let ends = |until, next_until| one(calendar(now - 3 * HOUR, now + until, now + next_until));
    assert_eq!(taken(&store, ends(-2 * HOUR, -HOUR)).await, Taken::Behind);
    assert_eq!(granted(&store, ends(-2 * HOUR, HOUR)).await, (1, vec![2]), "what was stale took nothing");
    assert_eq!(taken(&store, ends(-HOUR, 0)).await, Taken::Behind, "a period's end is not in it");
    assert_eq!(granted(&store, ends(-2 * HOUR, HOUR)).await, (1, vec![1]));
}

pub(super) async fn no_token_outlives_the_calendar_period_that_it_was_counted_in(engine: &mut impl Engine) {
    let store = engine.store();
    let now = whole_second(&store).await;
    let long = |charge| Charge { ttl: Duration::from_mins(1), ..charge };
    let Taken::Granted { ttl, windows, .. } = taken(&store, long(one(calendar(now - HOUR, now + 30_000, now + HOUR)))).await else {
        panic!("it fits")
    };
    assert!(ttl <= Duration::from_secs(30), "{ttl:?}");
    assert!((1..=30_000).contains(&windows[0].more_in_ms) && windows[0].slot == Some(now - HOUR), "{windows:?}");
    // The control: where the period goes on for longer, and where it is the next one, by the store's time.
    let next = calendar(now - 2 * HOUR, now - HOUR, now + HOUR);
    let Taken::Granted { ttl, windows, .. } = taken(&store, long(one(next))).await else { panic!("it fits") };
    assert_eq!((ttl, windows[0].slot), (Duration::from_mins(1), Some(now - HOUR)));
}

pub(super) async fn a_shadow_counts_what_it_would_admit_and_refuses_nothing(engine: &mut impl Engine) {
    let store = engine.store();
    let under = |force| {
        let mut both = charge(vec![subject(Some("key_1"), &[(MINUTE, 3), (DAY, 100)])], 2);
        both.subjects[0].windows[0].force = force;
        Charge { cost: 2, ..both }
    };
    assert_eq!(granted(&store, under(Force::Shadow)).await, (2, vec![1, 98]));
    let Taken::Granted { tokens: 2, windows, .. } = taken(&store, under(Force::Shadow)).await else { panic!("a shadow refuses nothing") };
    assert_eq!((left(&windows), windows[0].slot), (vec![1, 96], None), "what it would refuse is not counted in it");
    let refused = taken(&store, under(Force::Enforced)).await;
    assert!(matches!(refused, Taken::Refused { .. }), "the control: {refused:?}");
    let one = Charge { want: 1, cost: 1, ..under(Force::Shadow) };
    assert_eq!(granted(&store, one).await, (1, vec![0, 95]), "what it would admit is counted");
}

pub(super) async fn what_was_granted_is_still_counted_after_a_crash(engine: &mut impl Engine) {
    let charges = || charge(vec![subject(Some("key_1"), &[(DAY, 5)]), subject(None, &[(DAY, 100)])], 3);
    let before = engine.store();
    assert_eq!(granted(&before, charges()).await, (3, vec![2, 97]));
    engine.crash().await;
    let after = engine.store();
    let Taken::Granted { tokens, windows, .. } = taken(&after, charges()).await else { panic!("two tokens are left at most") };
    assert!(tokens <= 2 && windows[0].left == 0, "{tokens} granted of two");
}

pub(super) async fn charges_are_taken_in_the_order_given(engine: &mut impl Engine) {
    let store = engine.store();
    let of = |want| charge(vec![subject(None, &[(DAY, 6)])], want);
    let answers = store.take(&[of(1), of(2), of(9), of(1)]).await.unwrap();
    let tokens = answers.iter().map(|answer| if let Taken::Granted { tokens, .. } = answer { *tokens } else { 0 });
    assert_eq!(tokens.collect::<Vec<_>>(), [1, 2, 3, 0]);
    assert_eq!(store.take(&[]).await.unwrap(), []);
}

const HOUR: i64 = 3_600_000;

/// The store's time, as calendars count it.
pub(super) async fn whole_second(store: &SharedStore) -> i64 {
    store.now().await.unwrap().0 / 1_000 * 1_000
}

pub(super) fn calendar(from: i64, until: i64, next_until: i64) -> Spec {
    let period = Period { unit: Unit::Day, from: StoreTime(from), until: StoreTime(until), next_until: StoreTime(next_until) };
    Spec { most: 3, span: Span::Calendar(period), force: Force::Enforced }
}

pub(super) fn one(spec: Spec) -> Charge {
    charge(vec![Subject { windows: vec![spec], ..subject(Some("key_1"), &[]) }], 1)
}

pub(super) fn left(windows: &[Told]) -> Vec<u32> {
    windows.iter().map(|told| told.left).collect()
}

pub(super) async fn taken(store: &SharedStore, charge: Charge) -> Taken {
    store.take(&[charge]).await.unwrap().remove(0)
}

/// Tokens, and what is left.
pub(super) async fn granted(store: &SharedStore, charge: Charge) -> (u32, Vec<u32>) {
    match taken(store, charge).await {
        Taken::Granted { tokens, windows, .. } => (tokens, left(&windows)),
        other => panic!("{other:?}"),
    }
}
