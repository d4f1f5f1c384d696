//! A store with many keys, and a keyward on it.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use keyward::clock::SystemClock;
use keyward::store::embedded::{Embedded, Timeouts};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::keys;
use crate::support::keyward::{Keyward, Store};
use crate::support::redis::RedisServer;

/// Such a keyward.
pub(crate) struct Filled {
    pub(crate) keyward: Keyward,
    /// What its keys took.
    pub(crate) filling: Filling,
    /// From its start until it was ready.
    pub(crate) start: Duration,
    redis: Option<RedisServer>,
    folder: TempDir,
}

/// What putting keys into a store took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Filling {
    pub(crate) time: Duration,
    /// A key, everything counted: of memory in Redis, of disk in the embedded store.
    pub(crate) bytes: f64,
}

impl Filled {
    /// In a Redis of its own.
    pub(crate) fn redis(runtime: &Runtime, realms: &Path, keys: usize) -> Self {
        let (redis, folder) = (RedisServer::start(), tempfile::tempdir().unwrap());
        let used = || used(&redis.ask::<String>("INFO memory"));
        let (before, begun) = (used(), Instant::now());
        runtime.block_on(async { keys::fill(&*redis.store(), 0..keys).await });
        let filling = Filling { time: begun.elapsed(), bytes: (used() - before) / keys as f64 };
        let begun = Instant::now();
        let keyward = Keyward::without_token(realms, &Store::Redis(&redis.url()), |config| config);
        Self { keyward, filling, start: begun.elapsed(), redis: Some(redis), folder }
    }

    /// In an embedded store.
    pub(crate) fn embedded(runtime: &Runtime, realms: &Path, keys: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (data, peppers) = (folder.path().join("data"), folder.path().join("pepper"));
        let patient = Timeouts { check: Duration::from_mins(10), admin: Duration::from_mins(10) };
        let begun = Instant::now();
        runtime.block_on(async {
            let store = Embedded::open(&data, Arc::new(SystemClock)).unwrap().with_timeouts(patient);
            keys::fill(&store, 0..keys).await;
        });
        let bytes: u64 = std::fs::read_dir(&data).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum();
        let filling = Filling { time: begun.elapsed(), bytes: bytes as f64 / keys as f64 };
        std::fs::write(&peppers, keys::peppers()).unwrap();
        let there = format!("folder: {}", data.display());
        let begun = Instant::now();
        let keyward = Keyward::without_token(realms, &Store::Embedded, |config| {
            config.replace("folder: data", &there) + &format!("pepper_file: {}\n", peppers.display())
        });
        Self { keyward, filling, start: begun.elapsed(), redis: None, folder }
    }

    /// For the first admin token.
    pub(crate) fn bootstrap_secret(&self) -> String {
        let file = if self.redis.is_some() { self.keyward.at("bootstrap") } else { self.folder.path().join("data/bootstrap") };
        std::fs::read_to_string(file).unwrap()
    }

    /// Of its Redis, if it has one.
    pub(crate) fn redis_pid(&self) -> Vec<u32> {
        self.redis.iter().map(|redis| redis.pid().as_raw_nonzero().get().unsigned_abs()).collect()
    }
}

/// Bytes that Redis has in use (`INFO memory`).
fn used(info: &str) -> f64 {
    info.lines().find_map(|line| line.strip_prefix("used_memory:")).unwrap().trim().parse().unwrap()
}
