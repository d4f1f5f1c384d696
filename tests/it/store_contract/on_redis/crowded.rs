//! Redis where much goes on at once, and where its memory is full.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use keyward::domain::record::Record;
use keyward::domain::time::StoreTime;
use keyward::store::{Commit, Store, StoreError};
use redis::Commands as _;

use super::super::samples::{changed_key, commit, digest, key, new_key, owner, put, realm, request};
use super::super::samples::{changed_owner, new_owner};
use super::seed;
use crate::support::redis::{RedisServer, settings};

const CROWD: u16 = 12;
const BIG: u16 = 500;

/// Before there were turns (src/store/redis/turn.rs), up to three of four revocations of 200 keys failed so, beside forty callers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_big_commit_is_made_in_its_time_beside_many_small_ones() {
    let server = RedisServer::start();
    let (store, other) = (server.store(), server.store());
    put(&*store, vec![new_owner(&owner("acme"))]).await;
    let is_over = Arc::new(AtomicBool::new(false));
    let crowd: Vec<_> = (0..CROWD)
        .map(|one| {
            let (other, is_over) = (other.clone(), is_over.clone());
            tokio::spawn(async move {
                let mut made = 0_u32;
                put(&*other, vec![new_owner(&owner(&format!("small_{one}")))]).await;
                while !is_over.load(Ordering::Relaxed) {
                    let renamed = keyward::domain::owner::Owner { revision: u64::from(made) + 2, ..owner(&format!("small_{one}")) };
                    other.commit(&commit(vec![changed_owner(&renamed)])).await.unwrap();
                    made += 1;
                }
                made
            })
        })
        .collect();
    for round in 0..8 {
        let numbers = round * BIG..(round + 1) * BIG;
        let changes = numbers.map(|number| new_key(&key(&format!("key_{number}"), &[digest(number)]))).collect();
        store.commit(&commit(changes)).await.unwrap();
    }
    is_over.store(true, Ordering::Relaxed);
    for one in crowd {
        assert!(one.await.unwrap() > 0, "and the small ones go on");
    }
    assert_eq!(store.key(&realm("otesse"), &key("key_3999", &[]).id).await.unwrap().map(|key| key.revision), Some(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_turn_that_nobody_uses_holds_the_others_up_for_a_moment_only() {
    let server = RedisServer::start();
    let store = server.store();
    let _: () = server.connection().pset_ex("kw:1:{kw}:turn", "of somebody who is gone", 300).unwrap();
    put(&*store, vec![new_owner(&owner("acme"))]).await;
    let left: Option<String> = server.connection().get("kw:1:{kw}:turn").unwrap();
    assert_eq!(left, None, "it was waited for, and the one that was taken then is given back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_memory_is_full_a_key_is_revoked_all_the_same_and_a_new_one_is_refused_by_the_reason() {
    let server = RedisServer::start();
    let store = keyward::store::redis::RedisStore::connect(&settings(server.url())).unwrap();
    seed(&store).await;
    server.ask::<()>("CONFIG SET maxmemory 1");
    let refused = store.commit(&commit(vec![new_key(&key("key_2", &[digest(2)]))])).await;
    assert!(matches!(&refused, Err(StoreError::Unavailable(why)) if why.contains("maxmemory")), "the control, of a key more: {refused:?}");
    let revoked = Record { revision: 2, revoked: Some(StoreTime(5)), ..key("key_1", &[digest(1)]) };
    let asked = Commit { request: Some(request("admin_1", "r", 1)), ..commit(vec![changed_key(&revoked)]) };
    store.commit(&asked).await.unwrap();
    let again = store.commit(&asked).await.unwrap();
    assert!(again.replayed.is_some(), "whoever heard nothing of it asks again");
    assert_eq!(store.key(&realm("otesse"), &revoked.id).await.unwrap().unwrap().revoked, Some(StoreTime(5)));
}
