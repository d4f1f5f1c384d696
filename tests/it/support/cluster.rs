//! A Cluster of three primaries, all of them a test's own, on ports of the loopback interface that the kernel chose.

use std::collections::BTreeSet;
use std::time::Duration;

use keyward::store::redis::{Place, Settings};
use redis::cmd;

use super::eventually;
use super::redis::RedisServer;

/// Of hash slots.
const SLOTS: usize = 16_384;

/// Runs until dropped.
pub struct Cluster {
    pub nodes: Vec<(RedisServer, u16)>,
}

impl Cluster {
    /// Waits until every node knows who has which slot.
    pub fn start() -> Self {
        let arguments = ["--aclfile", "", "--masteruser", "", "--min-replicas-to-write", "0", "--cluster-enabled", "yes"];
        let arguments = [&arguments[..], &["--cluster-node-timeout", "1000", "--cluster-port"]].concat();
        let nodes: Vec<_> = (0..3).map(|_| with_a_port_for_the_others(&arguments)).collect();
        for (at, (server, ..)) in nodes.iter().enumerate() {
            let (first, last) = (at * SLOTS / 3, (at + 1) * SLOTS / 3 - 1);
            server.ask::<()>(&format!("CLUSTER ADDSLOTSRANGE {first} {last}"));
            server.ask::<()>(&format!("CLUSTER SET-CONFIG-EPOCH {}", at + 1));
        }
        for (_, port, bus) in &nodes[1..] {
            nodes[0].0.ask::<()>(&format!("CLUSTER MEET 127.0.0.1 {port} {bus}"));
        }
        let all = Self { nodes: nodes.into_iter().map(|(server, port, _)| (server, port)).collect() };
        for (server, _) in &all.nodes {
            eventually("a node knows the whole Cluster", || {
                let told: String = server.ask("CLUSTER INFO");
                (told.contains("cluster_state:ok") && told.contains("cluster_known_nodes:3")).then_some(())
            });
        }
        all
    }

    /// Settings of a store on it that is patient with a busy machine. Nobody follows these nodes.
    pub fn settings(&self) -> Settings {
        let urls = self.nodes.iter().map(|(_, port)| format!("redis://127.0.0.1:{port}")).collect();
        let (connect_timeout, timeout) = (Duration::from_secs(2), Duration::from_secs(2));
        Settings { connect_timeout, timeout, ..Settings::new(Place::Cluster { urls }) }
    }

    /// The node that has the slot of this name.
    pub fn node_of(&self, name: &str) -> usize {
        let slot: usize = self.nodes[0].0.ask(&format!("CLUSTER KEYSLOT {name}"));
        let has = |server: &RedisServer| {
            let id: String = server.ask("CLUSTER MYID");
            let told: String = server.ask("CLUSTER NODES");
            let own = told.lines().find(|line| line.starts_with(&id)).unwrap().to_owned();
            own.split(' ').skip(8).any(|range| {
                let (first, last) = range.split_once('-').unwrap_or((range, range));
                first.parse::<usize>().is_ok_and(|first| first <= slot) && last.parse::<usize>().is_ok_and(|last| slot <= last)
            })
        };
        self.nodes.iter().position(|(server, _)| has(server)).expect("a node has the slot")
    }

    /// Moves the slot of this name, and what is in it, to another node.
    pub fn move_slot(&self, name: &str, to: usize) {
        let from = self.node_of(name);
        let slot: u16 = self.nodes[0].0.ask(&format!("CLUSTER KEYSLOT {name}"));
        let id = |at: usize| self.nodes[at].0.ask::<String>("CLUSTER MYID");
        self.nodes[to].0.ask::<()>(&format!("CLUSTER SETSLOT {slot} IMPORTING {}", id(from)));
        self.nodes[from].0.ask::<()>(&format!("CLUSTER SETSLOT {slot} MIGRATING {}", id(to)));
        let names: Vec<String> = self.nodes[from].0.ask(&format!("CLUSTER GETKEYSINSLOT {slot} 10000"));
        if !names.is_empty() {
            let mut migrate = cmd("MIGRATE");
            migrate.arg("127.0.0.1").arg(self.nodes[to].1).arg("").arg(0).arg(10_000).arg("KEYS").arg(names);
            migrate.exec(&mut self.nodes[from].0.connection()).unwrap();
        }
        for at in [to, from] {
            self.nodes[at].0.ask::<()>(&format!("CLUSTER SETSLOT {slot} NODE {}", id(to)));
        }
    }

    /// What is kept at each node.
    pub fn names(&self) -> Vec<BTreeSet<String>> {
        self.nodes.iter().map(|(server, _)| server.ask::<Vec<String>>("KEYS *").into_iter().collect()).collect()
    }
}

/// Somebody else may take either port first.
fn with_a_port_for_the_others(arguments: &[&str]) -> (RedisServer, u16, u16) {
    let bus = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let bus_text = bus.to_string();
    let (server, port) = RedisServer::shipped_on_a_port("replicated.conf", &[arguments, &[&bus_text]].concat());
    (server, port, bus)
}
