//! What the contract means on Redis: a server that is away, slow, emptied, demoted or forbidding; and what is kept where.

mod away;
mod crowded;
mod kept;
mod replicated;
mod terms;
mod tls;
mod unfit;

use crate::support::peppers::{claim, knows};
use std::time::Duration;

use keyward::domain::name::Word;
use keyward::domain::time::StoreTime;
use keyward::domain::usage::{Granularity, LastUse};
use keyward::revocation::At;
use keyward::store::redis::{RedisStore, Settings};
use keyward::store::{Counts, Store, StoreError, SubjectName, UsagePiece, UsageRange, What};

use super::samples::{
    DAY, charge, commit, digest, holder, key, key_id, new_key, new_owner, owner, owner_id, page, peeks, realm, renewal, settlement,
    settles, subject, takes,
};

/// What every method of the trait says; `Ok` where it answers.
async fn each_method(store: &dyn Store) -> [(&'static str, Result<(), StoreError>); 25] {
    let (realm, page) = (realm("otesse"), page(None, 9));
    let charge = charge(vec![subject(None, &[(DAY, 1_000)])], 1);
    [
        ("find", store.find(&realm, &[digest(1)]).await.map(|_| ())),
        ("take", takes(store, charge.clone()).await),
        ("peek", peeks(store, charge.clone()).await),
        ("settle", settles(store, settlement(1, &charge, StoreTime(4_000_000_000_000))).await),
        ("add_usage", store.add_usage(&[uses(charge.subjects[0].name.clone())]).await.and_then(|mut added| added.remove(0))),
        (
            "usage",
            store.usage(&charge.subjects[0].name, &UsageRange { granularity: Granularity::Day, first: 1, last: 9 }).await.map(|_| ()),
        ),
        ("last_used", store.last_used(&realm, &[(key_id("key_1"), owner_id("acme"))]).await.map(|_| ())),
        ("commit", store.commit(&commit(vec![new_key(&key("key_9", &[digest(9)]))])).await.map(|_| ())),
        ("key", store.key(&realm, &key_id("key_1")).await.map(|_| ())),
        ("owner", store.owner(&realm, &owner_id("acme")).await.map(|_| ())),
        ("owners_of", store.owners_of(&realm, &[owner_id("acme")]).await.map(|_| ())),
        ("keys", store.keys(&realm, None, &page).await.map(|_| ())),
        ("owners", store.owners(&realm, &page).await.map(|_| ())),
        ("claim_peppers", store.claim_peppers(&[claim("1", 1)]).await),
        ("agree_on_pepper", store.agree_on_pepper(&knows("a", &["1"])).await.map(|_| ())),
        ("peppers", store.peppers().await.map(|_| ())),
        ("withdraw_pepper", withdraws(store).await),
        ("now", store.now().await.map(|_| ())),
        ("renew", store.renew(&renewal(&holder("a", 1), None)).await.map(|_| ())),
        ("follow", store.follow(At::default(), Duration::ZERO).await.map(|_| ())),
        ("acknowledge", store.acknowledge(&holder("a", 1), At::default()).await),
        ("holders", store.holders().await.map(|_| ())),
        ("dismiss", store.dismiss(&holder("a", 1), 1).await),
        ("secure", store.secure(&What::Key(realm, key_id("key_1"))).await.map(|_| ())),
        ("resume", store.resume(&commit(Vec::new()).audit).await),
    ]
}

/// The one in use is not: whoever says so has answered.
async fn withdraws(store: &dyn Store) -> Result<(), StoreError> {
    match store.withdraw_pepper(&Word::parse("1").unwrap(), &commit(Vec::new()).audit).await {
        Err(StoreError::PepperInUse(_)) => Ok(()),
        other => other,
    }
}

/// That every method says that the store is away, in these words.
async fn each_is_away(store: &dyn Store, words: &str) {
    for (method, said) in each_method(store).await {
        assert!(matches!(&said, Err(StoreError::Unavailable(why)) if why.contains(words)), "{method}: {said:?}");
    }
}

pub(super) async fn each_answers(store: &dyn Store) {
    for (method, said) in each_method(store).await {
        assert_eq!(said, Ok(()), "{method}");
    }
}

/// One use.
fn uses(owner: SubjectName) -> UsagePiece {
    let (at, key) = (StoreTime(4_000_000_000_000), Some(key_id("key_1")));
    let counts = vec![Counts { key, minutes: Vec::new(), last: vec![(1, LastUse { at, address: None })] }];
    UsagePiece { owner, by: 1, number: 1, at, counts }
}

/// A key and its owner, to be found.
pub(super) async fn seed(store: &dyn Store) {
    super::samples::put(store, vec![new_owner(&owner("acme")), new_key(&key("key_1", &[digest(1)]))]).await;
}

/// A store that waits no longer than this.
fn impatient(url: String, milliseconds: u64) -> RedisStore {
    let time = Duration::from_millis(milliseconds);
    RedisStore::connect(&Settings { connect_timeout: time, timeout: time, ..Settings::at(url) }).unwrap()
}
