//! Redis is away, in every way that it can be, and comes back. The store is never made again.

use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use keyward::store::redis::RedisStore;
use keyward::store::{SharedStore, Store, StoreError, Taken};
use redis::AsyncConnectionConfig;
use tokio::io::copy_bidirectional;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::time::timeout;

use super::super::engines::until_it_answers;
use super::super::samples::{DAY, changed_key, charge, commit, digest, key, new_key, put, realm, subject, takes};
use super::{each_answers, each_is_away, impatient, seed};
use crate::support::redis::{RedisServer, settings};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_stopped_is_away_until_it_is_back_and_nothing_is_ever_not_found() {
    let mut server = RedisServer::durable();
    let store = server.store();
    seed(&*store).await;
    for _ in 0..2 {
        server.kill();
        each_is_away(&*store, "no connection to Redis").await;
        server.restart();
        until_it_answers(&*store).await;
        let found = store.find(&realm("otesse"), &[digest(1)]).await.unwrap();
        assert!(found.holder.is_some() && found.at.position == 2);
    }
    each_answers(&*store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_not_there_yet_is_away_and_is_found_when_it_comes() {
    let (folder, mut server) = (tempfile::tempdir().unwrap(), RedisServer::start());
    let place = folder.path().join("redis");
    let store = RedisStore::connect(&settings(format!("unix://{}", place.display()))).unwrap();
    each_is_away(&store, "no connection to Redis").await;
    symlink(server.socket(), &place).unwrap();
    until_it_answers(&store).await;
    each_answers(&store).await;
    server.kill();
    each_is_away(&store, "no connection to Redis").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_turns_everyone_away_is_not_stormed() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let store = impatient(format!("redis://{}", listener.local_addr().unwrap()), 5_000);
    let turned_away = Arc::new(AtomicUsize::new(0));
    tokio::spawn({
        let turned_away = turned_away.clone();
        async move {
            while listener.accept().await.is_ok() {
                turned_away.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
    for _ in 0..3_000 {
        assert!(matches!(store.now().await, Err(StoreError::Unavailable(_))));
    }
    let connections = turned_away.load(Ordering::Relaxed);
    // Without pauses there is at least one connection for every call.
    assert!((1..300).contains(&connections), "{connections} connections for 3000 calls");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_accepts_and_never_answers_is_away_within_the_timeout() {
    // The kernel accepts for it; nobody ever reads.
    let black_hole = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}", black_hole.local_addr().unwrap());
    let store = impatient(url.clone(), 100);
    timeout(Duration::from_mins(1), each_is_away(&store, "")).await.expect("every method ends");

    // Many at once do not wait for one another.
    let store: SharedStore = Arc::new(impatient(url.clone(), 500));
    let crowd: Vec<_> = (0..200)
        .map(|_| {
            tokio::spawn({
                let store = store.clone();
                async move { store.now().await }
            })
        })
        .collect();
    let all = async {
        for one in crowd {
            assert!(matches!(one.await.unwrap(), Err(StoreError::Unavailable(_))));
        }
    };
    timeout(Duration::from_secs(50), all).await.expect("in a queue it would take a hundred seconds");

    // The control: with a timeout that does not come, no method ends.
    let patient = impatient(url, 3_600_000);
    assert!(timeout(Duration::from_secs(1), patient.now()).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stands_still_is_away_within_the_timeout_and_nothing_it_missed_is_repeated() {
    let server = RedisServer::start();
    let store = impatient(server.url(), 250);
    until_it_answers(&store).await;
    server.pause();
    each_is_away(&store, "did not answer in time").await;
    server.resume();
    until_it_answers(&store).await;
    // What was sent while it stood still is done when it goes on, and once at most: `take` was called once then, and is called once more here.
    let day = charge(vec![subject(None, &[(DAY, 1_000)])], 1);
    let Taken::Granted { windows, .. } = server.store().take(&[day]).await.unwrap().remove(0) else { panic!("it fits") };
    assert!(windows[0].left >= 998, "{windows:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_has_gone_silent_is_given_up_for_another() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.socket());
    let store = impatient(proxy.url(), 100);
    until_it_answers(&store).await;
    proxy.swallow_what_is_connected();
    let said = store.find(&realm("otesse"), &[]).await;
    assert!(matches!(&said, Err(StoreError::Unavailable(why)) if why.contains("in time")), "{said:?}");
    until_it_answers(&store).await;
}

/// The control of the test above: the library's own connection, which sees no error on its socket, waits for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_being_given_up_a_silent_connection_stays_silent() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.socket());
    let config = AsyncConnectionConfig::new().set_response_timeout(Some(Duration::from_millis(100)));
    let client = redis::Client::open(proxy.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection_with_config(&config).await.unwrap();
    let ping = redis::cmd("PING");
    ping.query_async::<String>(&mut connection).await.unwrap();
    proxy.swallow_what_is_connected();
    for _ in 0..30 {
        ping.query_async::<String>(&mut connection).await.unwrap_err();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_failover_the_store_follows_the_address_to_the_new_primary() {
    let (old, new) = (RedisServer::start(), RedisServer::start());
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("redis");
    point(&place, &old);
    let store = impatient(format!("unix://{}", place.display()), 200);
    let charge = charge(vec![subject(None, &[(DAY, 1_000_000)])], 1);
    let mut number = 0;
    let mut writes = async || {
        number += 1;
        let change = commit(vec![new_key(&key(&format!("key_{number}"), &[digest(number)]))]);
        (takes(&store, charge.clone()).await, store.commit(&change).await.map(|_| ()))
    };
    until(async || writes().await == (Ok(()), Ok(()))).await;
    old.ask::<()>("REPLICAOF 127.0.0.1 1");
    until(async || matches!(writes().await, (Err(StoreError::Unavailable(why)), _) if why.contains("READONLY"))).await;
    point(&place, &new);
    until(async || writes().await == (Ok(()), Ok(()))).await;
    assert!(new.ask::<u64>("HLEN kw:1:{kw}:keys:otesse") > 0 && new.ask::<u64>("EXISTS kw:1:{otesse/acme}") == 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_emptied_of_scripts_between_calls_fails_none() {
    let server = RedisServer::start();
    let store: SharedStore = server.store();
    seed(&*store).await;
    for revision in 2..20 {
        server.ask::<()>("SCRIPT FLUSH");
        put(&*store, vec![changed_key(&keyward::domain::record::Record { revision, ..key("key_1", &[digest(1)]) })]).await;
        server.ask::<()>("SCRIPT FLUSH");
        assert!(store.find(&realm("otesse"), &[digest(1)]).await.unwrap().holder.is_some());
    }
    // While batches are on their way, too: every charge is done, and done once.
    let (done, mut connection) = (Arc::new(AtomicBool::new(false)), server.connection());
    let emptying = std::thread::spawn({
        let done = done.clone();
        move || {
            while !done.load(Ordering::Relaxed) {
                redis::cmd("SCRIPT").arg("FLUSH").exec(&mut connection).unwrap();
            }
        }
    });
    let batch: Vec<_> = (0..20).map(|_| charge(vec![subject(Some("key_1"), &[(DAY, 100_000)])], 1)).collect();
    for _ in 0..50 {
        let taken = store.take(&batch).await.unwrap();
        assert!(taken.iter().all(|taken| matches!(taken, Taken::Granted { tokens: 1, .. })), "{taken:?}");
    }
    done.store(true, Ordering::Relaxed);
    emptying.join().unwrap();
    let Taken::Granted { windows, .. } = store.take(&batch[..1]).await.unwrap().remove(0) else { panic!("it fits") };
    assert_eq!(windows.iter().map(|told| told.left).collect::<Vec<_>>(), [100_000 - 1_001]);
    // The control: by its hash alone a script is not found after that.
    server.ask::<()>("SCRIPT FLUSH");
    let hash = redis::Script::new(keyward::store::redis::take::SCRIPT).get_hash().to_owned();
    let alone = redis::cmd("EVALSHA").arg(hash).arg(0).query::<()>(&mut server.connection()).unwrap_err();
    assert_eq!(alone.code(), Some("NOSCRIPT"));
}

/// The control of the crash tests: a server that keeps nothing on disk loses what was acknowledged, so a crash is one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_its_log_on_disk_forgets_in_a_crash() {
    let mut server = RedisServer::start();
    let store = server.store();
    seed(&*store).await;
    server.kill();
    server.restart();
    until_it_answers(&*store).await;
    assert_eq!(store.find(&realm("otesse"), &[digest(1)]).await.unwrap().holder, None);
}

#[tokio::test]
async fn a_url_that_is_none_is_said_without_its_password() {
    for url in ["", "http://localhost", "redis://", "rediss://u:hush@host:none"] {
        let Err(StoreError::Unavailable(why)) = RedisStore::connect(&settings(url.into())).map(|_| ()) else {
            panic!("«{url}» is accepted");
        };
        assert!(why.contains("redis://") && !why.contains("hush"), "{why}");
    }
}

/// Asks until it is so.
pub(super) async fn until(mut so: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + Duration::from_mins(1);
    while !so().await {
        assert!(Instant::now() < end, "it is not so after a minute");
        tokio::task::yield_now().await;
    }
}

/// Lets a socket's name lead to this server.
pub(super) fn point(place: &Path, server: &RedisServer) {
    let beside = place.with_extension("new");
    symlink(server.socket(), &beside).unwrap();
    std::fs::rename(beside, place).unwrap();
}

/// Passes everything on, until it is told to swallow: then what is connected stays so and hears nothing more. New connections are passed on.
struct Proxy {
    folder: tempfile::TempDir,
    swallow: watch::Sender<()>,
}

impl Proxy {
    fn start(server: PathBuf) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("proxy")).unwrap();
        let (swallow, swallowing) = watch::channel(());
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let mut swallowing = swallowing.clone();
                swallowing.mark_unchanged();
                let mut server = UnixStream::connect(&server).await.unwrap();
                tokio::spawn(async move {
                    tokio::select! {
                        _ = copy_bidirectional(&mut client, &mut server) => {}
                        Ok(()) = swallowing.changed() => std::future::pending().await,
                    }
                });
            }
        });
        Self { folder, swallow }
    }

    fn url(&self) -> String {
        format!("unix://{}", self.folder.path().join("proxy").display())
    }

    fn swallow_what_is_connected(&self) {
        self.swallow.send(()).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_that_was_wrong_for_a_while_needs_no_restart() {
    let server = RedisServer::with(&["--requirepass", "right"]);
    let own = format!("{}?pass=right", server.url());
    let admin = redis::Client::open(own.as_str()).unwrap();
    let mut admin = admin.get_connection().unwrap();
    let store = RedisStore::connect(&crate::support::redis::settings(own)).unwrap();
    store.now().await.unwrap();
    redis::cmd("CONFIG").arg(&["SET", "requirepass", "other"]).exec(&mut admin).unwrap();
    redis::cmd("CLIENT").arg(&["KILL", "TYPE", "normal", "SKIPME", "yes"]).exec(&mut admin).unwrap();
    while store.now().await.is_ok() {}
    redis::cmd("CONFIG").arg(&["SET", "requirepass", "right"]).exec(&mut admin).unwrap();
    super::super::engines::until_it_answers(&store).await;
}
