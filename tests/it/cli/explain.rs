//! `keyward check` and `keyward keys explain`.

use serde_json::Value;

use super::{members, message, text};
use crate::support::keyward::{Keyward, NewKey, Store};

const CHECK: &[&str] = &["check", "--realm", "weather", "--path", "/v1/forecast", "--key-stdin"];
const REALM: &str = "realm: weather
hosts: [api.weather.example]
credentials: [{header: authorization, scheme: Bearer}]
keys: [{prefix: wx_, alphabet: hex, length: 32}]
scopes: [read, write]
routes: [{prefix: /v1/forecast, methods: [GET], scopes: [read]}, {prefix: /v1/forecast, scopes: [write]}]
plans: {few: [{limit: minute, per: key, most: 3, window: 1m}]}
default_plan: few
";

/// A server, and the id and the secret of a key that may read.
fn server() -> (Keyward, String, String) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("weather.yaml"), REALM).unwrap();
    let server = Keyward::start(folder.path(), &Store::Embedded);
    server.create_owner("weather", "acme", None);
    let made = server.create_key("weather", &NewKey { owner: "acme", label: "one", scopes: &["read"], ..NewKey::default() });
    (server, made.id, made.secret)
}

/// Code, and what came out, of a check that the store was not too slow for.
fn asked(server: &Keyward, line: &[&str], secret: &str) -> (Option<i32>, String, String) {
    loop {
        let output = server.run(line, secret);
        let (out, err) = (text(&output.stdout).to_owned(), text(&output.stderr).to_owned());
        if !err.contains("unavailable") {
            return (output.status.code(), out, err);
        }
    }
}

#[test]
fn a_check_ends_with_0_where_the_request_may_pass_and_with_1_and_the_reason_where_not() {
    let (server, id, secret) = server();
    let (code, out, err) = asked(&server, CHECK, &secret);
    assert_eq!((code, &*err), (Some(0), ""));
    assert!(out.contains("allowed") && out.contains(&id) && out.contains("2 of 3 left"), "{out}");
    let (code, out, err) = asked(&server, &[CHECK, &["--method", "POST"]].concat(), &secret);
    assert_eq!((code, &*err), (Some(1), "refused: scope\n"));
    assert!(out.contains("refused") && out.contains("403") && !out.contains(&secret), "{out}");
    let (code, out, err) = asked(&server, &[CHECK, &["--output", "json"]].concat(), "wx_x");
    assert_eq!((code, &*err), (Some(1), "refused: unknown\n"));
    let json: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&json["allowed"], &json["http_status"]), (&false.into(), &401.into()));
    let all: Vec<String> = message("VerifyResponse").into_iter().filter(|field| field != "status_details").collect();
    assert_eq!(members(&json), all);
    let (code, _, err) = asked(&server, &["check", "--host", "nobody.example", "--path", "/"], "");
    assert_eq!((code, &*err), (Some(1), "refused: no_realm\n"));
}

#[test]
fn a_check_of_a_gate_that_is_not_there_ends_with_3() {
    let (server, ..) = server();
    let output = server.run(&["check", "--realm", "weather", "--path", "/", "--gate", "http://127.0.0.1:1"], "");
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("--gate"), "{}", text(&output.stderr));
    let usage = server.run(&["check", "--path", "/"], "");
    assert_eq!(usage.status.code(), Some(2), "neither a realm nor a host is named");
}

#[test]
fn an_explanation_shows_every_rung_by_id_and_by_secret_and_charges_nothing() {
    let (server, id, secret) = server();
    let explain = ["keys", "explain", "--realm", "weather", "--path", "/v1/forecast"];
    for _ in 0..5 {
        let shown = server.run(&[&explain[..], &[&id]].concat(), "");
        let out = text(&shown.stdout);
        assert_eq!((shown.status.code(), text(&shown.stderr)), (Some(0), ""));
        assert!(out.contains("3 of 3 are left of any 60 s") && out.contains("allowed"), "{out}");
    }
    let line = [&explain[..], &["--key-stdin", "--method", "POST", "--output", "json"]].concat();
    let shown = server.run(&line, &secret);
    assert!(shown.status.success() && !text(&shown.stdout).contains(&secret), "{}", text(&shown.stderr));
    let json: Value = serde_json::from_str(text(&shown.stdout)).unwrap();
    assert_eq!((&json["allowed"], &json["reason"]), (&false.into(), &"scope".into()));
    assert_eq!(members(&json), message("ExplainCheckResponse"));
    assert_eq!(members(&json["rungs"][0]), message("Rung"));
    assert_eq!(members(&json["answer"]), message("CheckAnswer"));
    let limit = json["rungs"].as_array().unwrap().iter().find(|rung| rung["name"] == "limit").unwrap();
    assert_eq!(members(&limit["limit"]), message("LimitStanding"));

    server.revoke_key("weather", &id);
    let table = server.run(&[&explain[..], &["--method", "POST", &id]].concat(), "");
    let out = text(&table.stdout);
    assert!(out.contains("refused: revoked") && out.contains("(refused: scope)") && out.contains("401 (gRPC 16)"), "{out}");
}
