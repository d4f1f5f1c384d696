//! The part of the server's file that says where Redis is.

use std::fs;

use keyward::config::{RedisConfig, RedisPlace, StoreConfig};
use keyward::revocation::Level;

use super::server::{folder, load, problems};

/// A server's file with this in it, beside files that it may name.
fn with(redis: &str) -> tempfile::TempDir {
    let folder = folder(&format!("realms: realms\npepper_file: pepper\nstore:\n  redis: {redis}\n"));
    for (name, text) in [
        ("password", "hush\n"),
        ("empty", "\n"),
        ("urls", "redis://a:1\n\nredis://b:2\n"),
        ("mixed", "redis://a:1\nrediss://b:2"),
        ("pem", "-----BEGIN CERTIFICATE-----\nhush\n-----END CERTIFICATE-----\n"),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn read(redis: &str) -> RedisConfig {
    let StoreConfig::Redis(redis) = load(with(redis).path()).store else { panic!("redis") };
    *redis
}

/// Demands exactly these problems, all at once.
fn refused(redis: &str, says: &[&str]) {
    let found = problems(with(redis).path());
    let all = found.len() == says.len() && found.iter().zip(says).all(|(found, says)| found.contains(says));
    assert!(all, "{redis}: expected {says:#?}, and found {found:#?}");
    assert!(found.iter().all(|found| !found.contains("hush")), "{found:?}");
}

#[test]
fn a_redis_is_one_or_behind_sentinels_or_a_cluster() {
    let urls: Vec<String> = ["redis://a:1", "redis://b:2"].map(String::from).into();
    let place = |redis: &str| read(redis).place;
    assert!(place("{url: \"unix:///s\"}") == RedisPlace::Single { url: "unix:///s".into() });
    for list in ["urls: [\"redis://a:1\", \"redis://b:2\"]", "urls_file: urls"] {
        let sentinel = RedisPlace::Sentinel { urls: urls.clone(), master: "keyward".into() };
        assert!(place(&format!("{{sentinel: {{{list}, master: keyward}}, replicas: 2}}")) == sentinel);
        assert!(place(&format!("{{cluster: {{{list}}}, replicas: 1}}")) == RedisPlace::Cluster { urls: urls.clone() });
    }
    refused("{}", &["store.redis: must have `url`, `url_file`, `sentinel` or `cluster`"]);
    refused("{url: \"redis://a\", cluster: {urls: [\"redis://a\"]}}", &["store.redis.cluster: is one too many"]);
    refused("{cluster: {urls: []}, replicas: 1}", &["store.redis.cluster.urls: is empty"]);
    refused("{cluster: {urls_file: empty}, replicas: 1}", &["store.redis.cluster.urls_file: names a file that holds no URL"]);
    refused("{cluster: {urls: [\"unix:///hush\"]}, replicas: 1}", &["store.redis.cluster.urls[0]: must give URLs that begin with"]);
    refused("{cluster: {urls_file: mixed}, replicas: 1}", &["store.redis.cluster.urls_file: must all begin with redis:// or all with"]);
    refused("{sentinel: {urls_file: urls}, replicas: 2}", &["store.redis.sentinel.master: is missing"]);
    refused("{sentinel: {urls_file: urls, master: \"\"}, replicas: 2}", &["store.redis.sentinel.master: must be the name"]);
}

#[test]
fn redis_is_asked_for_a_level_and_the_highest_needs_to_know_how_many_nodes() {
    let stands = |more: &str| {
        let redis = read(&format!("{{url: \"redis://a\"{more}}}"));
        (redis.level, redis.replicas)
    };
    assert_eq!(stands(""), (None, 0));
    assert_eq!(stands(", replicas: 2"), (None, 2));
    assert_eq!(stands(", level: volatile"), (Some(Level::Volatile), 0));
    assert_eq!(stands(", level: single"), (Some(Level::Single), 0));
    assert_eq!(stands(", level: replicated, replicas: 2"), (Some(Level::Replicated), 2));
    let several = read("{cluster: {urls_file: urls}, replicas: 2}");
    assert_eq!((several.level, several.replicas), (Some(Level::Replicated), 2), "several nodes are there to survive one");
    assert_eq!(read("{cluster: {urls_file: urls}, level: single}").level, Some(Level::Single));
    for (redis, says) in [
        ("{url: \"redis://a\", level: replicated}", "store.redis.replicas: must say how many nodes"),
        ("{url: \"redis://a\", level: replicated, replicas: 0}", "store.redis.replicas: must say how many nodes"),
        ("{url: \"redis://a\", level: quorum}", "store.redis.level: must be `volatile`, `single` or `replicated`"),
        ("{url: \"redis://a\", replicas: -1}", "store.redis.replicas: must be a number from 0 to 100"),
        ("{cluster: {urls_file: urls}}", "store.redis.replicas: must say how many nodes"),
        ("{sentinel: {urls_file: urls, master: m}}", "store.redis.replicas: must say how many nodes"),
    ] {
        refused(redis, &[says]);
    }
}

#[test]
fn users_and_certificates_may_be_in_files() {
    let redis = read("{url: \"rediss://a\", user: {name: check, password: hush}, admin: {name: admin, password_file: password}}");
    let (user, admin) = (redis.user.unwrap(), redis.admin.unwrap());
    assert_eq!((user.name.as_str(), user.password.as_str()), ("check", "hush"));
    assert_eq!((admin.name.as_str(), admin.password.as_str()), ("admin", "hush"));
    let tls = read("{url: \"rediss://a\", tls: {ca: pem, certificate: pem, key: pem}}").tls.unwrap();
    assert!(tls.authority.is_some_and(|pem| pem.starts_with(b"-----BEGIN")) && tls.own.is_some());
    let own_only = read("{cluster: {urls: [\"rediss://a\"]}, replicas: 1, tls: {certificate: pem, key: pem}}").tls.unwrap();
    assert!(own_only.authority.is_none() && own_only.own.is_some());
    for (more, says) in [
        ("user: {name: check}", "store.redis.user: must have `password` or `password_file`"),
        ("user: {name: \"\", password: hush}", "store.redis.user.name: must be the name"),
        ("user: {password: hush}", "store.redis.user.name: is missing"),
        ("admin: {name: admin, password_file: empty}", "store.redis.admin.password_file: is empty"),
        ("admin: {name: admin, password_file: gone}", "store.redis.admin.password_file: "),
        ("tls: {ca: password}", "store.redis.tls.ca: names a file that is not PEM"),
        ("tls: {certificate: pem}", "store.redis.tls.key: is missing"),
        ("tls: {key: pem}", "store.redis.tls.certificate: is missing"),
    ] {
        refused(&format!("{{url: \"rediss://a\", {more}}}"), &[says]);
    }
    refused("{url: \"redis://a\", tls: {ca: pem}}", &["store.redis.tls: is of use only where URLs begin with rediss://"]);
}

#[test]
fn every_problem_of_redis_is_told_at_once() {
    refused(
        "{url: \"http://u:hush@a\", user: {nme: check, password: hush}, tls: {ca: password}, level: all, timeout: 1ms, replica: 2}",
        &[
            "store.redis.level: ",
            "store.redis.replica: is no key here",
            "store.redis.timeout: ",
            "store.redis.tls.ca: ",
            "store.redis.url: ",
            "store.redis.user.name: is missing",
            "store.redis.user.nme: is no key here",
        ],
    );
}
