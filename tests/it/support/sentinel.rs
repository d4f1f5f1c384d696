//! A primary, two replicas and three sentinels, all of them a test's own, on ports of the loopback interface that the kernel chose.

use std::collections::HashMap;
use std::fs;
use std::net::TcpListener;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use keyward::store::redis::{Place, RedisStore, Settings};
use redis::{Connection, FromRedisValue};
use tempfile::TempDir;

use super::process::Process;
use super::redis::RedisServer;
use super::{eventually, eventually_within};

/// The name that the sentinels watch the primary under.
pub const NAME: &str = "keyward";

/// For how long a failover may go on. Once one has begun, a sentinel begins no other of the same primary for twice as long
/// (<https://redis.io/docs/latest/operate/oss_and_stack/management/sentinel/>).
const FAILOVER_TIMEOUT: Duration = Duration::from_secs(6);
/// From the loss of a primary until the next loss is answered at once: the vote, up to a second that each sentinel waits more, and the pause.
pub const BETWEEN_FAILOVERS: Duration = Duration::from_secs(15);
/// On a busy machine more than one may fail.
const PATIENCE: Duration = Duration::from_mins(2);

/// A replicated Redis under watch; all of it ends when this is dropped.
pub struct Sentinels {
    pub nodes: Vec<Node>,
    watchers: Vec<Watcher>,
}

/// A Redis.
pub struct Node {
    pub server: RedisServer,
    /// The port that it is known by: its own, or that of what stands before it.
    pub port: u16,
}

/// How to start them.
pub struct Plan<'a> {
    /// How long a primary says nothing before it is taken for dead.
    pub down_after: Duration,
    /// Of every node, beside deploy/redis/replicated.conf.
    pub arguments: Vec<String>,
    /// Further lines of a sentinel's file; `NAME` stands for the name.
    pub lines: Vec<String>,
    /// Puts something before a node's port, and says by which port the others are to know the node then.
    pub front: Box<dyn FnMut(u16) -> u16 + 'a>,
}

struct Watcher {
    process: Process,
    port: u16,
    folder: TempDir,
}

impl Default for Plan<'_> {
    fn default() -> Self {
        let arguments = ["--aclfile", "", "--masteruser", "", "--repl-diskless-sync-delay", "0"].map(String::from).into();
        Self { down_after: Duration::from_secs(1), arguments, lines: Vec::new(), front: Box::new(|port| port) }
    }
}

impl Sentinels {
    /// Waits until all replicas follow and all sentinels know one another.
    pub fn start() -> Self {
        Self::with(Plan::default())
    }

    pub fn with(mut plan: Plan<'_>) -> Self {
        let nodes: Vec<Node> = (0..3).map(|_| plan.node()).collect();
        for node in &nodes[1..] {
            node.server.ask::<()>(&format!("REPLICAOF 127.0.0.1 {}", nodes[0].port));
        }
        let mut all = Self { nodes, watchers: Vec::new() };
        all.until_followed(0, 2);
        all.watchers = (0..3).map(|_| plan.watcher(all.nodes[0].port)).collect();
        let know = |watcher: &Watcher| {
            let known = watcher.tells()?;
            (known["num-other-sentinels"] == "2" && known["num-slaves"] == "2").then_some(())
        };
        for watcher in &all.watchers {
            eventually("a sentinel knows all", || know(watcher));
        }
        all
    }

    /// A store that asks the sentinels, and is patient with a busy machine.
    pub fn store(&self) -> Arc<RedisStore> {
        Arc::new(RedisStore::connect(&self.settings()).unwrap())
    }

    pub fn settings(&self) -> Settings {
        let place = Place::Sentinel { urls: self.urls(), master: NAME.into() };
        let (connect_timeout, timeout) = (Duration::from_secs(2), Duration::from_secs(2));
        Settings { connect_timeout, timeout, ..Settings::new(place) }
    }

    /// Where the sentinels are asked.
    pub fn urls(&self) -> Vec<String> {
        self.watchers.iter().map(|watcher| format!("redis://127.0.0.1:{}", watcher.port)).collect()
    }

    /// The node that two sentinels agree upon and that knows it.
    pub fn primary(&self) -> usize {
        eventually_within(PATIENCE, "a primary that two sentinels name", || {
            let named: Vec<u16> = self.watchers.iter().filter_map(Watcher::names).collect();
            let port = named.iter().find(|port| named.iter().filter(|other| other == port).count() > 1)?;
            let at = self.nodes.iter().position(|node| node.port == *port)?;
            let (role,): (String,) = self.nodes[at].asks("ROLE").and_then(first)?;
            (role == "master").then_some(at)
        })
    }

    /// Lets the sentinels make another node the primary, while the one before it goes on. Says which one it is then.
    pub fn failover(&self) -> usize {
        let before = self.primary();
        eventually("a sentinel agrees to a failover", || self.watchers[0].ask::<()>(&["SENTINEL", "FAILOVER", NAME]));
        eventually_within(PATIENCE, "another primary", || Some(self.primary()).filter(|now| *now != before))
    }

    /// Ends a node as a crash would, and says who is the primary then.
    pub fn kill(&mut self, at: usize) -> usize {
        self.nodes[at].server.kill();
        self.primary()
    }

    /// Waits until so many replicas follow this node and have all that it has.
    pub fn until_followed(&self, at: usize, replicas: usize) {
        eventually_within(PATIENCE, "all follow", || {
            let told: String = self.nodes[at].asks("INFO replication")?;
            (told.matches("state=online").count() == replicas).then_some(())
        });
    }

    /// Ends a sentinel.
    pub fn kill_watcher(&mut self, at: usize) {
        self.watchers[at].process.stop();
    }
}

impl Node {
    /// Asks the server itself; nothing where it is away.
    pub fn asks<T: FromRedisValue>(&self, words: &str) -> Option<T> {
        let client = redis::Client::open(self.server.url()).unwrap();
        let mut connection = client.get_connection_with_timeout(Duration::from_secs(1)).ok()?;
        connection.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        let mut words = words.split(' ');
        let mut command = redis::cmd(words.next().unwrap());
        command.arg(words.collect::<Vec<_>>()).query(&mut connection).ok()
    }
}

impl Plan<'_> {
    fn node(&mut self) -> Node {
        let arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        let (server, own) = RedisServer::shipped_on_a_port("replicated.conf", &arguments);
        let port = (self.front)(own);
        if port != own {
            server.ask::<()>("CONFIG SET replica-announce-ip 127.0.0.1");
            server.ask::<()>(&format!("CONFIG SET replica-announce-port {port}"));
            // So that it is still so after a restart.
            server.ask::<()>("CONFIG REWRITE");
        }
        Node { server, port }
    }

    fn watcher(&self, primary: u16) -> Watcher {
        let attempt = || {
            let folder = tempfile::tempdir().unwrap();
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let lines = [
                format!("port {port}\nbind 127.0.0.1\nprotected-mode no\ndaemonize no\ndir {}", folder.path().display()),
                format!("sentinel monitor {NAME} 127.0.0.1 {primary} 2\nsentinel parallel-syncs {NAME} 2"),
                format!("sentinel down-after-milliseconds {NAME} {}", self.down_after.as_millis()),
                format!("sentinel failover-timeout {NAME} {}", FAILOVER_TIMEOUT.max(2 * self.down_after).as_millis()),
                self.lines.join("\n").replace("NAME", NAME),
            ];
            let file = folder.path().join("sentinel.conf");
            fs::write(&file, lines.join("\n") + "\n").unwrap();
            let log = folder.path().join("log");
            let process = Process::start("a sentinel", Command::new("redis-server").arg(&file).arg("--sentinel"), &log);
            let mut watcher = Watcher { process, port, folder };
            watcher.came_up().then_some(watcher)
        };
        (0..20).find_map(|_| attempt()).expect("a sentinel finds a free port")
    }
}

impl Watcher {
    /// Whether it is this process that listens on its port.
    fn came_up(&mut self) -> bool {
        let log = self.folder.path().join("log");
        eventually("a sentinel starts or gives up", || {
            let said = fs::read_to_string(&log).unwrap_or_default();
            let up = said.contains("Sentinel ID is");
            let ended = said.contains("Address already in use") || said.contains("Failed listening");
            (up || ended).then_some(up && !ended)
        })
    }

    /// The port that it names as the primary's.
    fn names(&self) -> Option<u16> {
        let (_, port): (String, String) = self.ask(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME])?;
        port.parse().ok()
    }

    fn tells(&self) -> Option<HashMap<String, String>> {
        self.ask(&["SENTINEL", "MASTER", NAME])
    }

    fn ask<T: FromRedisValue>(&self, words: &[&str]) -> Option<T> {
        redis::cmd(words[0]).arg(&words[1..]).query(&mut self.connection()?).ok()
    }

    fn connection(&self) -> Option<Connection> {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}", self.port)).unwrap();
        let connection = client.get_connection_with_timeout(Duration::from_secs(1)).ok()?;
        connection.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        Some(connection)
    }
}

/// What a list begins with.
fn first<T: FromRedisValue>(values: Vec<redis::Value>) -> Option<(T,)> {
    Some((redis::from_redis_value(values.into_iter().next()?).ok()?,))
}
