//! T25: an older state of Redis comes back under running replicas, and with it keys that were revoked since.

use std::fs;
use std::path::Path;
use std::time::Duration;

use futures_util::future::join_all;

use super::healthy::rate;
use super::world::{Revoked, STEADY, World, figure, is_full, refuses_all, revoke, serves, share, warm};
use crate::support::load::Load;
use crate::support::member::Plan;
use crate::support::redis::RedisServer;
use crate::support::{seed, until};

const ALL: [usize; 3] = [0, 1, 2];
/// Keys that are revoked between the backup and its return.
const LOST: usize = 5;

/// After a restart of Redis a revocation waits for it once.
fn lease() -> Duration {
    Duration::from_secs(if is_full() { 5 } else { 2 })
}

/// What was backed up.
#[derive(Clone, Copy)]
enum Backup {
    /// The append-only files.
    Log,
    /// The snapshot, of a Redis that writes no log.
    Snapshot,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_an_older_append_only_file_comes_back_nobody_is_admitted_until_an_operator_says_so() {
    campaign(Backup::Log).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_an_older_snapshot_comes_back_nobody_is_admitted_until_an_operator_says_so() {
    campaign(Backup::Snapshot).await;
}

async fn campaign(backup: Backup) {
    let trials = share(1, 50);
    let (mut redis, name) = match backup {
        Backup::Log => (RedisServer::durable(), "append-only file"),
        Backup::Snapshot => (RedisServer::start(), "snapshot"),
    };
    let prepared = World::prepare(&*redis.store(), trials * LOST).await;
    let world = World::start(prepared, |realms| ALL.map(|_| Plan::new(realms, &redis.url(), lease())).to_vec()).await;
    let load = world.load(rate());
    let (mut all, mut stopped) = (Vec::new(), Vec::new());
    for trial in 0..trials {
        let first = 1 + trial * LOST;
        warm(&load, &ALL, first..first + LOST).await;
        let kept = backup.take(&redis);
        let revoked = lose(&world, &load, first..first + LOST).await;
        redis.kill();
        backup.put_back(&redis, kept.path());
        redis.restart();
        let back = load.seen.now();
        until("a replica says that the log went backwards", || pollster(world.operator.status()).is_ok_and(|status| status.rolled_back))
            .await;
        for replica in ALL {
            refuses_all(&load, replica).await;
        }
        stopped.push(Duration::from_nanos(load.seen.last_admitted(STEADY).0.saturating_sub(back.0)));
        // control: the backup brought the keys back, and only the replicas' silence keeps them out
        let stored = world.operator.get_key(&seed::id(first)).await.unwrap();
        assert!(stored.revoke_time.is_none(), "the older state has the key as it was");
        join_all(revoked.iter().map(|lost| again(&world, lost))).await;
        world.operator.resume().await.unwrap();
        for replica in ALL {
            serves(&load, replica).await;
        }
        all.extend(revoked);
    }
    let broken = all.iter().filter(|revoked| revoked.broken(&load)).count();
    let seen = load.seen.total();
    figure(
        "T25",
        &format!("an older {name} put back: trials, revocations lost, admits after the return"),
        &format!("{trials}, {}, {broken}", all.len()),
    );
    stopped.sort_unstable();
    let last = stopped.last().unwrap().as_secs_f64() * 1000.0;
    figure(
        "T25",
        &format!("the last admit after Redis was back; a renewal is due every {} ms", (lease() / 5).as_millis()),
        &format!("{last:.0} ms"),
    );
    assert_eq!((broken, seen.errors), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_comes_back_with_all_that_it_had_is_served_on() {
    let mut redis = RedisServer::durable();
    let prepared = World::prepare(&*redis.store(), LOST).await;
    let world = World::start(prepared, |realms| ALL.map(|_| Plan::new(realms, &redis.url(), lease())).to_vec()).await;
    let load = world.load(rate());
    warm(&load, &ALL, 1..1 + LOST).await;
    let all = lose(&world, &load, 1..1 + LOST).await;
    redis.kill();
    redis.restart();
    let renewed = load.seen.now();
    until("leases are renewed", || pollster(world.operator.status()).is_ok_and(|status| status.holders.len() == 3)).await;
    for replica in ALL {
        until("it admits", || load.seen.admitted(replica, STEADY) > renewed).await;
    }
    assert!(!world.operator.status().await.unwrap().rolled_back);
    assert!(all.iter().all(|revoked| !revoked.broken(&load)));
}

/// Revokes keys, which the backup does not know to be revoked.
async fn lose(world: &World, load: &Load, keys: std::ops::Range<usize>) -> Vec<Revoked> {
    let revoked = join_all(keys.map(|key| revoke(load, &world.operator, key))).await;
    for lost in &revoked {
        lost.refused(load, &ALL).await;
    }
    revoked
}

/// Revokes once more what was lost. That is recorded; whether it is guaranteed while nobody is admitted does not matter.
async fn again(world: &World, lost: &Revoked) {
    let id = seed::id(lost.key);
    let _ = world.operator.revoke(&id).await;
    assert!(world.operator.get_key(&id).await.unwrap().revoke_time.is_some());
}

/// Waits for an answer where nothing else can be waited for.
fn pollster<T>(answer: impl Future<Output = T>) -> T {
    tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(answer))
}

impl Backup {
    fn name(self) -> &'static str {
        match self {
            Self::Log => "appendonlydir",
            Self::Snapshot => "dump.rdb",
        }
    }

    /// A copy of what is on disk, which is all there is.
    fn take(self, redis: &RedisServer) -> tempfile::TempDir {
        if matches!(self, Self::Snapshot) {
            redis.ask::<()>("SAVE");
        }
        let kept = tempfile::tempdir().unwrap();
        copy(&redis.folder().join(self.name()), &kept.path().join(self.name()));
        kept
    }

    fn put_back(self, redis: &RedisServer, kept: &Path) {
        let place = redis.folder().join(self.name());
        if place.is_dir() {
            fs::remove_dir_all(&place).unwrap();
        }
        copy(&kept.join(self.name()), &place);
    }
}

fn copy(from: &Path, to: &Path) {
    if from.is_file() {
        fs::copy(from, to).unwrap();
        return;
    }
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        copy(&entry.path(), &to.join(entry.file_name()));
    }
}
