//! What Redis must be: each item is refused, with what to set, until it is set. What is only demanded is no reason where it is not.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use keyward::revocation::Level;
use keyward::store::redis::{RedisStore, Settings};
use keyward::store::{Store, StoreError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UnixStream};

use super::super::samples::{new_owner, owner, put};
use super::{each_answers, each_is_away};
use crate::support::followers::Followed;
use crate::support::redis::{RedisServer, settings};

/// Settings of a server that has every acknowledged write on its disk.
const ON_DISK: [&str; 4] = ["--appendonly", "yes", "--appendfsync", "always"];
/// Settings of one that stops when it is cut off.
const STOPS: [&str; 4] = ["--min-replicas-to-write", "1", "--min-replicas-max-lag", "3"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_a_log_on_its_disk_is_no_single_one() {
    let server = RedisServer::start();
    refused(&demanding(&server, Level::Single), &["appendonly is no", "set appendonly to yes", "volatile"]).await;
    accepted(&demanding(&server, Level::Volatile)).await;
    server.ask::<()>("CONFIG SET appendonly yes appendfsync always");
    accepted(&demanding(&server, Level::Single)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_syncs_its_disk_later_is_no_single_one() {
    let server = RedisServer::with(&["--appendonly", "yes", "--appendfsync", "everysec"]);
    refused(&demanding(&server, Level::Single), &["appendfsync is everysec", "set appendfsync to always"]).await;
    accepted(&settings(server.url())).await;
    server.ask::<()>("CONFIG SET appendfsync always");
    accepted(&demanding(&server, Level::Single)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_does_not_sync_while_it_rewrites_its_log_is_no_single_one() {
    let server = RedisServer::with(&[&ON_DISK[..], &["--no-appendfsync-on-rewrite", "yes"]].concat());
    refused(&demanding(&server, Level::Single), &["no-appendfsync-on-rewrite is yes", "to no"]).await;
    server.ask::<()>("CONFIG SET no-appendfsync-on-rewrite no");
    accepted(&demanding(&server, Level::Single)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_is_away_until_it_is_promoted() {
    let followed = Followed::by(1, &[]);
    let replica = &followed.followers[0];
    let store = RedisStore::connect(&settings(replica.url())).unwrap();
    each_is_away(&store, "give the address of the primary").await;
    replica.ask::<()>("REPLICAOF NO ONE");
    assert_eq!(store.check_settings().await, Ok(()));
    each_answers(&store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_takes_writes_when_it_is_cut_off_is_no_replicated_one() {
    let followed = Followed::by(1, &["--min-replicas-max-lag", "3"]);
    let replicated = Settings { level: Some(Level::Replicated), ..followed.settings(1) };
    refused(&replicated, &["min-replicas-to-write is 0", "set min-replicas-to-write to 1"]).await;
    accepted(&followed.settings(1)).await;
    followed.primary.ask::<()>("CONFIG SET min-replicas-to-write 1");
    accepted(&replicated).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_takes_writes_for_a_lease_when_it_is_cut_off_is_no_replicated_one() {
    let followed = Followed::by(1, &STOPS);
    let replicated = Settings { level: Some(Level::Replicated), ..followed.settings(1) };
    for lag in ["10", "5", "0"] {
        followed.primary.ask::<()>(&format!("CONFIG SET min-replicas-max-lag {lag}"));
        refused(&replicated, &[&format!("min-replicas-max-lag is {lag}"), "less than a lease lasts, which is 5 s"]).await;
    }
    followed.primary.ask::<()>("CONFIG SET min-replicas-max-lag 4");
    accepted(&replicated).await;
    followed.primary.ask::<()>("CONFIG SET min-replicas-max-lag 10");
    accepted(&Settings { lease: Duration::from_secs(11), ..replicated }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_with_followers_that_nobody_counts_is_no_replicated_one() {
    let followed = Followed::by(2, &STOPS);
    for counted in [0, 1] {
        let replicated = Settings { level: Some(Level::Replicated), ..followed.settings(counted) };
        refused(&replicated, &["2 nodes follow", &format!("store.redis.replicas is {counted}")]).await;
    }
    accepted(&Settings { level: Some(Level::Replicated), ..followed.settings(2) }).await;
}

/// A node that is away keeps nobody from starting: no change is called replicated until it is back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_with_too_few_followers_shows_a_lower_level() {
    let mut followed = Followed::by(1, &STOPS);
    for (counted, level) in [(2, Level::Volatile), (1, Level::Replicated)] {
        let store = accepted(&Settings { level: Some(Level::Replicated), ..followed.settings(counted) }).await;
        let standing = put(&store, vec![new_owner(&owner(&format!("owner-{counted}")))]).await.standing;
        assert_eq!((standing.level, standing.footing.level), (level, level), "of {counted} one follows");
    }
    // The last one gone, Redis itself takes no more writes.
    followed.followers.clear();
    followed.until_it_is_by(0);
    let store = accepted(&Settings { level: Some(Level::Replicated), ..followed.settings(1) }).await;
    let said = store.commit(&super::commit(vec![new_owner(&owner("late"))])).await;
    assert!(matches!(&said, Err(StoreError::Unavailable(why)) if why.contains("NOREPLICAS")), "{said:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_is_too_old_is_refused() {
    let server = RedisServer::start();
    // it says how old it is where its length does not change
    let own = server.ask::<String>("INFO server").lines().find_map(|line| line.strip_prefix("redis_version:").map(str::to_owned)).unwrap();
    let older = |major: &str| format!("{major}{}", &own[1..]);
    for (version, fit) in [(older("6"), false), (older("8"), true)] {
        let way = saying(&server, own.clone(), version.clone()).await;
        let settings = settings(format!("redis://{way}"));
        if fit {
            accepted(&settings).await;
        } else {
            refused(&settings, &[&version, "7.0 or newer"]).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_that_may_not_ask_which_node_it_is_is_refused() {
    let server = RedisServer::start();
    server.ask::<()>("ACL SETUSER keyward on >hush ~* &* +@all -info");
    let settings = settings(format!("{}?user=keyward&pass=hush", server.url()));
    refused(&settings, &["+info"]).await;
    server.ask::<()>("ACL SETUSER keyward +info");
    accepted(&settings).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_does_not_tell_its_settings_is_what_the_operator_says_and_else_nothing() {
    let server = RedisServer::with(&["--rename-command", "CONFIG", ""]);
    for (demanded, level) in [(None, Level::Volatile), (Some(Level::Volatile), Level::Volatile), (Some(Level::Single), Level::Single)] {
        let store = accepted(&Settings { level: demanded, ..settings(server.url()) }).await;
        let standing =
            put(&store, vec![new_owner(&owner(&format!("{demanded:?}").to_lowercase().replace(['(', ')'], "-")))]).await.standing;
        assert_eq!(standing.level, level, "{demanded:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_nothing_is_demanded_the_level_is_what_the_server_does_at_the_moment() {
    let server = RedisServer::start();
    let store = accepted(&settings(server.url())).await;
    let settings = ["appendonly yes appendfsync everysec", "appendfsync always", "no-appendfsync-on-rewrite yes", "appendonly no"];
    let levels = [Level::Volatile, Level::Single, Level::Volatile, Level::Volatile];
    for (number, (setting, level)) in settings.into_iter().zip(levels).enumerate() {
        server.ask::<()>(&format!("CONFIG SET {setting}"));
        let standing = put(&store, vec![new_owner(&owner(&number.to_string()))]).await.standing;
        assert_eq!((standing.level, standing.footing.level), (level, level), "{setting}");
    }
}

fn demanding(server: &RedisServer, level: Level) -> Settings {
    Settings { level: Some(level), ..settings(server.url()) }
}

async fn refused(settings: &Settings, words: &[&str]) {
    let store = RedisStore::connect(settings).unwrap();
    for said in [store.check_settings().await, store.now().await.map(drop)] {
        let Err(StoreError::Unfit(why)) = said else { panic!("{said:?}") };
        assert!(words.iter().all(|word| why.contains(word)), "{why}");
    }
}

async fn accepted(settings: &Settings) -> RedisStore {
    let store = RedisStore::connect(settings).unwrap();
    assert_eq!(store.check_settings().await, Ok(()));
    store
}

/// An address that leads to the server, and puts one text in the place of another in what it answers.
async fn saying(server: &RedisServer, own: String, other: String) -> SocketAddr {
    let (listener, socket) = (TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap(), server.socket());
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let ((mut hears, mut says), server) = (client.into_split(), UnixStream::connect(&socket).await.unwrap());
            let (mut answers, mut asks) = server.into_split();
            let (own, other) = (own.clone(), other.clone());
            tokio::spawn(async move { tokio::io::copy(&mut hears, &mut asks).await });
            tokio::spawn(async move {
                let mut bytes = vec![0; 1 << 20];
                while let Ok(count @ 1..) = answers.read(&mut bytes).await {
                    let text = String::from_utf8_lossy(&bytes[..count]).replace(&own, &other);
                    says.write_all(text.as_bytes()).await.unwrap();
                }
            });
        }
    });
    address
}
