//! What a server remembers of keys, as Redis sees it: its look-ups are counted where they are made.

use std::io::{BufRead, BufReader, Write as _};
use std::os::unix::net::UnixStream;

use envoy_types::pb::envoy::service::auth::v3::CheckRequest;

use super::server;
use crate::support::check;
use crate::support::keyward::{Keyward, NewKey, Store};
use crate::support::redis::RedisServer;

/// Enough for a busy machine, and so few renewals that none gets in the way.
#[expect(clippy::needless_pass_by_value, reason = "what edits a configuration")]
fn patient(config: String) -> String {
    config.replace("redis: {url", "redis: {timeout: 4s, url") + "check_deadline: 10s\nlease: 60s\n"
}

fn request(secret: &str) -> CheckRequest {
    check::request("GET", "plain.test", "/", &[("x-api-key", secret)])
}

/// Everything that a Redis is told to do, from now on.
struct Monitor(BufReader<UnixStream>);

impl Monitor {
    fn of(redis: &RedisServer) -> Self {
        let mut stream = UnixStream::connect(redis.socket()).unwrap();
        stream.write_all(b"MONITOR\r\n").unwrap();
        let mut monitor = Self(BufReader::new(stream));
        assert_eq!(monitor.line(), "+OK");
        monitor
    }

    /// How often a secret was looked up until now.
    fn look_ups(&mut self, redis: &RedisServer) -> usize {
        redis.ask::<String>("ECHO until-here");
        let lines: Vec<String> = std::iter::from_fn(|| Some(self.line()).filter(|line| !line.contains("until-here"))).collect();
        lines.iter().filter(|line| line.contains("lua]") && line.contains("\"HGET\"") && line.contains("digests")).count()
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        assert!(self.0.read_line(&mut line).unwrap() > 0, "Redis closed the connection");
        line.trim_end().to_owned()
    }
}

fn new_key(keyward: &Keyward) -> String {
    keyward.create_key("plain", &NewKey { owner: "acme", label: "another", ..NewKey::default() }).secret
}

fn calls(redis: &RedisServer) -> usize {
    let stats: String = redis.ask("INFO commandstats");
    let line = stats.lines().find_map(|line| line.strip_prefix("cmdstat_evalsha:calls=")).unwrap();
    line.split(',').next().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_was_seen_costs_redis_nothing_where_nothing_is_limited() {
    let redis = RedisServer::start();
    let (keyward, secret) = server(&Store::Redis(&redis.url()), patient);
    let mut checks = check::connect(keyward.envoy).await;
    let mut monitor = Monitor::of(&redis);
    assert!(check::admits(checks.check(request(&secret)).await.unwrap().get_ref()));
    assert_eq!(monitor.look_ups(&redis), 1);
    let before = calls(&redis);
    for _ in 0..1000 {
        assert!(check::admits(checks.check(request(&secret)).await.unwrap().get_ref()));
    }
    assert_eq!(monitor.look_ups(&redis), 0);
    assert!(calls(&redis) - before < 20, "beside a renewal or two nothing was called");
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_checks_of_a_cold_key_are_one_look_up_and_as_many_keys_are_as_many() {
    let redis = RedisServer::start();
    let (keyward, secret) = server(&Store::Redis(&redis.url()), patient);
    let others: Vec<String> = (0..20).map(|_| new_key(&keyward)).collect();
    let mut connections = Vec::new();
    for _ in 0..10 {
        connections.push(check::connect(keyward.envoy).await);
    }
    let mut monitor = Monitor::of(&redis);
    let asked: Vec<_> = (0..10_000)
        .map(|number| {
            let (mut checks, request) = (connections[number % 10].clone(), request(&secret));
            tokio::spawn(async move { checks.check(request).await.unwrap().into_inner() })
        })
        .collect();
    for answer in asked {
        assert!(check::admits(&answer.await.unwrap()));
    }
    assert_eq!(monitor.look_ups(&redis), 1);
    for other in &others {
        assert!(check::admits(connections[0].check(request(other)).await.unwrap().get_ref()));
    }
    assert_eq!(monitor.look_ups(&redis), others.len(), "control: look-ups are seen");
}
