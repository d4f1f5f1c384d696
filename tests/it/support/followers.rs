//! A Redis that others follow, without anybody who would promote one of them.

use super::eventually;
use super::redis::{RedisServer, settings};
use keyward::store::redis::Settings;

/// A primary on a port, and those that follow it; all of them keep a log on disk.
pub struct Followed {
    pub primary: RedisServer,
    pub followers: Vec<RedisServer>,
}

impl Followed {
    /// `arguments`: of the primary.
    pub fn by(count: usize, arguments: &[&str]) -> Self {
        let arguments = [&["--repl-diskless-sync-delay", "0", "--appendonly", "yes"], arguments].concat();
        let (primary, port) = RedisServer::on_a_port("--port", &arguments);
        let port = port.to_string();
        let followers = (0..count).map(|_| RedisServer::with(&["--appendonly", "yes", "--replicaof", "127.0.0.1", &port])).collect();
        let followed = Self { primary, followers };
        followed.until_it_is_by(count);
        followed
    }

    /// Waits until so many follow.
    pub fn until_it_is_by(&self, count: usize) {
        let follow = || self.primary.ask::<String>("INFO replication").matches("state=online").count();
        eventually("all who follow are there", || (follow() == count).then_some(()));
    }

    /// Of a store that counts this many.
    pub fn settings(&self, replicas: u32) -> Settings {
        Settings { replicas, ..settings(self.primary.url()) }
    }
}
