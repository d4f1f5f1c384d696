//! The real server and its command line, on both stores.

use std::net::SocketAddr;

use serde_json::Value;

use crate::support::check;
use crate::support::eventually;
use crate::support::keyward::{Keyward, Made, NewKey, Store};
use crate::support::redis::RedisServer;

const REALM: &str = "
realm: plain
hosts: [plain.test]
https: any
credentials: [{header: x-api-key}]
keys: [{prefix: pl_, alphabet: hex, length: 40}]
scopes: [write]
routes: [{prefix: /write, scopes: [write]}, {prefix: /}]
";

#[test]
fn the_command_line_tells_what_was_counted_on_embedded() {
    tells(&Store::Embedded);
}

#[test]
fn the_command_line_tells_what_was_counted_on_redis() {
    let redis = RedisServer::start();
    tells(&Store::Redis(&redis.url()));
}

fn tells(store: &Store<'_>) {
    let realms = realms();
    let keyward = Keyward::start(realms.path(), store);
    let key = made(&keyward);
    asks(keyward.envoy, &key.secret, "/", 12);
    asks(keyward.envoy, &key.secret, "/write", 3);
    let told = eventually("all are counted", || Some(of_key(&keyward, &key.id, &[])).filter(|told| sum(told) == 15));
    assert_eq!(told["total"], serde_json::json!({"allowed": 12, "refused": 3, "refused_by_reason": {"scope": 3}, "answered": {}}));
    assert_eq!(told["name"], format!("realms/plain/keys/{}", key.id));
    let points = told["points"].as_array().unwrap();
    assert_eq!(points.iter().map(|point| point["counts"]["allowed"].as_u64().unwrap()).sum::<u64>(), 12);
    assert_eq!(told["secrets"][0]["number"], 1);
    assert_eq!(told["secrets"][0]["last_use"], told["last_use"]);
    let days = of_key(&keyward, &key.id, &["--days", "2"]);
    assert_eq!(days["total"], told["total"]);
    let owner = keyward.cli(&["owners", "usage", "--realm", "plain", "acme", "--minutes", "120", "--output", "json"]);
    assert_eq!(owner["total"], told["total"]);
    let shown = keyward.get_key("plain", &key.id);
    assert_eq!(shown["key"]["secrets"][0]["last_use_time"], told["last_use"]["time"]);
    let table = keyward.run(&["keys", "usage", "--realm", "plain", &key.id], "");
    let table = String::from_utf8(table.stdout).unwrap();
    assert!(table.contains("12 allowed, 3 refused: scope=3") || points.len() > 1, "{table}");
    let nobody = keyward.run(&["keys", "usage", "--realm", "plain", "key_none"], "");
    assert!(!nobody.status.success() && String::from_utf8_lossy(&nobody.stderr).contains("key_none"));
}

#[test]
fn two_replicas_add_up_and_a_clean_stop_leaves_nothing_behind() {
    let (redis, realms) = (RedisServer::start(), realms());
    let url = redis.url();
    let (named, both) = (|name: &'static str| move |config: String| config + &format!("replica: {name}\n"), Store::Redis(&url));
    let mut first = Keyward::start_edited(realms.path(), &both, named("first"));
    let mut second = Keyward::without_token(realms.path(), &both, named("second"));
    let key = made(&first);
    asks(first.envoy, &key.secret, "/", 20);
    asks(second.envoy, &key.secret, "/", 22);
    second.stop();
    let told = eventually("all are counted", || Some(of_key(&first, &key.id, &[])).filter(|told| sum(told) == 42));
    assert_eq!(told["total"]["allowed"], 42);
    asks(first.envoy, &key.secret, "/", 8);
    first.stop();
    assert_eq!(redis_days(&redis, &key.id), "0:50", "what was counted last is there at once");
}

fn realms() -> tempfile::TempDir {
    let realms = tempfile::tempdir().unwrap();
    std::fs::write(realms.path().join("plain.yaml"), REALM).unwrap();
    realms
}

fn made(keyward: &Keyward) -> Made {
    keyward.create_owner("plain", "acme", None);
    keyward.create_key("plain", &NewKey { owner: "acme", label: "one", ..NewKey::default() })
}

/// Every one is answered.
fn asks(envoy: SocketAddr, secret: &str, path: &str, count: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut checks = check::connect(envoy).await;
        for _ in 0..count {
            checks.check(check::request("GET", "plain.test", path, &[("x-api-key", secret)])).await.unwrap();
        }
    });
}

fn of_key(keyward: &Keyward, key: &str, more: &[&str]) -> Value {
    keyward.cli(&[&["keys", "usage", "--realm", "plain", key, "--output", "json"], more].concat())
}

fn sum(told: &Value) -> u64 {
    told["total"]["allowed"].as_u64().unwrap() + told["total"]["refused"].as_u64().unwrap()
}

/// What a key's text of days has, of all of them.
fn redis_days(redis: &RedisServer, key: &str) -> String {
    let names: Vec<String> = redis.ask(&format!("KEYS kw:1:{{plain/acme}}:d:*/{key}"));
    let text: String = redis.ask(&format!("GET {}", names[0]));
    text.split(' ').next_back().unwrap().to_owned()
}
