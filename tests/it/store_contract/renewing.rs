//! `renew` and `resume`.

use std::time::Duration;

use crate::support::audit::note;
use keyward::revocation::{At, Holder, Log, Mark, Registration, Renewal, Terms};
use keyward::store::{AuditNote, Store};

use super::engines::Engine;
use super::samples::{
    each_with_its_entry, entries_after, entry, head, holder, holders, in_order, put, registration, renew, renew_secured, renewal,
};

pub(super) async fn a_renewal_registers_its_holder(engine: &mut impl Engine) {
    let store = engine.store();
    assert_eq!(holders(&*store).await, []);
    let (a, b, again) = (holder("a", 1), holder("keyward-7.pod_x", u64::MAX), holder("a", 2));
    assert_eq!(renew(&*store, &a, None).await.holders, [(a.clone(), registration(1, 0))], "the answer names it already");
    let one = entry(&*store, "acme").await;
    renew_secured(&*store, &b, one).await;
    renew_secured(&*store, &a, one).await;
    let third = renew(&*store, &again, None).await;
    let mut all = vec![(a.clone(), registration(2, 1)), (again, registration(1, 0)), (b.clone(), registration(1, 1))];
    assert_eq!(in_order(third.holders), all);
    assert_eq!(holders(&*store).await, all);

    let long = Renewal { number: 2, terms: Terms { lease: Duration::from_millis(6_500) }, ..renewal(&b, None) };
    assert_eq!(store.renew(&long).await.unwrap().longest, Duration::from_millis(6_500));
    all[2].1 = Registration { lease: Duration::from_millis(6_500), ..registration(2, 1) };
    assert_eq!(holders(&*store).await, all, "it has applied what it had applied");
    let short = renew_secured(&*store, &b, one).await;
    all[2].1 = registration(3, 1);
    assert_eq!((in_order(short.holders), short.longest), (all, Duration::from_millis(6_500)));
    assert!(short.now <= store.now().await.unwrap());
}

pub(super) async fn a_renewal_acknowledges_what_its_holder_has_applied_and_knows_to_be_secured(engine: &mut impl Engine) {
    let store = engine.store();
    let a = holder("a", 1);
    let (one, two) = (entry(&*store, "one").await, entry(&*store, "two").await);
    for (number, (applied, secured, acknowledged)) in
        [(two, At::default(), 0), (two, one, 1), (one, two, 1), (two, two, 2), (one, one, 2)].into_iter().enumerate()
    {
        let renewal = Renewal { number: 1 + number as u64, secured, ..renewal(&a, Some(applied)) };
        store.renew(&renewal).await.unwrap();
        assert_eq!(holders(&*store).await[0].1.applied, acknowledged, "applied up to {applied}, secured up to {secured}");
    }
}

pub(super) async fn a_renewal_brings_the_entries_that_follow_the_place_applied_in_their_order_and_without_gaps(engine: &mut impl Engine) {
    let store = engine.store();
    let a = holder("a", 1);
    let nothing = renew(&*store, &a, Some(At::default())).await;
    assert_eq!((nothing.log, nothing.secured), (Log::Entries { entries: vec![], head: At::default() }, At::default()));
    for changes in [0..1, 1..3, 3..6, 6..7, 7..9] {
        put(&*store, each_with_its_entry(changes)).await;
    }
    let all = entries_after(&*store, At::default()).await;
    assert_eq!(all.iter().map(|entry| entry.at.position).collect::<Vec<_>>(), (1..=9).collect::<Vec<u64>>());
    for (number, applied) in all.iter().map(|entry| entry.at).enumerate() {
        let renewed = renew(&*store, &a, Some(applied)).await;
        assert_eq!(renewed.log, Log::Entries { entries: all[number + 1..].to_vec(), head: all[8].at });
        assert_eq!(renewed.secured, all[8].at, "what was acknowledged is on disk");
    }
    // More than one answer can hold.
    put(&*store, each_with_its_entry(9..2_509)).await;
    let many = entries_after(&*store, all[8].at).await;
    assert_eq!(many.iter().map(|entry| entry.at.position).collect::<Vec<_>>(), (10..=2_509).collect::<Vec<u64>>());
    assert_eq!(many.last().unwrap().at, head(&*store).await);
}

pub(super) async fn a_renewal_without_a_place_or_with_one_that_is_trimmed_away_jumps_to_the_head(engine: &mut impl Engine) {
    let store = engine.store();
    let a = holder("a", 1);
    assert_eq!(renew(&*store, &a, None).await.log, Log::Jump { head: At::default() });
    let mut places = vec![At::default()];
    for number in 1..=6 {
        places.push(entry(&*store, &number.to_string()).await);
    }
    assert_eq!(renew(&*store, &a, None).await.log, Log::Jump { head: places[6] });
    let before = entries_after(&*store, places[3]).await;
    drop(store);
    engine.trim(3).await;
    let store = engine.store();
    for place in &places[..3] {
        assert_eq!(renew(&*store, &a, Some(*place)).await.log, Log::Jump { head: places[6] }, "{place}");
    }
    assert_eq!(renew(&*store, &a, None).await.log, Log::Jump { head: places[6] });
    // Who has applied the last entry that is gone has all that follow it, but which log it was of nobody can tell.
    assert_eq!(renew(&*store, &a, Some(places[3])).await.log, Log::Jump { head: places[6] });
    assert_eq!(renew(&*store, &a, Some(places[4])).await.log, Log::Entries { entries: before[1..].to_vec(), head: places[6] });
    // What was trimmed away is not taken for a log that went backwards.
    let secured = Renewal { secured: places[2], ..renewal(&a, Some(places[4])) };
    assert!(matches!(store.renew(&secured).await.unwrap().log, Log::Entries { .. }));
    drop(store);
    engine.trim(0).await;
    let store = engine.store();
    assert_eq!(renew(&*store, &a, Some(places[6])).await.log, Log::Entries { entries: vec![], head: places[6] }, "the head is known still");
    assert_eq!(renew(&*store, &a, Some(places[5])).await.log, Log::Jump { head: places[6] });
    let next = entry(&*store, "7").await;
    assert_eq!(next.position, 7);
    assert!(matches!(renew(&*store, &a, Some(next)).await.log, Log::Entries { .. }));
}

pub(super) async fn a_place_that_is_not_in_the_log_is_lost(engine: &mut impl Engine) {
    let store = engine.store();
    let (a, base) = (holder("a", 1), entry(&*store, "base").await);
    engine.back_up().await;
    let lost = entry(&*store, "lost").await;
    drop(store);
    engine.restore().await;
    let store = engine.store();
    let asked = async |applied, secured| store.renew(&Renewal { secured, ..renewal(&a, Some(applied)) }).await.unwrap();
    assert_eq!(asked(lost, base).await.log, Log::Lost { head: base }, "beyond the head");
    let other = entry(&*store, "other").await;
    assert_eq!((other.position, other.mark == lost.mark), (lost.position, false));
    for secured in [base, At::default()] {
        assert_eq!(asked(lost, secured).await.log, Log::Lost { head: other });
    }
    assert_eq!(asked(At { mark: Mark(base.mark.0 ^ 1), ..base }, At::default()).await.log, Log::Lost { head: other });
    assert_eq!(holders(&*store).await, [(a.clone(), registration(1, 0))], "nothing of this log was applied");
    // The control: the same asked with a place that is there.
    assert!(matches!(asked(base, base).await.log, Log::Entries { head, .. } if head == other));
    entry(&*store, "later").await;
    assert!(matches!(asked(other, base).await.log, Log::Entries { .. }));
    drop(store);
    engine.trim(1).await;
    let store = engine.store();
    let head = head(&*store).await;
    let beyond = Renewal { secured: base, ..renewal(&a, Some(At { position: head.position + 1, ..lost })) };
    assert_eq!(store.renew(&beyond).await.unwrap().log, Log::Lost { head }, "the secured place was trimmed away");
}

pub(super) async fn a_secured_place_that_is_not_in_the_log_is_rolled_back_for_everyone_until_an_operator_says_to_go_on(
    engine: &mut impl Engine,
) {
    let (a, b, c) = (holder("a", 1), holder("b", 1), holder("c", 1));
    let base = entry(&*engine.store(), "base").await;
    // Once with nothing in its place, once with something else there.
    for others in [&[][..], &["x", "y"]] {
        let lost = roll_back(engine, others).await;
        let store = engine.store();
        let here = head(&*store).await;
        assert!(matches!(renew(&*store, &b, Some(base)).await.log, Log::Entries { .. }), "nobody has missed anything yet");
        assert_eq!(asked(&*store, &a, Some(lost), lost).await, Log::RolledBack { head: here });
        for (holder, applied, secured) in [(&a, None, At::default()), (&b, Some(base), base), (&c, None, At::default())] {
            assert_eq!(asked(&*store, holder, applied, secured).await, Log::RolledBack { head: here }, "{holder}");
        }
        drop(store);
        engine.crash().await;
        let store = engine.store();
        assert_eq!(asked(&*store, &c, None, At::default()).await, Log::RolledBack { head: here }, "the store remembers");
        store.resume(&operator()).await.unwrap();
        assert!(matches!(asked(&*store, &b, Some(base), base).await, Log::Entries { .. }), "the control");
    }
}

pub(super) async fn after_a_resumption_replicas_jump_to_the_head(engine: &mut impl Engine) {
    let (a, b, c) = (holder("a", 1), holder("b", 1), holder("c", 1));
    entry(&*engine.store(), "base").await;
    let lost = roll_back(engine, &["other", "more"]).await;
    let store = engine.store();
    let here = head(&*store).await;
    assert_eq!(asked(&*store, &a, Some(lost), lost).await, Log::RolledBack { head: here });
    store.resume(&operator()).await.unwrap();
    assert_eq!(asked(&*store, &a, None, At::default()).await, Log::Jump { head: here });
    assert_eq!(asked(&*store, &b, None, At::default()).await, Log::Jump { head: here });
    // Who slept through it jumps as well, and must not stop everybody once more.
    let late = asked(&*store, &c, Some(lost), lost).await;
    assert!(matches!(late, Log::Jump { head } | Log::Lost { head } if head == here), "{late:?}");
    drop(store);
    engine.crash().await;
    let store = engine.store();
    let late = asked(&*store, &c, Some(lost), lost).await;
    assert!(matches!(late, Log::Jump { head } | Log::Lost { head } if head == here), "{late:?}");
    let next = entry(&*store, "next").await;
    assert_eq!(next.position, here.position + 1, "the log goes on");
    assert!(matches!(asked(&*store, &a, Some(here), here).await, Log::Entries { entries, head } if entries.len() == 1 && head == next));
    // The next time it is found again.
    let lost = roll_back(engine, &[]).await;
    let store = engine.store();
    assert_eq!(asked(&*store, &b, Some(lost), lost).await, Log::RolledBack { head: next });
}

/// Commits something that is secured, restores a backup from before, and commits something else. Tells the place that is gone.
async fn roll_back(engine: &mut impl Engine, others: &[&str]) -> At {
    let store = engine.store();
    engine.back_up().await;
    let lost = entry(&*store, "lost").await;
    assert_eq!(renew(&*store, &holder("a", 1), None).await.secured, lost, "what was acknowledged is on disk");
    drop(store);
    engine.restore().await;
    let store = engine.store();
    for other in others {
        entry(&*store, other).await;
    }
    lost
}

async fn asked(store: &dyn Store, holder: &Holder, applied: Option<At>, secured: At) -> Log {
    store.renew(&Renewal { secured, ..renewal(holder, applied) }).await.unwrap().log
}

fn operator() -> AuditNote {
    note("Resume", "the log")
}
