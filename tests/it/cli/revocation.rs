//! What the command line tells of revocations: why one holds, how to wait for one that does not yet, and how to go on after a restored backup.

use std::path::Path;

use redis::Value as Answer;
use serde_json::Value;

use super::{CREATE, json, members, message, server, text};
use crate::support::eventually;
use crate::support::keyward::{Keyward, NewKey, Store};
use crate::support::redis::RedisServer;

#[test]
fn a_revocation_prints_why_it_holds() {
    let server = server();
    server.create_owner("otesse", "acme", None);
    let name = server.cli(&[CREATE, &["--output", "json"]].concat())["key"]["name"].as_str().unwrap().to_owned();
    let active = server.run(&["revocation", "wait", &name], "");
    assert_eq!((active.status.code(), text(&active.stdout)), (Some(5), ""));
    assert!(text(&active.stderr).ends_with(&format!("hint: keyward keys revoke {name}\n")), "{}", text(&active.stderr));

    let revoked = text(&server.run(&["keys", "revoke", &name], "").stdout).to_owned();
    for (field, value) in [("level", "single"), ("acknowledged", "by 1 replica"), ("expired", "the leases of 0 replicas")] {
        let line = revoked.lines().find(|line| line.starts_with(field)).unwrap_or_else(|| panic!("no {field}: {revoked}"));
        assert!(line.ends_with(value), "{line}");
    }
    assert!(revoked.lines().any(|line| line.starts_with("waited") && line.ends_with(" ms")), "{revoked}");
    let again = server.cli(&["keys", "revoke", &name, "--output", "json"]);
    assert_eq!(members(&again["guarantee"]), message("Guarantee"));
    let (guarantee, waited) = (&again["guarantee"], again["guarantee"]["waited"].as_str().unwrap());
    assert_eq!((&guarantee["level"], &guarantee["holders_acknowledged"]), (&"single".into(), &1.into()));
    assert!(waited.strip_suffix('s').is_some_and(|number| number.parse::<f64>().is_ok()), "{waited}");
    assert_eq!(members(&server.disable_owner("otesse", "acme")), message("DisableOwnerResponse"));
    assert_eq!(members(&server.enable_owner("otesse", "acme")), message("EnableOwnerResponse"));

    let held = server.cli(&["revocation", "wait", &name, "--position", "1", "--output", "json"]);
    assert_eq!(members(&held), message("WaitRevocationResponse"));
    assert_eq!(text(&server.run(&["revocation", "wait", &name, "--output", "name"], "").stdout), format!("{name}\n"));
    let status = server.cli(&["revocation", "status", "--output", "json"]);
    assert_eq!((members(&status), members(&status["holders"][0])), (message("GetRevocationStatusResponse"), message("LeaseHolder")));
    assert_eq!((&status["level"], &status["demanded_level"]), (&"single".into(), &Value::Null));
    assert_eq!((&status["longest_lease"], &status["rolled_back"]), (&"5s".into(), &false.into()));
    let shown = server.run(&["revocation", "status"], "");
    assert!(text(&shown.stdout).lines().any(|line| line.starts_with("log") && line.ends_with("sound")) && shown.stderr.is_empty());
    let nothing = server.run(&["revocation", "resume"], "");
    assert!(nothing.status.code() == Some(5) && text(&nothing.stderr).contains("nothing to resume"), "{}", text(&nothing.stderr));
}

#[test]
fn what_is_not_guaranteed_says_how_to_wait_for_it() {
    let redis = RedisServer::durable();
    let server = on(&redis, |config| config.replace("redis: {", "redis: {level: single, "));
    server.create_owner("otesse", "acme", None);
    let name = server.cli(&[CREATE, &["--output", "json"]].concat())["key"]["name"].as_str().unwrap().to_owned();
    redis.ask::<()>("CONFIG SET appendfsync everysec");
    let lowered = server.run(&["keys", "update", &name, "--limit", "minute=5"], "");
    assert!(lowered.status.code() == Some(7) && text(&lowered.stderr).contains("hint: run it again"), "{}", text(&lowered.stderr));
    let refused = server.run(&["keys", "revoke", &name], "");
    assert_eq!((refused.status.code(), text(&refused.stdout)), (Some(7), ""));
    let says = text(&refused.stderr).to_owned();
    let hint = says.lines().find_map(|line| line.strip_prefix("hint: keyward ")).unwrap_or_else(|| panic!("{says}"));
    assert!(hint.starts_with(&format!("revocation wait {name} --position ")) && says.contains("not yet guaranteed"), "{says}");
    let line: Vec<&str> = hint.split(' ').collect();
    assert_eq!(server.run(&line, "").status.code(), Some(7), "the level is still not reached");
    redis.ask::<()>("CONFIG SET appendfsync always");
    let held = server.run(&line, "");
    assert_eq!(held.status.code(), Some(0), "{}", text(&held.stderr));
    assert_eq!(server.cli(&["revocation", "status", "--output", "json"])["demanded_level"], "single");
}

#[test]
fn a_restored_backup_is_told_and_lost_revocations_are_made_again() {
    let redis = RedisServer::start();
    let server = on(&redis, |config| config);
    server.create_owner("otesse", "acme", None);
    let key = server.create_key("otesse", &NewKey { owner: "acme", environment: Some("live"), ..NewKey::default() });
    let backup = backup(&redis);
    let position = server.revoke_key("otesse", &key.id)["position"].as_u64().unwrap();
    let status = || server.run(&["revocation", "status", "--output", "json"], "");
    // without a lease a replica answers nothing of this kind, and says so: between the backup and what is found of it, that is so for a moment
    let told = || Some(status()).filter(|output| output.status.success()).map(|output| json(&output));
    let told = |what: fn(&Value, u64) -> bool| told().filter(|status| what(status, position)).map(|_| ());
    eventually("a renewal tells of the revocation", || told(|status, position| status["position"].as_u64() >= Some(position)));
    restore(&redis, &backup);
    eventually("the log is found rolled back", || told(|status, _| status["rolled_back"] == true));

    let shown = server.run(&["revocation", "status"], "");
    assert!(text(&shown.stdout).contains("rolled back: nobody is admitted") && text(&shown.stderr).contains("keyward revocation resume"));
    assert!(server.get_key("otesse", &key.id)["key"]["revoke_time"].is_null(), "its revocation is lost");
    let refused = server.run(CREATE, "");
    assert!(refused.status.code() == Some(3) && text(&refused.stderr).contains("hint: keyward revocation resume"));
    server.revoke_key("otesse", &key.id);
    let resumed = server.cli(&["revocation", "resume", "--output", "json"]);
    assert_eq!(members(&resumed), message("ResumeResponse"));
    eventually("it goes on", || (server.run(CREATE, "").status.code() == Some(0)).then_some(()));
    assert!(server.get_key("otesse", &key.id)["key"]["revoke_time"].is_string());
    eventually("the log is sound again", || told(|status, _| status["rolled_back"] == false));
}

fn on(redis: &RedisServer, edit: impl FnOnce(String) -> String) -> Keyward {
    Keyward::start_edited(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/realms"), &Store::Redis(&redis.url()), edit)
}

/// Everything that a Redis holds.
fn backup(redis: &RedisServer) -> Vec<(String, Vec<u8>)> {
    let mut connection = redis.connection();
    let names: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut connection).unwrap();
    let dump = |name: String| (name.clone(), redis::cmd("DUMP").arg(name).query(&mut connection).unwrap());
    names.into_iter().map(dump).collect()
}

/// Puts it in the place of what is there now.
fn restore(redis: &RedisServer, backup: &[(String, Vec<u8>)]) {
    let mut all = redis::pipe();
    all.atomic().cmd("FLUSHALL");
    for (name, bytes) in backup {
        all.cmd("RESTORE").arg(name).arg(0).arg(bytes);
    }
    all.query::<Vec<Answer>>(&mut redis.connection()).unwrap();
}
