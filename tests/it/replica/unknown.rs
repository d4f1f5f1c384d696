//! Digests that no key has: remembered apart, for a moment, and never against a key that was made.

use std::time::Duration;

use keyward::replica::records::Unfound;

use super::stage::{Stage, digest, key, owner};

#[tokio::test]
async fn what_no_key_has_is_looked_up_once_and_again_after_a_moment() {
    let stage = Stage::set().await;
    for _ in 0..100 {
        assert_eq!(stage.ask(&[digest(1)]).await, Err(Unfound::Unknown));
    }
    assert_eq!(stage.finds(), 1);
    stage.clock.pass(Duration::from_secs(2));
    assert_eq!(stage.ask(&[digest(1)]).await, Err(Unfound::Unknown));
    assert_eq!(stage.finds(), 2);
}

#[tokio::test]
async fn a_key_that_is_made_is_found_as_soon_as_the_log_has_been_applied() {
    let stage = Stage::set().await;
    assert_eq!(stage.ask(&[digest(1)]).await, Err(Unfound::Unknown));
    stage.store.put(&key(1, &owner("acme")));
    stage.applied().await;
    assert_eq!(stage.ask(&[digest(1)]).await.unwrap().key.as_str(), "key_1");
}

#[tokio::test]
async fn a_look_up_that_found_nobody_before_a_key_was_made_is_made_again() {
    let stage = Stage::set().await;
    stage.store.leave.forget_permits(tokio::sync::Semaphore::MAX_PERMITS);
    let asked = stage.begin(digest(1));
    stage.begun(1).await;
    stage.store.put(&key(1, &owner("acme")));
    stage.applied().await;
    stage.store.leave.add_permits(2);
    assert_eq!(asked.await.unwrap().unwrap().key.as_str(), "key_1");
}

#[tokio::test]
async fn a_secret_is_unknown_only_if_it_is_under_every_pepper() {
    let stage = Stage::set().await;
    assert_eq!(stage.ask(&[digest(1)]).await, Err(Unfound::Unknown));
    assert_eq!(stage.ask(&[digest(2), digest(1)]).await, Err(Unfound::Unknown));
    assert_eq!(stage.finds(), 2, "one of the two digests was not known to be nobody's");
    assert_eq!(stage.ask(&[digest(2), digest(1)]).await, Err(Unfound::Unknown));
    assert_eq!(stage.finds(), 2);
    stage.store.put(&key(2, &owner("acme")));
    stage.applied().await;
    stage.ask(&[digest(2), digest(1)]).await.unwrap();
}

#[tokio::test]
async fn what_was_unknown_is_not_used_when_the_lease_has_ended() {
    let stage = Stage::set().await;
    assert_eq!(stage.ask(&[digest(1)]).await, Err(Unfound::Unknown));
    stage.clock.pass(Duration::from_mins(1));
    assert!(matches!(stage.ask(&[digest(1)]).await, Err(Unfound::Store(_))));
}
