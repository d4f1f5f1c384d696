//! `follow`, and what holders are known to have applied.

use std::time::Duration;

use keyward::revocation::{At, Mark, Pushed, Renewal};
use tokio::time::timeout;

use super::engines::Engine;
use super::samples::{each_with_its_entry, entries_after, entry, head, holder, holders, put, registration, renew, renew_secured, renewal};

/// A call that takes so long stands still.
const STILL: Duration = Duration::from_secs(30);

pub(super) async fn entries_come_as_soon_as_they_are_committed(engine: &mut impl Engine) {
    let store = engine.store();
    let following = |after| {
        let store = store.clone();
        // its patience alone would end it too late
        tokio::spawn(async move { timeout(STILL, store.follow(after, STILL * 10)).await.expect("they came").unwrap() })
    };
    let (mut after, mut seen) = (At::default(), Vec::new());
    for round in 0..20 {
        let waiting = [following(after), following(after)];
        // sometimes they wait already, sometimes not yet
        for _ in 0..round {
            tokio::task::yield_now().await;
        }
        let changes = each_with_its_entry(round * 3..round * 3 + 1 + round % 3);
        let count = changes.len();
        put(&*store, changes).await;
        let [first, second] = waiting;
        let pushed = first.await.unwrap();
        assert_eq!((pushed.entries.len(), &pushed), (count, &second.await.unwrap()));
        seen.extend(pushed.entries);
        after = head(&*store).await;
        assert_eq!(pushed.secured, after, "one disk is all that there is: what is pushed is secured");
    }
    assert_eq!(seen, entries_after(&*store, At::default()).await);
    let there = timeout(STILL, store.follow(seen[2].at, STILL * 10)).await.expect("they were there").unwrap().entries;
    assert!(!there.is_empty() && seen[3..].starts_with(&there), "{there:?}");
}

pub(super) async fn without_any_it_ends_with_none_when_its_patience_is_over(engine: &mut impl Engine) {
    let store = engine.store();
    let ends = async |after, patience| timeout(STILL, store.follow(after, patience)).await.expect("its patience is over").unwrap().entries;
    // to some a patience of nothing would be one without end
    for patience in [Duration::from_millis(20), Duration::from_micros(20), Duration::ZERO] {
        assert_eq!(ends(At::default(), patience).await, []);
    }
    let first = entry(&*store, "acme").await;
    for patience in [Duration::from_millis(20), Duration::from_micros(20), Duration::ZERO] {
        assert_eq!(ends(first, patience).await, []);
        assert_eq!(ends(At::default(), patience).await, entries_after(&*store, At::default()).await, "what is there needs no patience");
    }
}

pub(super) async fn a_place_that_is_not_in_the_log_is_followed_by_nothing(engine: &mut impl Engine) {
    let base = entry(&*engine.store(), "base").await;
    engine.back_up().await;
    let lost = entry(&*engine.store(), "lost").await;
    engine.restore().await;
    let store = engine.store();
    let (waiting, patience) = (store.clone(), Duration::from_millis(300));
    let waiting = tokio::spawn(async move { waiting.follow(lost, patience).await.unwrap() });
    // sometimes before it waits, sometimes while it does
    let (other, later) = (entry(&*store, "other").await, entry(&*store, "later").await);
    assert_eq!((other.position, other.mark == lost.mark), (lost.position, false));
    assert_eq!(waiting.await.unwrap(), Pushed::default(), "what follows another entry at that position does not follow it");
    assert_eq!(store.follow(lost, patience).await.unwrap(), Pushed::default());
    // The control: the places that are there.
    for place in [base, other] {
        let found = store.follow(place, STILL).await.unwrap().entries;
        assert_eq!(found.last().map(|entry| entry.at), Some(later), "{place}");
    }
}

pub(super) async fn an_acknowledgement_counts_for_its_own_incarnation_and_of_its_own_log_only(engine: &mut impl Engine) {
    let store = engine.store();
    let (a, again, b, unknown) = (holder("a", 1), holder("a", 2), holder("b", 1), holder("a", 3));
    renew(&*store, &a, None).await;
    let one = entry(&*store, "one").await;
    engine.back_up().await;
    let elsewhere = entry(&*store, "elsewhere").await;
    engine.restore().await;
    let store = engine.store();
    for incarnation in [&a, &again] {
        renew(&*store, incarnation, None).await;
    }
    let applied =
        async |incarnation| holders(&*store).await.into_iter().find(|(holder, _)| holder == incarnation).map(|(_, entry)| entry.applied);

    store.acknowledge(&a, elsewhere).await.unwrap();
    assert_eq!(applied(&a).await, Some(0), "it is not in this log yet");
    let two = entry(&*store, "two").await;
    assert_eq!((two.position, two.mark == elsewhere.mark), (elsewhere.position, false));
    for other in [elsewhere, At { mark: Mark::default(), ..one }, At { mark: two.mark, ..one }, At { position: 3, mark: two.mark }] {
        store.acknowledge(&a, other).await.unwrap();
        assert_eq!(applied(&a).await, Some(0), "{other} is of another log");
    }
    store.acknowledge(&a, one).await.unwrap();
    assert_eq!((applied(&a).await, applied(&again).await), (Some(1), Some(0)));
    store.acknowledge(&again, two).await.unwrap();
    assert_eq!((applied(&a).await, applied(&again).await), (Some(1), Some(2)));
    store.acknowledge(&again, one).await.unwrap();
    assert_eq!(applied(&again).await, Some(2), "what came late takes nothing back");
    store.acknowledge(&unknown, two).await.unwrap();
    assert_eq!(applied(&unknown).await, None, "who is not registered is nobody");
    renew_secured(&*store, &a, two).await;
    assert_eq!(applied(&a).await, Some(2), "a renewal acknowledges as well");
    renew(&*store, &b, Some(elsewhere)).await;
    assert_eq!(applied(&b).await, Some(0), "but not what is of another log");
}

pub(super) async fn a_holder_that_has_renewed_since_is_not_dismissed(engine: &mut impl Engine) {
    let store = engine.store();
    let (a, b) = (holder("a", 1), holder("b", 1));
    for _ in 0..2 {
        renew(&*store, &a, None).await;
    }
    renew(&*store, &b, None).await;
    let both = [(a.clone(), registration(2, 0)), (b.clone(), registration(1, 0))];
    for (holder, renewals) in [(&a, 1), (&a, 3), (&b, 2), (&holder("a", 2), 2), (&holder("c", 1), 1)] {
        store.dismiss(holder, renewals).await.unwrap();
        assert_eq!(holders(&*store).await, both);
    }
    store.dismiss(&a, 2).await.unwrap();
    assert_eq!(holders(&*store).await, both[1..]);
    // It counts its renewals itself, so that one that comes back is never taken for what it was: neither by who saw it stand still, nor by
    // who hears of its renewals late.
    for number in [3, 1] {
        store.renew(&Renewal { number, ..renewal(&a, None) }).await.unwrap();
        for renewals in [1, 2] {
            store.dismiss(&a, renewals).await.unwrap();
        }
        assert_eq!(holders(&*store).await, [(a.clone(), registration(3, 0)), both[1].clone()]);
    }
}
