//! What Redis forbids, and what keyward does not put up with.

use keyward::domain::record::Record;
use keyward::store::redis::RedisStore;
use keyward::store::{Charge, Commit, Store, StoreError, Taken};

use super::super::samples::{
    DAY, changed_key, charge, commit, digest, key, new_key, new_owner, owner, owner_id, put, realm, request, settlement, settles, subject,
    takes,
};
use super::{each_answers, each_is_away, each_method, seed};
use crate::support::redis::{RedisServer, rights, settings};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_may_drop_what_it_holds_is_refused_until_it_may_not() {
    let server = RedisServer::with(&["--maxmemory-policy", "allkeys-lru"]);
    let store = server.store();
    let said = store.check_settings().await;
    assert!(matches!(&said, Err(StoreError::Unfit(why)) if why.contains("allkeys-lru") && why.contains("noeviction")), "{said:?}");
    for (method, said) in each_method(&*store).await {
        assert!(matches!(&said, Err(StoreError::Unfit(_))), "{method}: {said:?}");
    }
    assert_eq!(server.ask::<u64>("DBSIZE"), 0, "nothing was written");
    server.ask::<()>("CONFIG SET maxmemory-policy noeviction");
    assert_eq!(store.check_settings().await, Ok(()));
    each_answers(&*store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_does_not_tell_its_settings_is_put_up_with() {
    let server = RedisServer::with(&["--rename-command", "CONFIG", "", "--maxmemory-policy", "allkeys-lru"]);
    let store = server.store();
    assert_eq!(store.check_settings().await, Ok(()));
    each_answers(&*store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_with_the_rights_that_are_written_down_is_enough_and_a_wrong_password_is_away() {
    let server = RedisServer::start();
    // what one may is not taken away by the other's line
    let both = rights("keyward-check").into_iter().chain(rights("keyward-admin").into_iter().filter(|right| right != "-@all"));
    let both: Vec<String> = both.collect();
    redis::cmd("ACL").arg(&["SETUSER", "keyward", "on", ">hush"]).arg(both).arg("-config|get").exec(&mut server.connection()).unwrap();
    server.ask::<()>("ACL SETUSER default off");
    let named = |name, password| settings(format!("{}?user={name}&pass={password}", server.url()));
    let store = RedisStore::connect(&named("keyward", "hush")).unwrap();
    assert_eq!(store.check_settings().await, Ok(()), "without CONFIG it is a warning");
    each_answers(&store).await;
    everything_scripts_do(&store).await;
    each_is_away(&RedisStore::connect(&named("keyward", "shut")).unwrap(), "WRONGPASS").await;
    each_is_away(&RedisStore::connect(&settings(server.url())).unwrap(), "NOAUTH").await;
}

/// What else scripts may do: a key that changes its owner and its secret, a request, a mark, tokens that all come back.
async fn everything_scripts_do(store: &dyn Store) {
    let changes = vec![new_key(&key("key_1", &[digest(1)])), new_owner(&owner("acme"))];
    store.commit(&Commit { request: Some(request("admin_1", "r", 1)), once: Some([1; 32]), ..commit(changes) }).await.unwrap();
    let moved = Record { revision: 2, owner: owner_id("other"), ..key("key_1", &[digest(2)]) };
    put(store, vec![changed_key(&moved)]).await;
    let all = [charge(vec![subject(Some("key_1"), &[(DAY, 5)])], 5)];
    let Taken::Granted { tokens, windows, .. } = store.take(&all).await.unwrap().remove(0) else { panic!("it fits") };
    let [all] = all;
    store.take(&[Charge { want: 0, cost: 0, returns: keyward::store::undo(&all.subjects, tokens, &windows), ..all }]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_redis_refuses_is_told_in_its_words_and_changes_nothing() {
    let server = RedisServer::start();
    let store = server.store();
    seed(&*store).await;
    let take = charge(vec![subject(None, &[(DAY, 5)])], 1);
    let change = commit(vec![new_key(&key("key_2", &[digest(2)]))]);
    for (away, words, back) in
        [("CONFIG SET maxmemory 1", "OOM", "CONFIG SET maxmemory 0"), ("REPLICAOF 127.0.0.1 1", "READONLY", "REPLICAOF NO ONE")]
    {
        server.ask::<()>(away);
        let settled = settles(&*store, settlement(1, &take, store.now().await.unwrap())).await;
        for said in [takes(&*store, take.clone()).await, settled, store.commit(&change).await.map(|_| ())] {
            assert!(matches!(&said, Err(StoreError::Unavailable(why)) if why.contains(words)), "{away}: {said:?}");
        }
        server.ask::<()>(back);
        let finding = store.find(&realm("otesse"), &[digest(2)]).await.unwrap();
        assert!(finding.holder.is_none() && finding.at.position == 2, "{finding:?}");
    }
    assert_eq!(store.commit(&change).await.unwrap().position, 3);
    takes(&*store, take).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_whose_record_is_missing_or_unreadable_is_an_error_and_never_not_found() {
    let server = RedisServer::start();
    let store = server.store();
    put(&*store, vec![new_key(&key("key_1", &[digest(1)]))]).await;
    let find = async || store.find(&realm("otesse"), &[digest(1)]).await;
    assert!(matches!(find().await, Err(StoreError::Corrupt(_))), "a key without an owner");
    put(&*store, vec![new_owner(&owner("acme"))]).await;
    assert!(find().await.unwrap().holder.is_some());
    server.ask::<()>("HSET kw:1:{kw}:keys:otesse key_1 12345678junk");
    assert!(matches!(find().await, Err(StoreError::Corrupt(_))), "bytes that are no record");
    server.ask::<()>("HDEL kw:1:{kw}:keys:otesse key_1");
    assert!(matches!(find().await, Err(StoreError::Corrupt(_))), "an index that leads nowhere");
}
