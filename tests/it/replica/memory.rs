//! What is remembered, for how long, and under a lease alone.

use std::sync::Arc;
use std::time::Duration;

use keyward::domain::owner::Owner;
use keyward::domain::time::StoreTime;
use keyward::replica::memory::{Bounds, Known, Memory};
use keyward::replica::records::Unfound;
use keyward::replica::session::Remembered as _;
use keyward::revocation::Touched;
use keyward::store::StoreError;

use super::stage::{Stage, digest, key, owner, revoked};

#[tokio::test]
async fn a_key_that_was_seen_is_not_looked_up_again() {
    let stage = Stage::set().await;
    stage.store.put(&key(1, &owner("acme")));
    for _ in 0..1000 {
        assert_eq!(stage.ask(&[digest(1)]).await.unwrap().key.as_str(), "key_1");
    }
    assert_eq!(stage.finds(), 1);
}

#[tokio::test]
async fn a_key_that_the_log_touches_is_read_again_when_the_log_has_been_applied() {
    let stage = Stage::set().await;
    let one = key(1, &owner("acme"));
    stage.store.put(&one);
    assert!(!stage.ask(&[digest(1)]).await.unwrap().revoked);
    stage.store.put(&revoked(&one));
    stage.applied().await;
    assert!(stage.ask(&[digest(1)]).await.unwrap().revoked);
    assert_eq!(stage.finds(), 2);
}

#[tokio::test]
async fn what_is_remembered_is_not_used_when_the_lease_has_ended() {
    let stage = Stage::set().await;
    stage.store.put(&key(1, &owner("acme")));
    stage.ask(&[digest(1)]).await.unwrap();
    stage.clock.pass(Duration::from_secs(59));
    stage.ask(&[digest(1)]).await.unwrap();
    stage.clock.pass(Duration::from_secs(1));
    assert!(matches!(stage.ask(&[digest(1)]).await, Err(Unfound::Store(StoreError::Unavailable(_)))));
    let control = stage.replica.memory.find(&stage.realm.id, &[digest(1)], stage.replica.session.now());
    assert!(matches!(control, Some(Known::Of(_))), "it is remembered all the same");
}

#[tokio::test]
async fn an_owner_that_is_disabled_takes_all_of_its_ten_thousand_keys_with_it() {
    let stage = Stage::set().await;
    let (acme, other) = (owner("acme"), owner("other"));
    (0..10_000).for_each(|number| stage.store.put(&key(number, &acme)));
    stage.store.put(&key(10_000, &other));
    stage.applied().await;
    for number in 0..=10_000 {
        stage.ask(&[digest(number)]).await.unwrap();
    }
    assert_eq!(stage.finds(), 10_001);
    stage.store.put_owner(&Owner { disabled: Some(StoreTime(2)), revision: 2, ..owner("acme") });
    stage.applied().await;
    for number in 0..10_000 {
        assert!(stage.ask(&[digest(number)]).await.unwrap().owner.disabled.is_some(), "key {number}");
    }
    assert!(stage.ask(&[digest(10_000)]).await.unwrap().owner.disabled.is_none());
    assert_eq!(stage.finds(), 20_001, "the other owner's key was remembered");
}

#[tokio::test]
async fn the_keys_of_an_owner_share_what_is_known_of_it() {
    let stage = Stage::set().await;
    (0..2).for_each(|number| stage.store.put(&key(number, &owner("acme"))));
    let (one, other) = (stage.ask(&[digest(0)]).await.unwrap(), stage.ask(&[digest(1)]).await.unwrap());
    assert!(Arc::ptr_eq(&one.owner, &other.owner));
    assert_eq!(one.owner.name, "", "it is for people");
}

#[tokio::test]
async fn a_record_is_read_again_when_it_has_its_maximum_age() {
    let stage = Stage::set().await;
    stage.store.put(&key(1, &owner("acme")));
    stage.ask(&[digest(1)]).await.unwrap();
    for _ in 0..14 {
        stage.clock.pass(Duration::from_secs(43));
        stage.replica.session.catch_up(u64::MAX).await;
        stage.ask(&[digest(1)]).await.unwrap();
    }
    assert_eq!(stage.finds(), 2, "after ten minutes, once");
}

#[tokio::test]
async fn a_record_of_any_age_is_used_under_the_lease_while_the_store_is_away_unless_the_log_has_touched_it() {
    let stage = Stage::set().await;
    let (one, two) = (key(1, &owner("acme")), key(2, &owner("acme")));
    stage.store.put(&one);
    stage.store.put(&two);
    for number in [1, 2] {
        stage.ask(&[digest(number)]).await.unwrap();
    }
    for _ in 0..14 {
        stage.clock.pass(Duration::from_secs(43));
        stage.replica.session.catch_up(u64::MAX).await;
    }
    stage.store.put(&revoked(&two));
    stage.applied().await;
    stage.store.is_away(true);
    assert_eq!(stage.ask(&[digest(1)]).await.unwrap().key.as_str(), "key_1");
    let is_away = |found| matches!(found, Err(Unfound::Store(StoreError::Unavailable(_))));
    assert!(is_away(stage.ask(&[digest(2)]).await), "the log has told of it");
    assert!(is_away(stage.ask(&[digest(3)]).await), "it was never seen");
    stage.clock.pass(Duration::from_mins(1));
    assert!(is_away(stage.ask(&[digest(1)]).await), "without the lease it is worth nothing");
}

#[tokio::test]
async fn a_key_is_remembered_in_its_own_realm_only() {
    let stage = Stage::set().await;
    stage.store.put(&key(1, &owner("acme")));
    stage.ask(&[digest(1)]).await.unwrap();
    let (other, now) = (keyward::domain::name::RealmId::parse("other").unwrap(), stage.replica.session.now());
    assert!(stage.replica.memory.find(&stage.realm.id, &[digest(1)], now).is_some());
    assert_eq!(stage.replica.memory.find(&other, &[digest(1)], now), None);
}

#[test]
fn memory_stays_within_its_bound_whatever_comes() {
    let memory = Memory::new(Bounds { bytes: 8 << 20, unknown: 1 << 12, max_age: Duration::from_mins(10) });
    for number in 0..200_000 {
        let holder = memory.condense(&[digest(number)], key(number, &owner(&format!("owner-{}", number % 1000)))).unwrap();
        memory.keep(&[digest(number)], &holder, StoreTime(0));
        memory.keep_nobodys(&[digest(number + 1_000_000)], StoreTime(0));
    }
    let full = memory.fullness();
    assert!(full.bytes <= 8 << 20 && full.bytes > 7 << 20, "{full:?}");
    assert!(full.records > 10_000 && full.unknown <= 1 << 12, "{full:?}");
}

#[test]
fn when_everything_may_have_changed_nothing_is_remembered() {
    let memory = Memory::new(Bounds { bytes: 1 << 20, unknown: 100, max_age: Duration::from_mins(10) });
    let holder = memory.condense(&[digest(1)], key(1, &owner("acme"))).unwrap();
    let realm = holder.owner.realm.clone();
    let known = |number| memory.find(&realm, &[digest(number)], StoreTime(1));
    memory.keep(&[digest(1)], &holder, StoreTime(0));
    memory.keep_nobodys(&[digest(2)], StoreTime(0));
    assert_eq!((known(1), known(2)), (Some(Known::Of(holder.clone())), Some(Known::Nobody)));
    memory.forget_all();
    assert_eq!((known(1), known(2)), (None, None));
    memory.keep(&[digest(1)], &holder, StoreTime(0));
    memory.forget(&Touched::Owner { realm: realm.clone(), id: holder.owner.id.clone() });
    assert_eq!(known(1), None);
}
