//! Lists on a command line: options named as the API's fields, what fits a terminal, and more.

use serde_json::Value;

use super::{server, text};
use crate::support::keyward::{Keyward, NewKey};

#[test]
fn keys_are_listed_by_each_of_the_apis_filters() {
    let server = server();
    filled(&server);
    let labels = |line: &[&str]| {
        let listed = server.cli(&[&["keys", "list", "--realm", "otesse", "--output", "json"], line].concat());
        let keys = listed["keys"].as_array().unwrap().iter();
        keys.map(|key| key["label"].as_str().unwrap().to_owned()).collect::<Vec<_>>().join(" ")
    };
    for (line, expected) in [
        (&[][..], "build-1 build-2 gone deploy"),
        (&["--order-by", "owner desc"], "deploy gone build-2 build-1"),
        (&["--order-by", "owner desc", "--page-size", "1"], "deploy gone build-2 build-1"),
        (&["--label", "deploy"], "deploy"),
        (&["--label-prefix", "build-"], "build-1 build-2"),
        (&["--label-prefix", "build-", "--page-size", "1", "--limit", "1"], "build-1"),
        (&["--owner", "other"], "deploy"),
        (&["--environment", "test"], "build-2"),
        (&["--state", "revoked"], "gone"),
        (&["--state", "active"], "build-1 build-2"),
        (&["--state", "owner-disabled"], "deploy"),
        (&["--state", "expired"], ""),
        (&["--expiring-before", "2090-01-01T00:00:01Z"], "build-2"),
        (&["--unused-since", "2090-01-01T00:00:00Z"], "build-1 build-2 gone deploy"),
        (&["--scope", "bookings:read"], "build-1"),
        (&["--plan", "test"], "build-1"),
        (&["--rotation-due"], ""),
    ] {
        assert_eq!(labels(line), expected, "{line:?}");
    }
    for wrong in [&["--state", "open"][..], &["--order-by", "label"], &["--expiring-before", "soon"]] {
        assert_eq!(server.run(&[&["keys", "list", "--realm", "otesse"], wrong].concat(), "").status.code(), Some(2), "{wrong:?}");
    }
    let owners = |line: &[&str]| {
        let listed = server.run(&[&["owners", "list", "--realm", "otesse", "--output", "name"], line].concat(), "");
        text(&listed.stdout).replace("realms/otesse/owners/", "").split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(owners(&["--state", "disabled"]), "other");
    assert_eq!(owners(&["--state", "active"]), "acme");
    assert_eq!(owners(&["--order-by", "name desc"]), "other acme");
}

#[test]
fn many_keys_that_are_revoked_are_told_once_each_and_none_but_those_that_are_meant() {
    let server = server();
    filled(&server);
    let revoke = |line: &[&str]| server.cli(&[&["keys", "revoke-many", "--realm", "otesse", "--output", "json"], line].concat());
    let count = |told: &Value| (told["names"].as_array().unwrap().len(), told["revoked_before"].as_u64().unwrap());
    assert_eq!(count(&revoke(&["--owner", "acme", "--dry-run"])), (2, 1));
    assert_eq!(count(&revoke(&["--owner", "acme", "--state", "expired"])), (0, 0), "keys that work are not meant");
    assert_eq!(count(&revoke(&["--owner", "acme"])), (2, 1));
    assert_eq!(count(&revoke(&["--every-key"])), (1, 3), "another owner's");
}

#[test]
fn a_list_fits_a_terminal_and_wide_has_the_rest() {
    let server = server();
    let gone = filled(&server);
    let table = |line: &[&str]| text(&server.run(&[&["keys", "list", "--realm", "otesse"], line].concat(), "").stdout).to_owned();
    let (compact, wide) = (table(&[]), table(&["--wide"]));
    let heads = |table: &str| table.lines().next().unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(heads(&compact), "KEY OWNER LABEL ENVIRONMENT STATE EXPIRES ROTATE BY ENDS IN");
    assert_eq!(heads(&wide), "KEY OWNER LABEL ENVIRONMENT KIND STATE PLAN LIMITS TENANT SCOPES CREATED EXPIRES ROTATE BY LOOKS LIKE");
    let row = compact.lines().find(|line| line.starts_with(&gone.id)).unwrap();
    assert!(row.contains(" revoked ") && row.ends_with(&gone.secret[gone.secret.len() - 4..]), "{row}");
    assert!(compact.lines().all(|line| line.chars().count() <= 120), "{compact}");
    assert!(compact.contains(" 2090-01-01T00:00:00Z ") && wide.contains(" bookings:read ") && !compact.contains("bookings:read"));
    assert_eq!(table(&["--wide", "--output", "json"]), table(&["--output", "json"]), "a form for programs has all there is");
}

#[test]
fn metadata_is_given_as_pairs_and_shown() {
    let server = server();
    server.create_owner("otesse", "acme", None);
    let line = ["keys", "create", "--realm", "otesse", "--owner", "acme", "--environment", "live", "--output", "json"];
    let made = server.cli(&[&line[..], &["--metadata", "team=billing", "--metadata", "note=a, b = c"]].concat());
    let (name, metadata) = (made["key"]["name"].as_str().unwrap(), &made["key"]["metadata"]);
    assert_eq!((&metadata["team"], &metadata["note"]), (&"billing".into(), &"a, b = c".into()));
    let shown = server.run(&["keys", "get", name], "");
    assert!(text(&shown.stdout).contains("team=billing") && text(&shown.stdout).contains("note=a, b = c"), "{}", text(&shown.stdout));
    let changed = server.cli(&["keys", "update", name, "--metadata", "team=sales", "--output", "json"]);
    assert_eq!((&changed["key"]["metadata"], &changed["guarantee"]), (&serde_json::json!({"team": "sales"}), &Value::Null));
    let cleared = server.cli(&["keys", "update", name, "--clear", "metadata", "--output", "json"]);
    assert_eq!(cleared["key"]["metadata"], serde_json::json!({}));
    assert_eq!(server.run(&["keys", "update", name, "--metadata", "team"], "").status.code(), Some(2));
}

/// Four keys of two owners, one of them disabled; the one that is revoked.
fn filled(server: &Keyward) -> crate::support::keyward::Made {
    server.create_owner("otesse", "acme", None);
    server.create_owner("otesse", "other", None);
    let key = |label, environment| NewKey { owner: "acme", label, environment: Some(environment), ..NewKey::default() };
    server.create_key("otesse", &NewKey { scopes: &["bookings:read"], plan: Some("test"), ..key("build-1", "live") });
    server.create_key("otesse", &NewKey { expire_time: Some("2090-01-01T00:00:00Z"), ..key("build-2", "test") });
    let gone = server.create_key("otesse", &key("gone", "live"));
    server.create_key("otesse", &NewKey { owner: "other", ..key("deploy", "live") });
    server.revoke_key("otesse", &gone.id);
    server.disable_owner("otesse", "other");
    gone
}
