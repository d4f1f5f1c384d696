//! The same checks with few keys in the store and with millions; what a start takes with them, and what memory.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use keyward::clock::SystemClock;
use keyward::store::embedded::{Embedded, Timeouts};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::keys::{self, secret};
use crate::load::Load;
use crate::process::resident;
use crate::report::say;
use crate::steady::{Keys, Steady, compare};
use crate::support::keyward::{Keyward, Store};
use crate::support::redis::RedisServer;

const FEW: usize = 10_000;
const MILLION: usize = 1_000_000;
const TEN_MILLION: usize = 10 * MILLION;
const RATE: usize = 2000;
/// So slow that no run needs more keys than the smallest store has.
const COLD_RATE: usize = 400;

/// A store with so many keys, and a keyward on it.
struct Filled {
    name: String,
    keys: usize,
    keyward: Keyward,
    /// From its start until it was ready.
    start: Duration,
    _redis: Option<RedisServer>,
    _folder: TempDir,
}

/// Prints rows for hot keys, for keys of which few are asked for often, and for keys that are seen for the first time.
pub(crate) fn measure(runtime: &Runtime) {
    let realms = keys::realm();
    let stores: Vec<Filled> = [FEW, MILLION, TEN_MILLION]
        .into_iter()
        .map(|keys| Filled::redis(runtime, realms.path(), keys))
        .chain([FEW, MILLION].map(|keys| Filled::embedded(runtime, realms.path(), keys)))
        .collect();
    say!("\nP11: from start to ready, and its memory then");
    for store in &stores {
        say!("{:<44} {:>7.0} ms {:>7.0} MiB", store.name, store.start.as_secs_f64() * 1000.0, resident(store.keyward.pid()));
    }
    let rows = |title, rate, keys: fn(usize) -> Keys| {
        let steady = |store: &Filled| {
            let load = runtime.block_on(Load::new(store.keyward.envoy, &secret(0), 2));
            Steady::new(store.name.clone(), store.keyward.pid(), load, keys(store.keys))
        };
        for engine in ["Redis", "embedded"] {
            let stores = stores.iter().filter(|store| store.name.starts_with(engine));
            compare(runtime, title, rate, stores.map(steady).collect(), secret);
        }
    };
    rows("P8: a hot key", RATE, |_| Keys::One(0));
    rows("P8: each key seen for the first time", COLD_RATE, |_| Keys::Once(1));
    rows("P8: Zipf's law over all keys", RATE, Keys::Zipf);
    say!("wanted: with 10 M keys ÷ with 10 k ≤ 1.1");
    say!("\nmemory afterwards");
    for store in &stores {
        say!("{:<44} {:>7.0} MiB", store.name, resident(store.keyward.pid()));
    }
}

impl Filled {
    fn redis(runtime: &Runtime, realms: &Path, keys: usize) -> Self {
        let redis = RedisServer::start();
        let store = {
            let _inside = runtime.enter();
            redis.store()
        };
        let bytes = || used(&redis.ask::<String>("INFO memory"));
        let (before, begun) = (bytes(), Instant::now());
        runtime.block_on(keys::fill(&*store, 0..keys));
        let each = (bytes() - before) / keys as f64;
        say!("Redis, {keys} keys: made in {:.0} s, {each:.0} bytes a key, everything counted", begun.elapsed().as_secs_f64());
        let begun = Instant::now();
        let keyward = Keyward::without_token(realms, &Store::Redis(&redis.url()), |config| config);
        let start = begun.elapsed();
        Self { name: format!("Redis, {keys} keys"), keys, keyward, start, _redis: Some(redis), _folder: tempfile::tempdir().unwrap() }
    }

    fn embedded(runtime: &Runtime, realms: &Path, keys: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let patient = Timeouts { check: Duration::from_mins(10), admin: Duration::from_mins(10) };
        let begun = Instant::now();
        {
            let _inside = runtime.enter();
            let store = Embedded::open(&data, Arc::new(SystemClock)).unwrap().with_timeouts(patient);
            runtime.block_on(keys::fill(&store, 0..keys));
        }
        let bytes: u64 = std::fs::read_dir(&data).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum();
        let each = bytes as f64 / keys as f64;
        say!("embedded, {keys} keys: made in {:.0} s, {each:.0} bytes a key on disk", begun.elapsed().as_secs_f64());
        let begun = Instant::now();
        let peppers = folder.path().join("pepper");
        std::fs::write(&peppers, keys::peppers()).unwrap();
        let filled = format!("folder: {}", data.display());
        let keyward = Keyward::without_token(realms, &Store::Embedded, |config| {
            config.replace("folder: data", &filled) + &format!("pepper_file: {}\n", peppers.display())
        });
        let start = begun.elapsed();
        Self { name: format!("embedded, {keys} keys"), keys, keyward, start, _redis: None, _folder: folder }
    }
}

/// Bytes that Redis has in use (`INFO memory`).
fn used(info: &str) -> f64 {
    info.lines().find_map(|line| line.strip_prefix("used_memory:")).unwrap().trim().parse().unwrap()
}
