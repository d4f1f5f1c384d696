//! The same checks with few keys in the store and with millions; what a start takes with them, and what memory.

use std::path::Path;

use tokio::runtime::Runtime;

use crate::filled::Filled;
use crate::keys::{self, secret};
use crate::load::Load;
use crate::process::resident;
use crate::report::say;
use crate::steady::{Keys, Steady, compare};

const FEW: usize = 10_000;
const MILLION: usize = 1_000_000;
const TEN_MILLION: usize = 10 * MILLION;
const RATE: usize = 2000;
/// So slow that no run needs more keys than the smallest store has.
const COLD_RATE: usize = 500;

/// So many keys in a store.
struct Sized {
    name: String,
    keys: usize,
    filled: Filled,
}

/// With ten thousand keys and a million, in both stores.
pub(crate) fn few_and_many(runtime: &Runtime) {
    measure(runtime, &[FEW, MILLION], &[FEW, MILLION]);
}

/// With ten million in Redis: to put them there takes a quarter of an hour, and 8 GB.
pub(crate) fn ten_million(runtime: &Runtime) {
    measure(runtime, &[FEW, TEN_MILLION], &[]);
}

/// Prints rows for hot keys, for keys of which few are asked for often, and for keys that are seen for the first time.
fn measure(runtime: &Runtime, in_redis: &[usize], embedded: &[usize]) {
    let realms = keys::realm();
    let filled = |engine: &str, fill: fn(&Runtime, &Path, usize) -> Filled, sizes: &[usize]| -> Vec<Sized> {
        let filled =
            |keys: &usize| Sized { name: format!("{engine}, {keys} keys"), keys: *keys, filled: fill(runtime, realms.path(), *keys) };
        sizes.iter().map(filled).collect()
    };
    let engines = [filled("Redis", Filled::redis, in_redis), filled("embedded", Filled::embedded, embedded)];
    say!("\n{:<44} {:>12} {:>12} {:>12} {:>12}", "P11: from start to ready", "ms", "MiB then", "bytes a key", "filled in s");
    for Sized { name, filled, .. } in engines.iter().flatten() {
        let (start, filling) = (filled.start.as_secs_f64() * 1000.0, filled.filling);
        let memory = resident(filled.keyward.pid());
        say!("{name:<44} {start:>12.0} {memory:>12.0} {:>12.0} {:>12.0}", filling.bytes, filling.time.as_secs_f64());
    }
    let rows = |title, rate, keys: fn(usize) -> Keys| {
        let steady = |store: &Sized| {
            let load = runtime.block_on(Load::new(store.filled.keyward.envoy, &secret(0), 2));
            Steady::new(store.name.clone(), store.filled.keyward.pid(), load, keys(store.keys))
        };
        for stores in engines.iter().filter(|stores| !stores.is_empty()) {
            compare(runtime, title, rate, stores.iter().map(steady).collect(), secret);
        }
    };
    rows("P8: a hot key", RATE, |_| Keys::One(0));
    rows("P8: each key seen for the first time", COLD_RATE, |_| Keys::Once(1));
    rows("P8: Zipf's law over all keys", RATE, Keys::Zipf);
    say!("\n{:<44} {:>12}", "memory afterwards", "MiB");
    for Sized { name, filled, .. } in engines.iter().flatten() {
        say!("{name:<44} {:>12.0}", resident(filled.keyward.pid()));
    }
}
