//! What the command line changes of keys and owners, and how it shows the numbers that they have for limits.

use serde_json::json;

use super::{CREATE, members, message, server, text};
use crate::support::keyward::Keyward;

#[test]
fn an_update_changes_what_is_named_and_prints_why_it_holds() {
    let server = server();
    let name = made(&server, &["--limit", "minute=50"]);
    let update = |line: &[&str]| server.cli(&[&["keys", "update", &name], line, &["--output", "json"]].concat());
    let lowered = update(&["--limit", "minute=40", "--limit", "hour=1000"]);
    assert_eq!((members(&lowered), members(&lowered["key"])), (message("UpdateKeyResponse"), message("Key")));
    let limits = json!([{"limit": "minute", "most": 40}, {"limit": "hour", "most": 1000}]);
    assert_eq!((&lowered["key"]["limits"], &lowered["key"]["label"]), (&limits, &"Zapier".into()));
    assert_eq!(members(&lowered["guarantee"]), message("Guarantee"));
    let raised = update(&["--limit", "minute=60,hour=1000"]);
    assert!(raised["guarantee"].is_null() && raised["position"].as_u64().unwrap() > 0);

    let more = ["--label", "Make", "--scope", "bookings:read,bookings:write", "--address", "192.0.2.0/24", "--plan", "test"];
    let key = &update(&[&more[..], &["--expire-time", "2090-01-31T12:00:00Z", "--clear", "limits"]].concat())["key"];
    assert_eq!((&key["label"], &key["plan"], &key["limits"]), (&"Make".into(), &"test".into(), &json!([])));
    assert_eq!((&key["scopes"], &key["allowed_addresses"]), (&json!(["bookings:read", "bookings:write"]), &json!(["192.0.2.0/24"])));
    assert_eq!(key["expire_time"], "2090-01-31T12:00:00Z");
    let key = &update(&["--clear", "label,scopes,addresses", "--clear", "plan", "--clear", "expire-time"])["key"];
    assert_eq!((&key["label"], &key["plan"], &key["scopes"], &key["allowed_addresses"]), (&"".into(), &"".into(), &json!([]), &json!([])));
    assert!(key["expire_time"].is_null());
}

#[test]
fn the_numbers_of_keys_and_owners_are_shown_as_they_are_written() {
    let server = server();
    let name = made(&server, &["--limit", "minute=50", "--limit", "hour=7"]);
    let table = |line: &[&str]| text(&server.run(line, "").stdout).to_owned();
    let shown = table(&["keys", "get", &name]);
    assert!(shown.lines().any(|line| line.starts_with("limits") && line.ends_with("minute=50 hour=7")), "{shown}");
    assert!(table(&["keys", "list", "--realm", "otesse", "--wide"]).contains(" minute=50 hour=7 "));
    let updated = table(&["owners", "update", "--realm", "otesse", "acme", "--name", "Acme", "--limit", "minute=1200"]);
    assert!(updated.lines().any(|line| line.starts_with("limits") && line.ends_with("minute=1200")), "{updated}");
    assert!(updated.lines().any(|line| line.starts_with("acknowledged") && line.ends_with("by 1 replica")), "{updated}");
    assert!(table(&["owners", "list", "--realm", "otesse"]).contains(" minute=1200 "));
    let cleared =
        server.cli(&["owners", "update", "--realm", "otesse", "acme", "--clear", "limits,name", "--plan", "live", "--output", "json"]);
    assert_eq!(members(&cleared), message("UpdateOwnerResponse"));
    let owner = &cleared["owner"];
    assert_eq!((&owner["limits"], &owner["display_name"], &owner["plan"]), (&json!([]), &"".into(), &"live".into()));
    let made = server.cli(&["owners", "create", "--realm", "otesse", "new", "--limit", "hour=9", "--output", "json"]);
    assert_eq!(made["owner"]["limits"], json!([{"limit": "hour", "most": 9}]));
}

#[test]
fn an_update_that_cannot_be_ends_with_its_code_and_changes_nothing() {
    let server = server();
    let name = made(&server, &[]);
    let before = server.cli(&["keys", "get", &name, "--output", "json"]);
    let update = |line: &[&str]| {
        let output = server.run(&[&["keys", "update", &name], line].concat(), "");
        assert_eq!(text(&output.stdout), "", "{line:?}");
        (output.status.code(), text(&output.stderr).to_owned())
    };
    for line in [
        &[][..],
        &["--limit", "minute"],
        &["--limit", "minute=many"],
        &["--limit", "minute=-1"],
        &["--clear", "owner"],
        &["--label", "x", "--clear", "label"],
        &["--etag", "\"1\""],
    ] {
        assert_eq!(update(line).0, Some(2), "{line:?}");
    }
    let (code, says) = update(&["--limit", "second=5,minute=0"]);
    assert!(code == Some(1) && says.contains("key.limits[0].limit: ") && says.contains("key.limits[1].most: "), "{says}");
    let (code, says) = update(&["--label", "late", "--etag", "\"7\""]);
    assert!(code == Some(5) && says.contains("hint: read it again"), "{says}");
    assert_eq!(server.cli(&["keys", "get", &name, "--output", "json"]), before);
    let etag = before["key"]["etag"].as_str().unwrap();
    assert_eq!(server.run(&["keys", "update", &name, "--label", "new", "--etag", etag], "").status.code(), Some(0), "the control");
}

/// The name of a key of Otesse's owner `acme`.
fn made(server: &Keyward, more: &[&str]) -> String {
    server.create_owner("otesse", "acme", None);
    server.cli(&[CREATE, more, &["--scope", "bookings:read", "--output", "json"]].concat())["key"]["name"].as_str().unwrap().to_owned()
}
