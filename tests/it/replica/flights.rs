//! One look-up for everyone who waits, and nobody given what was judged before they came.

use std::sync::atomic::Ordering;
use std::time::Duration;

use keyward::replica::records::Unfound;
use keyward::store::{Store as _, StoreError};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::stage::{Stage, digest, key, owner, revoked};

/// Takes away the leave to answer; what is given back is for single look-ups.
fn hold(stage: &Stage) {
    stage.store.leave.forget_permits(Semaphore::MAX_PERMITS);
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_checks_of_one_cold_key_are_one_look_up() {
    let stage = Stage::set().await;
    stage.store.put(&key(1, &owner("acme")));
    let asked: Vec<_> = (0..10_000).map(|_| stage.begin(digest(1))).collect();
    for answer in asked {
        assert_eq!(answer.await.unwrap().unwrap().key.as_str(), "key_1");
    }
    assert_eq!(stage.finds(), 1);

    let store = stage.store.clone();
    let plain = (0..10_000).map(|_| {
        let (store, realm) = (store.clone(), stage.realm.clone());
        tokio::spawn(async move { store.find(&realm.id, &[digest(1)]).await.unwrap() })
    });
    for answer in plain.collect::<Vec<_>>() {
        answer.await.unwrap();
    }
    assert_eq!(stage.finds(), 10_001, "control: without it, each check is one");
}

#[tokio::test]
async fn what_was_read_before_a_change_that_was_applied_meanwhile_is_read_again() {
    let stage = Stage::set().await;
    let one = key(1, &owner("acme"));
    stage.store.put(&one);
    stage.applied().await;
    hold(&stage);
    let first = stage.begin(digest(1));
    stage.begun(1).await;
    stage.store.put(&revoked(&one));
    stage.applied().await;
    // it comes after the revocation has been applied here, and joins a look-up that was made before
    let late = stage.begin(digest(1));
    while stage.records.tally().joined.get() < 1 {
        tokio::task::yield_now().await;
    }
    stage.store.leave.add_permits(2);
    assert!(late.await.unwrap().unwrap().revoked, "the late one");
    assert!(first.await.unwrap().unwrap().revoked);
    assert_eq!(stage.finds(), 2);
    assert!(stage.ask(&[digest(1)]).await.unwrap().revoked, "and nothing else is remembered");
    assert_eq!(stage.finds(), 2);
}

#[tokio::test]
async fn what_was_read_ahead_of_the_log_is_used_when_the_log_has_been_applied() {
    let stage = Stage::set().await;
    stage.store.write(&key(1, &owner("acme")));
    let asked = stage.begin(digest(1));
    stage.begun(1).await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(!asked.is_finished(), "the replica cannot judge it yet");
    stage.store.tell();
    asked.await.unwrap().unwrap();
    assert_eq!(stage.finds(), 1);
}

#[tokio::test]
async fn a_look_up_goes_on_for_the_others_when_who_began_it_is_gone() {
    let stage = Stage::set().await;
    stage.store.put(&key(1, &owner("acme")));
    hold(&stage);
    let first = stage.begin(digest(1));
    stage.begun(1).await;
    let second = stage.begin(digest(1));
    while stage.records.tally().joined.get() < 1 {
        tokio::task::yield_now().await;
    }
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    stage.store.leave.add_permits(1);
    second.await.unwrap().unwrap();
    assert_eq!(stage.finds(), 1);
}

#[tokio::test]
async fn a_check_waits_no_longer_than_its_deadline_and_joins_no_look_up_that_hangs_for_ever() {
    let stage = Stage::set().await;
    stage.store.put(&key(1, &owner("acme")));
    hold(&stage);
    let soon = Instant::now() + Duration::from_millis(50);
    let answer = stage.records.find(&stage.realm, &[digest(1)], None, soon).await;
    assert!(matches!(answer, Err(Unfound::Store(StoreError::Unavailable(_)))));
}

#[tokio::test]
async fn look_ups_that_hang_do_not_pile_up() {
    let stage = Stage::set().await;
    hold(&stage);
    let hanging: Vec<_> = (0..5000).map(|number| stage.begin(digest(number))).collect();
    stage.begun(4096).await;
    let refused = stage.ask(&[digest(9999)]).await;
    assert!(matches!(refused, Err(Unfound::Store(StoreError::Overloaded))));
    assert_eq!(stage.finds(), 4096);
    assert_eq!(hanging.iter().filter(|one| one.is_finished()).count(), 5000 - 4096);
    stage.store.leave.add_permits(4096);
    for one in hanging {
        assert!(one.await.unwrap().is_err());
    }
    stage.store.leave.add_permits(1);
    assert!(matches!(stage.ask(&[digest(9999)]).await, Err(Unfound::Unknown)), "there is room again");
}

#[tokio::test]
async fn a_store_that_cannot_look_makes_nobody_unknown() {
    let stage = Stage::set().await;
    stage.store.put(&key(1, &owner("acme")));
    stage.store.is_away(true);
    assert!(matches!(stage.ask(&[digest(1)]).await, Err(Unfound::Store(StoreError::Unavailable(_)))));
    stage.store.is_away(false);
    stage.ask(&[digest(1)]).await.unwrap();
    assert_eq!(stage.store.finds.load(Ordering::SeqCst), 2);
}
