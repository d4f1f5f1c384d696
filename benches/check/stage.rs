//! keyward on each of its stores, and the yardsticks, with keys to ask for: what a table of processor times begins with.

use tokio::runtime::Runtime;

use crate::filled::Filled;
use crate::keys::{self, secret};
use crate::load::Load;
use crate::turns::Server;
use crate::yardstick::{Running, Yardstick};

/// Servers that stay for all tables.
pub(crate) struct Stage {
    decoding: Running,
    floor: Running,
    many_threads: Running,
    embedded: Filled,
    on_redis: Filled,
    _realms: tempfile::TempDir,
}

impl Stage {
    /// With so many keys; the first of them is the hot one.
    pub(crate) fn set(runtime: &Runtime, keys: usize) -> Self {
        let realms = keys::realm();
        let (embedded, on_redis) = (Filled::embedded(runtime, realms.path(), keys), Filled::redis(runtime, realms.path(), keys));
        let [decoding, floor, many_threads] = [Yardstick::ConstantOk, Yardstick::NoDecode, Yardstick::ManyThreads].map(Yardstick::start);
        Self { decoding, floor, many_threads, embedded, on_redis, _realms: realms }
    }

    /// The yardsticks first.
    pub(crate) fn servers(&self, runtime: &Runtime, connections: usize) -> Vec<Server> {
        let server = |name, pid, address, stores| {
            let load = runtime.block_on(Load::new(address, &secret(0), connections));
            Server::new(name, pid, load, stores)
        };
        vec![
            server("constant OK, decodes the whole request", self.decoding.pid(), self.decoding.address, vec![]),
            server("constant OK, decodes nothing", self.floor.pid(), self.floor.address, vec![]),
            server("constant OK, decodes; many threads", self.many_threads.pid(), self.many_threads.address, vec![]),
            server("keyward, embedded store", self.embedded.keyward.pid(), self.embedded.keyward.envoy, vec![]),
            server("keyward, Redis", self.on_redis.keyward.pid(), self.on_redis.keyward.envoy, self.on_redis.redis_pid()),
        ]
    }
}
