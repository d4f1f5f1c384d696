//! Level `replicated`, and who answers: what is waited for, and that nobody but a primary speaks for the registry.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use keyward::domain::record::Record;
use keyward::revocation::{At, Footing, Level, Log, Renewal, Standing, Whole};
use keyward::store::redis::{RedisStore, Settings};
use keyward::store::{Commit, Store, StoreError, What};

use super::super::samples::{
    changed_key, commit, digest, entry, holder, key, key_id, new_owner, owner, put, realm, renew, renewal, request,
};
use super::away::{point, until};
use super::{each_method, impatient, seed};
use crate::support::followers::Followed;
use crate::support::redis::RedisServer;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_is_replicated_and_secured_once_all_nodes_have_it_and_not_before() {
    let followed = Followed::by(2, &GUARDED);
    let store = demanding(&followed, 2, Duration::from_secs(10));
    let first = owner_put(&store, "first").await;
    assert_eq!((first.level, first.footing.whole), (Level::Replicated, Whole::Whole));
    assert_eq!(secured(&store).await, first.at);

    followed.followers[1].pause();
    let hurried = demanding(&followed, 2, Duration::from_millis(250));
    let second = owner_put(&hurried, "second").await;
    assert_eq!((second.level, second.footing.level), (Level::Volatile, Level::Replicated), "one of two is not enough");
    assert_eq!(secured(&store).await, first.at);
    // The control: who asks one node only, or does not ask, calls it done.
    assert_eq!(owner_put(&self::store(&followed, 0, Duration::from_secs(10)), "third").await.level, Level::Volatile);

    followed.followers[1].resume();
    let (_, made_up) = store.secure(&acme()).await.unwrap();
    assert_eq!((made_up.level, made_up.at.position), (Level::Replicated, 3));
    assert_eq!(secured(&store).await, made_up.at);
}

/// It is answered with OK then, and its loss has to be noticed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_no_level_is_demanded_a_change_is_secured_whatever_it_has_reached() {
    let followed = Followed::by(2, &GUARDED);
    followed.followers[1].pause();
    let second = owner_put(&store(&followed, 2, Duration::from_millis(250)), "second").await;
    assert_eq!(second.level, Level::Volatile);
    let demanding = demanding(&followed, 2, Duration::from_millis(250));
    assert_eq!(secured(&demanding).await, second.at);
    let third = owner_put(&demanding, "third").await;
    assert_eq!((third.at.position, secured(&demanding).await), (2, second.at), "the control: a demand that was not met");
    followed.followers[1].resume();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_begins_to_evict_is_no_firm_ground_any_more() {
    let followed = Followed::by(1, &[]);
    let store = store(&followed, 1, Duration::from_secs(10));
    let before = footing(&store).await;
    assert_eq!((before.whole, before.level), (Whole::Whole, Level::Replicated), "the control");
    followed.primary.ask::<()>("CONFIG SET maxmemory-policy allkeys-lru");
    let evicting = footing(&store).await;
    assert_eq!((evicting.whole, evicting.level), (Whole::Missing, Level::Volatile));
}

/// Whoever asks again, or asks for certainty, may do so on a connection that has written nothing: for Redis there is nothing to wait for, then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_written_on_another_connection_is_waited_for_too() {
    let followed = Followed::by(1, &[]);
    let store = store(&followed, 1, Duration::from_secs(10));
    let asked = Commit { request: Some(request("admin_1", "r", 1)), ..commit(vec![new_owner(&owner("acme"))]) };
    store.commit(&asked).await.unwrap();
    followed.followers[0].pause();
    let hurried = || self::store(&followed, 1, Duration::from_millis(250));
    assert_eq!(hurried().commit(&asked).await.unwrap().standing.level, Level::Volatile);
    assert_eq!(hurried().secure(&acme()).await.unwrap().1.level, Level::Volatile);
    let at_once = redis::cmd("WAIT").arg(1).arg(250).query::<u64>(&mut followed.primary.connection()).unwrap();
    assert_eq!(at_once, 1, "the control: Redis says that all have what this connection wrote");
    followed.followers[0].resume();
    assert_eq!(store.commit(&asked).await.unwrap().standing.level, Level::Replicated);
    assert_eq!(store.secure(&acme()).await.unwrap().1.level, Level::Replicated);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_away_is_not_waited_for_and_one_too_many_makes_nothing_whole() {
    let mut followed = Followed::by(2, &[]);
    let store = store(&followed, 1, Duration::from_secs(20));
    let one_too_many = owner_put(&store, "many").await;
    assert_eq!((one_too_many.level, one_too_many.footing.whole), (Level::Volatile, Whole::Missing));
    followed.followers.clear();
    followed.until_it_is_by(0);
    let begun = Instant::now();
    let alone = owner_put(&store, "alone").await;
    assert_eq!((alone.level, alone.footing.whole), (Level::Volatile, Whole::Missing));
    assert!(begun.elapsed() < Duration::from_secs(20), "the call's whole time was waited");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_footing_is_another_after_a_restart_a_promotion_and_the_return_of_a_node() {
    let mut followed = Followed::by(1, &[]);
    let store = store(&followed, 1, Duration::from_secs(10));
    let first = footing(&store).await;
    assert_eq!(footing(&store).await, first, "the control: else it stays");
    owner_put(&store, "one").await;
    assert_eq!(footing(&store).await, first, "and writes do not change it");

    followed.followers[0].ask::<()>("REPLICAOF NO ONE");
    followed.followers[0].ask::<()>("SET something else");
    followed.until_it_is_by(0);
    assert_eq!(footing(&store).await.whole, Whole::Missing);
    let port = followed.primary.ask::<Vec<String>>("CONFIG GET port").remove(1);
    followed.followers[0].ask::<()>(&format!("REPLICAOF 127.0.0.1 {port}"));
    followed.until_it_is_by(1);
    let returned = footing(&store).await;
    assert!(returned.whole == Whole::Whole && returned.primary != first.primary, "it may have been another primary meanwhile");

    followed.primary.ask::<()>("REPLICAOF 127.0.0.1 1");
    followed.primary.ask::<()>("REPLICAOF NO ONE");
    let promoted = footing(&store).await;
    assert_ne!(promoted.primary, returned.primary);
    followed.primary.restart();
    super::super::engines::until_it_answers(&store).await;
    assert_ne!(footing(&store).await.primary, promoted.primary);
}

/// A node that lags behind may not know of somebody who holds a lease.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_registry_is_told_by_a_primary_alone() {
    let (_followed, server) = (RedisServer::start(), RedisServer::start());
    let store = server.store();
    renew(&*store, &holder("a", 1), None).await;
    assert_eq!(store.holders().await.unwrap().len(), 1);
    server.ask::<()>("REPLICAOF 127.0.0.1 1");
    let said = store.holders().await;
    assert!(matches!(&said, Err(StoreError::Unavailable(why)) if why.contains("READONLY")), "{said:?}");
    assert_eq!(server.ask::<u64>("HLEN kw:1:{kw}:leases"), 1, "the control: Redis would have told");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_failover_the_log_is_followed_at_the_new_primary() {
    let (old, new) = (RedisServer::start(), RedisServer::start());
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("redis");
    point(&place, &old);
    let store = Arc::new(impatient(format!("unix://{}", place.display()), 500));
    let first = entry(&*store, "first").await;
    let following = |after| {
        let store = store.clone();
        tokio::spawn(async move { store.follow(after, Duration::from_mins(1)).await })
    };
    let waits = following(first);
    blocks(&old).await;
    old.ask::<()>("REPLICAOF 127.0.0.1 1");
    let said = waits.await.unwrap();
    assert!(matches!(said, Err(StoreError::Unavailable(_))), "{said:?}");
    let said = store.follow(first, Duration::ZERO).await;
    assert!(matches!(&said, Err(StoreError::Unavailable(why)) if why.contains("READONLY")), "{said:?}");
    let control: redis::Value = old.ask("XREAD STREAMS kw:1:{kw}:log 0-0");
    assert_ne!(control, redis::Value::Nil, "the control: a node that was demoted answers, if only with what it had");
    point(&place, &new);
    until(async || store.follow(first, Duration::ZERO).await.is_ok()).await;
    until(async || store.commit(&commit(vec![new_owner(&owner("first"))])).await.is_ok()).await;
    let there = put(&*store, vec![new_owner(&owner("second"))]).await.standing.at;
    let waits = following(there);
    blocks(&new).await;
    put(&*store, vec![new_owner(&owner("third"))]).await;
    assert_eq!(waits.await.unwrap().unwrap().entries.iter().map(|entry| entry.at.position).collect::<Vec<_>>(), [3]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn following_goes_on_after_a_restart_and_for_longer_than_one_call_waits() {
    let mut server = RedisServer::durable();
    let store = server.store();
    let first = entry(&*store, "first").await;
    let follow = || {
        let store = store.clone();
        tokio::spawn(async move { store.follow(first, Duration::from_mins(1)).await })
    };
    let waits = follow();
    blocks(&server).await;
    server.kill();
    assert!(matches!(waits.await.unwrap(), Err(StoreError::Unavailable(_))));
    server.restart();
    super::super::engines::until_it_answers(&*store).await;
    let (waits, begun) = (follow(), Instant::now());
    until(async || begun.elapsed() > Duration::from_secs(6)).await;
    blocks(&server).await;
    let second = entry(&*store, "second").await;
    assert_eq!(waits.await.unwrap().unwrap().entries.iter().map(|entry| entry.at).collect::<Vec<_>>(), [second]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_emptied_of_scripts_fails_no_call_for_leases() {
    let followed = Followed::by(1, &[]);
    let (store, mut connection) = (store(&followed, 1, Duration::from_secs(10)), followed.primary.connection());
    seed(&store).await;
    let done = Arc::new(AtomicBool::new(false));
    let emptying = std::thread::spawn({
        let done = done.clone();
        move || {
            while !done.load(Ordering::Relaxed) {
                redis::cmd("SCRIPT").arg("FLUSH").exec(&mut connection).unwrap();
            }
        }
    });
    for revision in 2..30 {
        let change = vec![changed_key(&Record { revision, ..key("key_1", &[digest(1)]) })];
        let made = put(&store, change).await;
        assert_eq!(made.standing.level, Level::Replicated);
        for (method, said) in each_method(&store).await {
            assert!(said.is_ok() || method == "commit", "{method}: {said:?}");
        }
        let renewed =
            store.renew(&Renewal { secured: made.standing.at, ..renewal(&holder("b", 1), Some(made.standing.at)) }).await.unwrap();
        assert!(matches!(renewed.log, Log::Entries { .. }) && renewed.secured.position >= made.position, "{renewed:?}");
    }
    done.store(true, Ordering::Relaxed);
    emptying.join().unwrap();
}

/// Else nobody would be admitted any more because of keys that were made.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leases_go_on_where_memory_is_full() {
    let server = RedisServer::durable();
    let store = server.store();
    let first = entry(&*store, "first").await;
    server.ask::<()>("CONFIG SET maxmemory 1");
    let said = store.commit(&commit(vec![new_owner(&owner("second"))])).await;
    assert!(matches!(&said, Err(StoreError::Unavailable(why)) if why.contains("OOM")), "the control: {said:?}");
    assert_eq!(renew(&*store, &holder("a", 1), Some(first)).await.longest, Duration::from_secs(5));
    store.acknowledge(&holder("a", 1), first).await.unwrap();
    assert_eq!(store.secure(&acme()).await.unwrap().1.at, first);
    assert_eq!(store.holders().await.unwrap()[0].1.applied, 1);
    store.dismiss(&holder("a", 1), 1).await.unwrap();
    assert_eq!(store.holders().await.unwrap(), []);
}

/// A replica that was cut off when something was secured, and is promoted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_was_promoted_behind_is_found_by_the_first_renewal() {
    let followed = Followed::by(2, &[]);
    let store = store(&followed, 0, Duration::from_secs(10));
    let both = owner_put(&store, "both").await.at;
    let has = |node: &RedisServer, place: At| node.ask::<Option<String>>("GET kw:1:{kw}:secured") == Some(place.to_string());
    until(async || followed.followers.iter().all(|node| has(node, both))).await;
    followed.followers[0].ask::<()>("REPLICAOF NO ONE");
    let one = owner_put(&store, "one").await.at;
    until(async || has(&followed.followers[1], one)).await;
    followed.followers[1].ask::<()>("REPLICAOF NO ONE");
    let asked = async |node: &RedisServer| {
        let renewal = Renewal { secured: one, ..renewal(&holder("a", 1), Some(one)) };
        node.store().renew(&renewal).await.unwrap().log
    };
    assert_eq!(asked(&followed.followers[0]).await, Log::RolledBack { head: both });
    assert_eq!(asked(&followed.followers[1]).await, Log::Entries { entries: vec![], head: one }, "the control: one that has it all");
}

/// How long that takes is printed; what it costs is asserted: the connection is tried, what is there is read, the script is run.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_takes_three_round_trips() {
    let server = RedisServer::start();
    let store = server.store();
    seed(&*store).await;
    let reads = || {
        let told: String = server.ask("INFO stats");
        told.lines().find_map(|line| line.strip_prefix("total_reads_processed:")).unwrap().trim().parse::<u64>().unwrap()
    };
    let (before, mut times) = (reads(), Vec::new());
    for revision in 2..202 {
        let begun = Instant::now();
        put(&*store, vec![changed_key(&Record { revision, ..key("key_1", &[digest(1)]) })]).await;
        times.push(begun.elapsed());
    }
    // one connection asks for the number itself; one that goes on connecting adds a few
    let trips = reads() - before;
    times.sort_unstable();
    println!("a commit on one Redis: {:?} at the median, {:?} for 99 of 100", times[100], times[197]);
    assert!((600..620).contains(&trips), "{trips} round trips for 200 commits");
}

/// Until somebody waits for the log.
async fn blocks(server: &RedisServer) {
    until(async || server.ask::<String>("INFO clients").contains("blocked_clients:1")).await;
}

fn store(followed: &Followed, replicas: u32, time: Duration) -> RedisStore {
    RedisStore::connect(&Settings { timeout: time, connect_timeout: time, ..followed.settings(replicas) }).unwrap()
}

/// What level `replicated` asks of a primary.
const GUARDED: [&str; 4] = ["--min-replicas-to-write", "1", "--min-replicas-max-lag", "4"];

/// The same, that takes nothing less than every node for an answer.
fn demanding(followed: &Followed, replicas: u32, time: Duration) -> RedisStore {
    let (level, times) = (Some(Level::Replicated), Settings { timeout: time, connect_timeout: time, ..followed.settings(replicas) });
    RedisStore::connect(&Settings { level, ..times }).unwrap()
}

async fn owner_put(store: &RedisStore, id: &str) -> Standing {
    put(store, vec![new_owner(&owner(id))]).await.standing
}

async fn footing(store: &RedisStore) -> Footing {
    renew(store, &holder("a", 1), None).await.footing
}

async fn secured(store: &RedisStore) -> At {
    renew(store, &holder("a", 1), None).await.secured
}

fn acme() -> What {
    What::Key(realm("otesse"), key_id("key_1"))
}
