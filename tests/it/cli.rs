//! The command line, as a process, against a running server: what it prints where, and how it ends.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use keyward::proto::DESCRIPTORS;
use prost::Message as _;
use prost_types::FileDescriptorSet;
use serde_json::Value;

use crate::support::certs::{self, Authority};
use crate::support::keyward::{Keyward, Store};
use crate::support::process::Process;

mod day;
mod explain;
mod forms;
mod lists;
mod revocation;
mod updates;

const CREATE: &[&str] = &["keys", "create", "--realm", "otesse", "--owner", "acme", "--label", "Zapier", "--environment", "live"];

#[test]
fn a_secret_is_printed_once_with_the_word_that_it_is_not_shown_again() {
    let server = server();
    server.create_owner("otesse", "acme", None);
    let made = server.run(&[CREATE, &["--scope", "bookings:read", "--scope", "bookings:write"]].concat(), "");
    let secret =
        text(&made.stdout).split_whitespace().find(|word| word.starts_with("otesse_live_sk_") && !word.contains("...")).unwrap().to_owned();
    assert_eq!((made.status.code(), text(&made.stdout).matches(&secret).count()), (Some(0), 1));
    assert_eq!(text(&made.stderr), "The secret is not shown again: keep it now.\n");
    let id = server.list_keys("otesse")["keys"][0]["name"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    for line in [
        &["keys", "get", "--realm", "otesse", &id][..],
        &["keys", "list", "--realm", "otesse"],
        &["keys", "revoke", "--realm", "otesse", &id],
    ] {
        for form in ["table", "json", "name"] {
            let shown = server.run(&[line, &["--output", form]].concat(), "");
            assert_eq!((shown.status.code(), text(&shown.stderr)), (Some(0), ""), "{line:?}");
            assert!(!text(&shown.stdout).contains(&secret) && text(&shown.stdout).contains(&id), "{line:?}");
        }
    }
    assert!(text(&server.run(&["keys", "list", "--realm", "otesse"], "").stdout).contains("revoked"));
}

#[test]
fn json_has_the_fields_of_the_api_under_their_own_names() {
    let server = server();
    let owner = server.create_owner("otesse", "acme", Some("live"));
    assert_eq!(members(&owner), ["owner"]);
    assert_eq!(members(&owner["owner"]), message("Owner"));
    let line = [CREATE, &["--scope", "bookings:read", "--address", "192.0.2.7", "--expire-time", "2090-01-31T12:00:00.5Z"]].concat();
    let made = server.cli(&[&line[..], &["--output", "json"]].concat());
    assert_eq!(members(&made), message("CreateKeyResponse"));
    let key = &made["key"];
    assert_eq!(members(key), message("Key"));
    assert_eq!(members(&key["secrets"][0]), message("KeySecret"));
    assert_eq!((&key["scopes"][0], &key["allowed_addresses"][0]), (&"bookings:read".into(), &"192.0.2.7/32".into()));
    assert_eq!(
        (&key["expire_time"], &key["revoke_time"], &key["label"]),
        (&"2090-01-31T12:00:00.5Z".into(), &Value::Null, &"Zapier".into())
    );
    let id = key["name"].as_str().unwrap().rsplit('/').next().unwrap();
    let revoked = server.revoke_key("otesse", id);
    assert_eq!(members(&revoked), message("RevokeKeyResponse"));
    assert!(revoked["position"].as_u64().unwrap() > 0);
}

#[test]
fn a_given_secret_comes_from_standard_input_and_is_not_printed() {
    let server = server();
    server.create_owner("ocus", "acme", None);
    let line = ["keys", "create", "--realm", "ocus", "--owner", "acme", "--secret-stdin", "--output", "json"];
    for (secret, given) in [
        ("secret-of-theirs-1", "secret-of-theirs-1"),
        ("secret-of-theirs-2\n", "secret-of-theirs-2"),
        ("secret-of-theirs-3\r\n", "secret-of-theirs-3"),
    ] {
        let made = server.run(&line, secret);
        assert_eq!((made.status.code(), text(&made.stderr)), (Some(0), ""));
        assert!(!text(&made.stdout).contains(given));
        assert_eq!(json(&made)["key"]["secrets"][0]["last_four"], given[given.len() - 4..]);
        assert_eq!(server.run(&line, given).status.code(), Some(5), "it is there, without the line break");
    }
    assert_eq!(server.run(&line, "").status.code(), Some(2));
    let as_argument = server.run(&["keys", "create", "--realm", "ocus", "--owner", "acme", "--secret", "x"], "");
    assert_eq!(as_argument.status.code(), Some(2));
}

#[test]
fn a_list_is_read_to_its_end_unless_told_otherwise() {
    let server = server();
    for owner in ["a", "b", "c", "d", "e"] {
        server.create_owner("ocus", owner, None);
    }
    let names = |line: &[&str]| {
        let output = server.run(&[&["owners", "list", "--realm", "ocus", "--output", "name"], line].concat(), "");
        text(&output.stdout).lines().map(|name| name.replace("realms/ocus/owners/", "")).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names(&[]), "a b c d e");
    assert_eq!(names(&["--page-size", "2"]), "a b c d e");
    assert_eq!(names(&["--page-size", "2", "--limit", "3"]), "a b c");
    assert_eq!(names(&["--limit", "0"]), "");
}

#[test]
fn a_full_name_stands_for_realm_and_id() {
    let server = server();
    server.create_owner("ocus", "acme", None);
    let disabled = server.run(&["owners", "disable", "realms/ocus/owners/acme", "--output", "name"], "");
    assert_eq!(text(&disabled.stdout), "realms/ocus/owners/acme\n");
    assert!(text(&server.run(&["owners", "list", "--realm", "ocus"], "").stdout).contains("disabled"));
    assert_eq!(server.run(&["owners", "enable", "realms/ocus/owners/acme"], "").status.code(), Some(0));
    let nowhere = server.run(&["owners", "get", "acme"], "");
    assert_eq!((nowhere.status.code(), text(&nowhere.stderr)), (Some(2), "error: which realm? --realm REALM acme\n"));
}

#[test]
fn what_is_refused_says_what_to_do_next_and_ends_with_the_code_of_its_cause() {
    let server = server();
    let refused = |code: i32, line: &[&str]| {
        let output = server.run(line, "");
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(code), ""), "{line:?}: {}", text(&output.stderr));
        text(&output.stderr).to_owned()
    };
    assert!(refused(5, CREATE).ends_with("hint: keyward owners create --realm otesse acme\n"));
    assert!(refused(4, &["owners", "get", "--realm", "otesse", "nobody"]).ends_with("hint: keyward owners list --realm otesse\n"));
    assert!(refused(4, &["keys", "revoke", "--realm", "otesse", "key_1"]).ends_with("hint: keyward keys list --realm otesse\n"));
    assert!(refused(4, &["keys", "list", "--realm", "nowhere"]).contains("hint: the server reads realm files when it starts"));
    server.create_owner("otesse", "acme", None);
    let again = refused(5, &["owners", "create", "--realm", "otesse", "acme"]);
    assert!(again.ends_with("hint: keyward owners get --realm otesse acme\n"), "{again}");
    let wrong = refused(1, &[CREATE, &["--scope", "everything", "--plan", "gold"]].concat());
    let lines: Vec<&str> = wrong.lines().map(|line| line.split(": ").next().unwrap()).collect();
    assert_eq!(lines, ["error", "  key.plan", "  key.scopes[0]"], "{wrong}");
    assert!(refused(5, &["owners", "disable", "--realm", "otesse", "acme", "--etag", "\"7\""]).contains("hint: read it again"));
    assert!(refused(5, &["bootstrap", "--secret-file", "data/bootstrap"]).contains("put a new one into the server's bootstrap file"));
    let viewer =
        ["keys", "create", "--realm", "keyward", "--owner", "admins", "--scope", "viewer", "--expire-time", "2090-01-01T00:00:00Z"];
    let viewer = server.cli(&[&viewer[..], &["--output", "json"]].concat())["secret"].as_str().unwrap().to_owned();
    let mut command = keyward(CREATE, Path::new("."));
    let output = command.env("KEYWARD_SERVER", format!("http://{}", server.admin)).env("KEYWARD_TOKEN", viewer).output().unwrap();
    assert!(output.status.code() == Some(6) && text(&output.stderr).contains("hint: an admin makes such a token"));
}

#[test]
fn a_token_that_is_refused_is_not_printed() {
    let server = server();
    let with_token = |token: &str| {
        let mut command = keyward(&["keys", "list", "--realm", "otesse"], Path::new("."));
        command.env("KEYWARD_SERVER", format!("http://{}", server.admin)).env("KEYWARD_TOKEN", token).output().unwrap()
    };
    let refused = with_token("kwa_not-a-token");
    assert_eq!(refused.status.code(), Some(6));
    assert!(text(&refused.stderr).contains("--token-file") && !text(&refused.stderr).contains("kwa_not-a-token"));
    let expiring =
        ["keys", "create", "--realm", "keyward", "--owner", "admins", "--scope", "viewer", "--expire-time", "2090-01-01T00:00:00Z"];
    let token = json(&server.run(&[&expiring[..], &["--output", "json"]].concat(), ""))["secret"].as_str().unwrap().to_owned();
    assert_eq!(with_token(&format!("{token}\n")).status.code(), Some(0), "the control");
}

#[test]
fn wrong_usage_ends_with_2() {
    let server = server();
    for line in [
        &["keys"][..],
        &["keys", "make"],
        &["keys", "create", "--realm", "otesse"],
        &["keys", "list", "--realm", "otesse", "--page-size", "0"],
        &["keys", "list", "--realm", "otesse", "--server", "not a url"],
        &["keys", "list", "--realm", "otesse", "--server", "https://127.0.0.1:1"],
        &["keys", "list", "--realm", "otesse", "--token-file", "nowhere"],
        &["keys", "explain", "--path", "/"],
        &["keys", "revoke-many", "--realm", "otesse"],
        &["keys", "revoke-many", "--realm", "otesse", "--state", "active"],
        &["keys", "revoke-many", "--realm", "otesse", "--every-key", "--limit", "1"],
        &["keys", "revoke-many", "--realm", "otesse", "--every-key", "--from", "-"],
        &["keys", "revoke-many", "--realm", "otesse", "--owner", "acme", "--from", "data/bootstrap"],
        &["keys", "rotate", "--realm", "otesse", "key_1"],
        &["keys", "rotate", "--realm", "otesse", "key_1", "--grace", "soon"],
        &["bootstrap", "--secret-file", "nowhere"],
        &["bootstrap", "--secret-file", "data/bootstrap", "--output", "name"],
        &[CREATE, &["--expire-time", "tomorrow"]].concat(),
        &[CREATE, &["--output", "name"]].concat(),
        &[CREATE, &["--output", "xml"]].concat(),
    ] {
        let output = server.run(line, "");
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(2), ""), "{line:?}");
        assert!(!output.stderr.is_empty(), "{line:?}");
    }
    let tokenless = keyward(&["keys", "list", "--realm", "otesse"], Path::new(".")).output().unwrap();
    assert!(tokenless.status.code() == Some(2) && text(&tokenless.stderr).contains("keyward bootstrap"));
}

#[test]
fn a_server_that_is_not_there_ends_with_3() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = free.local_addr().unwrap();
    drop(free);
    let mut command = keyward(&["keys", "list", "--realm", "otesse", "--server", &format!("http://{nobody}")], Path::new("."));
    let output = command.env("KEYWARD_TOKEN", "kwa_any").output().unwrap();
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(3), ""));
    assert!(text(&output.stderr).contains(&nobody.to_string()) && text(&output.stderr).contains("KEYWARD_SERVER"));
}

#[test]
fn https_needs_the_servers_own_authority() {
    let folder = tempfile::tempdir().unwrap();
    certs::write(folder.path(), &["127.0.0.1"]);
    fs::write(folder.path().join("other.crt"), Authority::new().certificate()).unwrap();
    let tls = r#"{address: "127.0.0.1:0", tls: {certificate: tls.crt, key: tls.key}}"#;
    let (_running, address) = serve(folder.path(), tls);
    let redeem = |ca: &str| {
        let line =
            ["bootstrap", "--secret-file", "data/bootstrap", "--ca", ca, "--server", &format!("https://{address}"), "--output", "json"];
        keyward(&line, folder.path()).output().unwrap()
    };
    assert_eq!(redeem("other.crt").status.code(), Some(3));
    let redeemed = redeem("ca.crt");
    assert_eq!(members(&json(&redeemed)), message("BootstrapResponse"), "{}", text(&redeemed.stderr));
}

#[test]
fn check_config_prints_every_problem_one_a_line() {
    let folder = tempfile::tempdir().unwrap();
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/realms");
    let fine = keyward(&["check-config", examples.to_str().unwrap()], folder.path()).output().unwrap();
    assert_eq!((fine.status.code(), text(&fine.stdout)), (Some(0), "ok: 4 realms\n"));
    let doubts = text(&fine.stderr);
    assert!(
        doubts.lines().all(|line| line.starts_with("warning: realm ocote: ")),
        "only Ocote's contract counts failures nowhere: {doubts}"
    );
    fs::write(folder.path().join("a.yaml"), "realm: A\nhosts: [a.test]\nroutes: []\n").unwrap();
    fs::write(folder.path().join("b.yaml"), "realm: b\nhots: []\n").unwrap();
    let plans = "plans: {few: [{limit: wins, per: key, most: 90, window: 1h, counts: {only: [2xx]}}]}\ndefault_plan: few";
    let places = "credentials: [{header: x-api-key}]\nkeys: [{alphabet: hex, length: 32}]\nroutes: [{}]";
    fs::write(folder.path().join("doubt.yaml"), format!("realm: d\nhosts: [d.test]\n{places}\n{plans}\n")).unwrap();
    let doubt = keyward(&["check-config", "doubt.yaml"], folder.path()).output().unwrap();
    assert_eq!((doubt.status.code(), text(&doubt.stdout)), (Some(0), "ok: 1 realms\n"), "a doubt is no problem");
    assert!(text(&doubt.stderr).starts_with("warning: realm d: plans.few: the limit wins "), "{}", text(&doubt.stderr));
    let wrong = keyward(&["check-config", "a.yaml", "b.yaml"], folder.path()).output().unwrap();
    assert_eq!((wrong.status.code(), text(&wrong.stdout)), (Some(2), ""));
    for start in ["a.yaml:1: realm: ", "a.yaml:3: routes: ", "b.yaml:2: hots: "] {
        assert!(text(&wrong.stderr).lines().any(|line| line.starts_with(start)), "{start} in {}", text(&wrong.stderr));
    }
    fs::write(folder.path().join("server.yaml"), format!("realms: {}\nstore: {{embedded: {{folder: data}}}}\n", examples.display()))
        .unwrap();
    let server = keyward(&["check-config", "--config", "server.yaml"], folder.path()).output().unwrap();
    assert_eq!((server.status.code(), text(&server.stdout)), (Some(0), "ok: 4 realms\n"));
    assert!(!folder.path().join("data").exists(), "checking makes nothing");
    for line in [&["check-config"][..], &["check-config", "nowhere.yaml"], &["check-config", "--config", "nowhere.yaml"]] {
        assert_eq!(keyward(line, folder.path()).output().unwrap().status.code(), Some(2), "{line:?}");
    }
}

#[test]
fn serve_ends_with_0_when_told_with_2_on_its_file_and_with_1_on_what_it_needs() {
    let folder = tempfile::tempdir().unwrap();
    let (mut running, address) = serve(folder.path(), r#"{address: "127.0.0.1:0"}"#);
    let elsewhere = tempfile::tempdir().unwrap();
    fs::write(elsewhere.path().join("keyward.yaml"), config(&format!("{{address: {address:?}}}"))).unwrap();
    let busy = keyward(&["serve", "--config", "keyward.yaml"], elsewhere.path()).output().unwrap();
    assert!(busy.status.code() == Some(1) && text(&busy.stderr).contains(&address), "{}", text(&busy.stderr));
    assert_eq!(running.stop(), Some(0));
    fs::write(elsewhere.path().join("keyward.yaml"), "realms: []\nstores: {}\n").unwrap();
    let wrong = keyward(&["serve", "--config", "keyward.yaml"], elsewhere.path()).output().unwrap();
    assert!(wrong.status.code() == Some(2) && text(&wrong.stderr).contains("keyward.yaml:2: stores: "), "{}", text(&wrong.stderr));
}

/// A running server of the four example realms, on the embedded store.
pub fn server() -> Keyward {
    Keyward::start(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/realms"), &Store::Embedded)
}

/// A server of this folder, and where its admin port is.
fn serve(folder: &Path, admin: &str) -> (Process, String) {
    fs::write(folder.join("keyward.yaml"), config(admin)).unwrap();
    let mut command = keyward(&["serve", "--config", "keyward.yaml", "--addresses-file", "addresses"], folder);
    let mut process = Process::start("keyward", &mut command, &folder.join("log"));
    let addresses: Value = process.wait_for("addresses", || serde_json::from_slice(&fs::read(folder.join("addresses")).ok()?).ok());
    (process, addresses["admin"].as_str().unwrap().to_owned())
}

fn config(admin: &str) -> String {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/realms");
    let any = r#"{address: "127.0.0.1:0"}"#;
    format!(
        "realms: {}\nstore: {{embedded: {{folder: data}}}}\nlisten: {{envoy: {any}, admin: {admin}, http: {any}}}\n",
        examples.display()
    )
}

/// The program, in a folder, with nothing of the tests' own environment that it would read.
fn keyward(line: &[&str], folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keyward"));
    command.args(line).current_dir(folder).stdin(Stdio::null());
    for name in ["KEYWARD_SERVER", "KEYWARD_TOKEN", "KEYWARD_TOKEN_FILE", "KEYWARD_CA", "KEYWARD_CONFIG"] {
        command.env_remove(name);
    }
    command
}

pub fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)))
}

/// The members of an object, sorted.
pub fn members(object: &Value) -> Vec<String> {
    let mut members: Vec<String> = object.as_object().unwrap().keys().cloned().collect();
    members.sort();
    members
}

/// The fields of one of the API's messages, sorted.
pub fn message(name: &str) -> Vec<String> {
    let files = FileDescriptorSet::decode(DESCRIPTORS).unwrap().file;
    let messages =
        files.iter().filter(|file| ["keyward.admin.v1", "keyward.v1"].contains(&file.package())).flat_map(|file| &file.message_type);
    let message = messages.clone().find(|message| message.name() == name).unwrap();
    let mut fields: Vec<String> = message.field.iter().map(|field| field.name().to_owned()).collect();
    fields.sort();
    fields
}
