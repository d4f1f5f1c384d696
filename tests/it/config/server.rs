//! The server's file.

use std::fs;
use std::path::Path;
use std::time::Duration;

use keyward::config::{self, Config, Endpoint, RedisPlace, ReplicaConfig, StoreConfig, Tls};
use keyward::domain::actor::{Certified, San};
use keyward::domain::name::Scope;
use keyward::domain::record::Binding;
use keyward::domain::retention::Retention;

use super::{VALID, with};

const EMBEDDED: &str = "realms: realms\nstore:\n  embedded: {folder: data}\n";
const REDIS: &str = "realms: realms\npepper_file: pepper\nstore:\n  redis: {url: \"redis://user:hush@127.0.0.1:6379\"}\n";

/// A folder with one realm and this server file.
pub(super) fn folder(text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("realms")).unwrap();
    fs::write(folder.path().join("realms/example.yaml"), VALID).unwrap();
    fs::write(folder.path().join("keyward.yaml"), text).unwrap();
    folder
}

pub(super) fn load(folder: &Path) -> Config {
    config::load(&folder.join("keyward.yaml")).unwrap()
}

/// Every problem, files without their folder.
pub(super) fn problems(folder: &Path) -> Vec<String> {
    let problems = config::load(&folder.join("keyward.yaml")).unwrap_err().to_string().replace(&format!("{}/", folder.display()), "");
    problems.lines().map(str::to_owned).collect()
}

pub(super) fn refused(text: &str, says: &str) {
    let found = problems(folder(text).path());
    assert!(found.len() == 1 && found[0].contains(says), "expected …{says}…, and found {found:#?}");
}

#[test]
fn the_least_that_a_server_says_is_enough_and_its_paths_begin_at_its_file() {
    let folder = folder(EMBEDDED);
    let config = load(folder.path());
    assert_eq!(config.store, StoreConfig::Embedded { folder: folder.path().join("data") });
    assert_eq!(config.realms.iter().count(), 2);
    let listen = config.listen;
    assert_eq!(listen.envoy, Endpoint { address: "0.0.0.0:50051".parse().unwrap(), tls: None });
    assert_eq!(listen.admin, Endpoint { address: "127.0.0.1:50052".parse().unwrap(), tls: None });
    assert_eq!((listen.http.to_string().as_str(), listen.envoy_secret_file), ("0.0.0.0:9102", None));
    assert_eq!((config.check_deadline, config.checks_at_once, listen.envoy_connections), (Duration::from_millis(150), 4096, 4096));
    let replica = ReplicaConfig { name: None, lease: Duration::from_secs(5), memory: 256 << 20, max_age: Duration::from_mins(10) };
    assert_eq!(config.replica, replica);
    assert_eq!((config.pepper_file, config.bootstrap_file, config.otlp_endpoint), (None, None, None));
}

#[test]
fn every_value_of_a_servers_file_arrives() {
    let text = r#"
realms: [realms/example.yaml]
store:
  redis: {url_file: redis-url, timeout: 20ms, connect_timeout: 2s}
pepper_file: /secrets/pepper
bootstrap_file: bootstrap
listen:
  envoy: {address: "127.0.0.1:1", secret_file: secret, connections: 100, tls: {certificate: cert.pem, key: key.pem, client_ca: ca.pem}}
  admin: {address: "[::1]:2", tls: {certificate: cert.pem, key: key.pem, client_ca: ca.pem}}
  http: {address: "127.0.0.1:3"}
admin:
  identities:
    - {san: "spiffe://mesh/ns/ops/sa/portal", roles: [issuer, revoker], bound_to: realms/example/owners/acme}
    - {san: Ops.Example.com, roles: [admin]}
replica: keyward-7.pod
lease: 2s
records: {memory: 64MiB, max_age: 30s}
check_deadline: 100ms
checks_at_once: 500
leave: 3s
otlp_endpoint: http://collector:4317
"#;
    let folder = folder(text);
    fs::write(folder.path().join("redis-url"), "rediss://example.com/1\n").unwrap();
    let config = load(folder.path());
    let at = |name: &str| folder.path().join(name);
    let StoreConfig::Redis(redis) = config.store else { panic!("redis") };
    let RedisPlace::Single { url } = redis.place else { panic!("one") };
    assert_eq!((url.as_str(), redis.timeout.as_millis(), redis.connect_timeout.as_millis()), ("rediss://example.com/1", 20, 2000));
    assert_eq!((config.pepper_file.unwrap(), config.bootstrap_file.unwrap()), ("/secrets/pepper".into(), at("bootstrap")));
    let tls = |client_ca| Some(Tls { certificate: at("cert.pem"), key: at("key.pem"), client_ca });
    assert_eq!(config.listen.envoy, Endpoint { address: "127.0.0.1:1".parse().unwrap(), tls: tls(Some(at("ca.pem"))) });
    assert_eq!(config.listen.admin, Endpoint { address: "[::1]:2".parse().unwrap(), tls: tls(Some(at("ca.pem"))) });
    assert_eq!((config.listen.envoy_secret_file.unwrap(), config.listen.http.port()), (at("secret"), 3));
    let certified = |san: &str, scopes: &[&str], binding: Option<&str>| Certified {
        san: San::parse(san).unwrap(),
        scopes: scopes.iter().map(|scope| Scope::parse(scope).unwrap()).collect(),
        binding: binding.map(|binding| Binding::parse(binding).unwrap()),
    };
    let portal = certified("spiffe://mesh/ns/ops/sa/portal", &["issuer", "revoker"], Some("realms/example/owners/acme"));
    assert_eq!(config.certified, [portal, certified("ops.example.com", &["admin"], None)]);
    assert_eq!((config.checks_at_once, config.listen.envoy_connections, config.leave.as_secs()), (500, 100, 3));
    let replica = ReplicaConfig {
        name: Some("keyward-7.pod".into()),
        lease: Duration::from_secs(2),
        memory: 64 << 20,
        max_age: Duration::from_secs(30),
    };
    assert_eq!(config.replica, replica);
    assert_eq!((config.check_deadline.as_millis(), config.otlp_endpoint.unwrap().as_str()), (100, "http://collector:4317"));
}

#[test]
fn what_has_ended_is_kept_for_ever_or_for_a_span_of_an_hour_to_ten_years() {
    let kept = |text: &str| load(folder(&format!("{EMBEDDED}retention: {text}\n")).path()).retention;
    let days = |days: u64| Some(Duration::from_hours(24 * days));
    assert_eq!(load(folder(EMBEDDED).path()).retention, Retention::default());
    assert_eq!(kept("{audit: 730d, revoked_keys: 90d}"), Retention { audit: days(730), revoked_keys: days(90) });
    assert_eq!(kept("{audit: forever, revoked_keys: 48h}"), Retention { audit: None, revoked_keys: days(2) });
    for (wrong, says) in [
        ("{audit: 59m}", "keyward.yaml:4: retention.audit: must be a time from 1h to 3660d, such as 24h or 90d"),
        ("{revoked_keys: never}", "keyward.yaml:4: retention.revoked_keys: must be a time"),
        ("{usage: 1d}", "keyward.yaml:4: retention.usage: is no key here"),
    ] {
        refused(&format!("{EMBEDDED}retention: {wrong}\n"), says);
    }
}

#[test]
fn redis_has_its_usual_times_and_needs_a_pepper_that_replicas_share() {
    let StoreConfig::Redis(redis) = load(folder(REDIS).path()).store else { panic!("redis") };
    assert_eq!((redis.timeout.as_millis(), redis.connect_timeout.as_millis()), (50, 1000));
    assert_eq!(format!("{redis:?}"), "RedisConfig(..)");
    refused(&REDIS.replace("pepper_file: pepper\n", ""), "keyward.yaml:1: pepper_file: is missing");
}

#[test]
fn a_store_is_one_of_two_and_its_url_is_never_shown() {
    refused("realms: realms\n", "keyward.yaml:1: store: is missing");
    refused("realms: realms\nstore: {}\n", "store: must have `embedded` or `redis`");
    refused("realms: realms\nstore: {embedded: {folder: a}, redis: {url: b}}\n", "store.redis: is one too many");
    refused("realms: realms\nstore: {embedded: {folder: \"\"}}\n", "store.embedded.folder: must be a path");
    for url in ["http://hush", "hush", "redis://"] {
        let found = problems(folder(&REDIS.replace("redis://user:hush@127.0.0.1:6379", url)).path());
        assert_eq!(found, ["keyward.yaml:4: store.redis.url: must give a URL that begins with redis://, rediss:// or unix://"]);
    }
    refused(&REDIS.replace("{url:", "{url_file: gone, url:"), "store.redis.url_file: is one too many");
    refused(&REDIS.replace("url: \"redis://user:hush@127.0.0.1:6379\"", "url_file: gone"), "store.redis.url_file: ");
    refused(&REDIS.replace("6379\"", "6379\", timeout: 0ms"), "store.redis.timeout: must be a time from 5ms to 5s");
}

#[test]
fn a_lease_outlasts_five_calls_to_redis() {
    let slow = REDIS.replace("6379\"", "6379\", timeout: 1s");
    let with = |text: &str, lease: &str| format!("{text}check_deadline: 5s\nlease: {lease}\n");
    refused(&with(&slow, "4s"), "keyward.yaml:6: lease: must be at least 5s, five times the timeout of redis, which is 1s");
    load(folder(&with(&slow, "5s")).path());
    load(folder(&with(REDIS, "1s")).path());
    load(folder(&with(EMBEDDED, "1s")).path());
    refused(&with(EMBEDDED, "999ms"), "lease: must be a time from 1s to 1m");
    refused(&with(EMBEDDED, "61s"), "lease: must be a time from 1s to 1m");
}

#[test]
fn a_replica_has_a_name_of_few_letters_and_a_memory_with_a_unit() {
    for name in ["\"\"", "a:b", "a/b", "a b", &"x".repeat(65)] {
        refused(&format!("{EMBEDDED}replica: {name}\n"), "replica: must be 1 to 64 of A-Z a-z 0-9 . _ -");
    }
    refused(
        &format!("{EMBEDDED}records: {{memory: 256MB}}\n"),
        "records.memory: must be an amount from 1MiB to 1024GiB, such as 256MiB or 2GiB",
    );
    refused(&format!("{EMBEDDED}records: {{memory: 1KiB}}\n"), "records.memory: must be an amount");
    refused(&format!("{EMBEDDED}records: {{max_age: 0s}}\n"), "records.max_age: must be a time from 1s to 24h");
}

#[test]
fn what_may_be_there_at_once_is_a_number_of_something() {
    for number in ["0", "-1", "1000001", "many", "1.5"] {
        refused(&format!("{EMBEDDED}checks_at_once: {number}\n"), "keyward.yaml:4: checks_at_once: must be a number from 1 to 1000000");
        let port = format!("{EMBEDDED}listen: {{envoy: {{connections: {number}}}}}\n");
        refused(&port, "keyward.yaml:4: listen.envoy.connections: must be a number from 1 to 1000000");
    }
    refused(&format!("{EMBEDDED}listen: {{admin: {{connections: 5}}}}\n"), "listen.admin.connections: ");
}

#[test]
fn a_check_has_time_to_ask_redis_twice() {
    let slow = REDIS.replace("6379\"", "6379\", timeout: 150ms");
    refused(&slow, "keyward.yaml:1: check_deadline: must be above twice the timeout of redis, which is 150ms");
    refused(
        &format!("{REDIS}check_deadline: 50ms\n"),
        "keyward.yaml:5: check_deadline: must be above twice the timeout of redis, which is 50ms",
    );
    load(folder(&format!("{slow}check_deadline: 301ms\n")).path());
    for deadline in ["9ms", "11s", "1"] {
        refused(&format!("{EMBEDDED}check_deadline: {deadline}\n"), "keyward.yaml:4: check_deadline: must be");
    }
}

#[test]
fn ports_are_addresses_that_no_two_share() {
    let listen = |text: &str, says: &str| refused(&format!("{EMBEDDED}listen: {text}\n"), says);
    listen("{admin: {address: localhost}}", "listen.admin.address: must be an address and a port");
    listen("{http: {address: 9102}}", "listen.http.address: must be text");
    listen("{http: {address: \"127.0.0.1:50052\"}}", "listen: gives two ports one address");
    listen("{http: {address: \"127.0.0.1:1\", tls: {}}}", "listen.http.tls: is no key here");
    listen("{envoy: {tls: {certificate: a}}}", "listen.envoy.tls.key: is missing");
    listen("{grpc: {}}", "listen.grpc: is no key here");
    let any = "{envoy: {address: \"127.0.0.1:0\"}, admin: {address: \"127.0.0.1:0\"}, http: {address: \"127.0.0.1:0\"}}";
    load(folder(&format!("{EMBEDDED}listen: {any}\n")).path());
}

#[test]
fn who_is_let_in_by_a_certificate_has_a_name_of_its_own_and_roles_and_is_asked_for_it() {
    let tls = "listen: {admin: {tls: {certificate: c, key: k, client_ca: ca}}}";
    let says = |identities: &str, says: &str| refused(&format!("{EMBEDDED}{tls}\nadmin: {{identities: {identities}}}\n"), says);
    let ops = "san: ops.example.com, roles: [admin]";
    says(&format!("[{{{ops}, role: admin}}]"), "keyward.yaml:5: admin.identities[0].role: is no key here: did you mean `roles`?");
    says("[{roles: [admin]}]", "admin.identities[0].san: is missing");
    says("[{san: ops.example.com}]", "admin.identities[0].roles: is missing");
    says("[{san: ops.example.com, roles: []}]", "admin.identities[0].roles: is empty");
    says("[{san: ops.example.com, roles: [owner]}]", "admin.identities[0].roles[0]: must be `viewer`, `issuer`, `revoker` or `admin`");
    says("[{san: ops.example.com, roles: [viewer, viewer]}]", "admin.identities[0].roles[1]: stands here twice");
    says("[{san: \"*.example.com\", roles: [viewer]}]", "admin.identities[0].san: must be a DNS name");
    says("[{san: \"spiffe://a b\", roles: [viewer]}]", "admin.identities[0].san: must be a URI");
    says(&format!("[{{{ops}}}, {{san: OPS.example.com, roles: [viewer]}}]"), "admin.identities[1]: has a `san` that stands here twice");
    says(
        &format!("[{{{ops}, bound_to: example}}]"),
        "admin.identities[0].bound_to: must be `realms/{realm}` or `realms/{realm}/owners/{owner}`",
    );
    says(&format!("[{{{ops}, bound_to: realms/exmaple}}]"), "admin.identities[0].bound_to: must be a realm, or an owner of one");
    says(&format!("[{{{ops}, bound_to: realms/keyward}}]"), "admin.identities[0].bound_to: must not be the realm keyward");
    for unasked in ["", "listen: {admin: {tls: {certificate: c, key: k}}}"] {
        let text = format!("{EMBEDDED}{unasked}\nadmin: {{identities: [{{{ops}}}]}}\n");
        refused(&text, "keyward.yaml:5: admin.identities: lets nobody in: without `client_ca` in `listen.admin.tls`");
    }
    load(folder(&format!("{EMBEDDED}{tls}\nadmin: {{identities: [{{{ops}, bound_to: realms/example}}]}}\n")).path());
    load(folder(&format!("{EMBEDDED}admin: {{identities: []}}\n")).path());
}

#[test]
fn the_problems_of_realm_files_come_with_those_of_the_servers_file() {
    let folder = folder(&format!("{EMBEDDED}check_dedline: 1s\notlp_endpoint: collector:4317\n"));
    fs::write(folder.path().join("realms/example.yaml"), with("cost: 5", "cost: 0")).unwrap();
    let found = problems(folder.path());
    let starts =
        ["keyward.yaml:4: check_dedline: is no key here", "keyward.yaml:5: otlp_endpoint: must be a URL", "realms/example.yaml:31:"];
    assert_eq!(found.len(), starts.len(), "{found:#?}");
    for (found, start) in found.iter().zip(starts) {
        assert!(found.starts_with(start), "{found}");
    }
    assert!(config::load(Path::new("/nowhere/keyward.yaml")).unwrap_err().to_string().starts_with("/nowhere/keyward.yaml: cannot be read"));
    refused("realms: []\nstore: {embedded: {folder: data}}\n", "keyward.yaml:1: realms: is empty");
    refused("realms: gone\nstore: {embedded: {folder: data}}\n", "gone: cannot be read");
}
