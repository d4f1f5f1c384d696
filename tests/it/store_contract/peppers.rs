//! `agree_on_pepper`, `withdraw_pepper`, `peppers`.

use keyward::domain::name::Word;
use keyward::domain::record::Record;
use keyward::store::{PepperUse, Store, StoreError};

use super::engines::Engine;
use super::samples::{changed_key, commit, digest, holder, key, new_key, new_owner, owner, put, renewal};
use crate::support::audit::note;
use crate::support::peppers::{claim, knows};

pub(super) async fn the_first_pepper_of_a_replica_is_taken_into_use_once_everyone_who_holds_a_lease_has_it(engine: &mut impl Engine) {
    let store = engine.store();
    claimed(&*store).await;
    assert_eq!(agreed(&*store, "a", &["1"]).await, Ok(word("1")));
    assert_eq!(agreed(&*store, "b", &["2", "1"]).await, Ok(word("1")), "a does not have it");
    assert_eq!(agreed(&*store, "b", &["2", "1"]).await, Ok(word("1")));
    store.renew(&renewal(&holder("c", 1), None)).await.unwrap();
    assert_eq!(agreed(&*store, "a", &["2", "1"]).await, Ok(word("1")), "of c, which holds a lease, nothing is known");
    store.dismiss(&holder("c", 1), 1).await.unwrap();
    assert_eq!(agreed(&*store, "b", &["1", "2"]).await, Ok(word("1")), "nobody's first is another");
    assert_eq!(agreed(&*store, "a", &["2", "1"]).await, Ok(word("2")));
    assert_eq!(agreed(&*store, "b", &["1", "2"]).await, Ok(word("2")), "one for all, wherever it stands in a file");
    assert_eq!(agreed(&*store, "a", &["3", "2", "1"]).await, Ok(word("2")));
    assert_eq!(agreed(&*store, "b", &["3", "2", "1"]).await, Ok(word("3")));
    let uses = store.peppers().await.unwrap();
    let since: Vec<i64> = uses.iter().map(|one| one.used.unwrap().0).collect();
    assert!(uses.iter().all(PepperUse::is_live) && since.is_sorted() && since[0] < since[1] && since[1] < since[2], "{uses:?}");
}

pub(super) async fn a_replica_that_lacks_a_pepper_in_use_is_refused(engine: &mut impl Engine) {
    let store = engine.store();
    claimed(&*store).await;
    assert_eq!(agreed(&*store, "a", &["2", "1"]).await, Ok(word("2")), "it is alone");
    assert_eq!(agreed(&*store, "b", &["1"]).await, Err(StoreError::PepperMissing(word("2"))));
    assert_eq!(agreed(&*store, "a", &["2"]).await, Ok(word("2")), "the other one never was in use");
    assert_eq!(agreed(&*store, "a", &["3", "2"]).await, Ok(word("3")), "and whoever was refused is not waited for");
    assert_eq!(agreed(&*store, "b", &["3"]).await, Err(StoreError::PepperMissing(word("2"))), "secrets may still be under it");
    store.withdraw_pepper(&word("2"), &note("Withdraw", "peppers/2")).await.unwrap();
    assert_eq!(agreed(&*store, "b", &["3"]).await, Ok(word("3")));
}

pub(super) async fn a_withdrawn_pepper_is_never_taken_into_use_again(engine: &mut impl Engine) {
    let store = rotated(engine).await;
    let before = store.audit_head().await.unwrap().sequence;
    store.withdraw_pepper(&word("1"), &note("Withdraw", "peppers/1")).await.unwrap();
    store.withdraw_pepper(&word("1"), &note("Withdraw", "peppers/1")).await.unwrap();
    assert_eq!(store.audit_head().await.unwrap().sequence, before + 1, "what was done before is not done again");
    store.withdraw_pepper(&word("3"), &note("Withdraw", "peppers/3")).await.unwrap();
    assert_eq!(agreed(&*store, "a", &["3", "1", "2"]).await, Ok(word("2")), "the first that is fit was in use before");
    assert_eq!(agreed(&*store, "b", &["3", "2"]).await, Ok(word("2")));
    let withdrawn: Vec<bool> = store.peppers().await.unwrap().iter().map(|one| one.withdrawn.is_some()).collect();
    assert_eq!(withdrawn, [true, false, true]);
    let missing = store.withdraw_pepper(&word("4"), &note("Withdraw", "peppers/4")).await;
    assert_eq!(missing, Err(StoreError::NoPepper(word("4"))));
    drop(store);
    engine.crash().await;
    assert_eq!(agreed(&*engine.store(), "a", &["1", "2"]).await, Ok(word("2")));
}

pub(super) async fn the_pepper_in_use_is_not_withdrawn(engine: &mut impl Engine) {
    let store = rotated(engine).await;
    let before = store.audit_head().await.unwrap();
    let refused = store.withdraw_pepper(&word("2"), &note("Withdraw", "peppers/2")).await;
    assert_eq!(refused, Err(StoreError::PepperInUse(word("2"))));
    assert_eq!(store.audit_head().await.unwrap(), before);
    assert_eq!(agreed(&*store, "a", &["2", "1"]).await, Ok(word("2")));
}

pub(super) async fn no_secret_is_put_under_a_withdrawn_pepper_and_those_that_are_there_stay(engine: &mut impl Engine) {
    let store = rotated(engine).await;
    let first = key("key_1", &[digest(1)]);
    put(&*store, vec![new_owner(&owner("acme")), new_key(&first)]).await;
    store.withdraw_pepper(&word("1"), &note("Withdraw", "peppers/1")).await.unwrap();
    let refused = Err(StoreError::PepperWithdrawn(word("1")));
    assert_eq!(store.commit(&commit(vec![new_key(&key("key_2", &[digest(2)]))])).await.map(drop), refused);
    let more = Record { revision: 2, secrets: key("key_1", &[digest(1), digest(3)]).secrets, ..first.clone() };
    assert_eq!(store.commit(&commit(vec![changed_key(&more)])).await.map(drop), refused);
    put(&*store, vec![changed_key(&Record { revision: 2, label: "another".into(), ..first.clone() })]).await;
    assert!(store.find(&first.realm, &[digest(1)]).await.unwrap().holder.is_some());
    let mut other = key("key_2", &[digest(2)]);
    other.secrets[0].pepper = word("2");
    put(&*store, vec![new_key(&other)]).await;
}

/// The first pepper was in use, and the second is.
async fn rotated(engine: &mut impl Engine) -> std::sync::Arc<dyn Store> {
    let store = engine.store();
    claimed(&*store).await;
    assert_eq!(agreed(&*store, "a", &["1"]).await, Ok(word("1")));
    assert_eq!(agreed(&*store, "a", &["2", "1"]).await, Ok(word("2")));
    store
}

async fn claimed(store: &dyn Store) {
    store.claim_peppers(&[claim("1", 1), claim("2", 2), claim("3", 3)]).await.unwrap();
}

async fn agreed(store: &dyn Store, replica: &str, versions: &[&str]) -> Result<Word, StoreError> {
    store.agree_on_pepper(&knows(replica, versions)).await
}

fn word(version: &str) -> Word {
    Word::parse(version).unwrap()
}
