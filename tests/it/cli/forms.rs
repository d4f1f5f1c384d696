//! The forms that results come in, what a shell and a manual are given, and how a failure looks and ends.

use std::fs;
use std::path::Path;

use saphyr::{LoadableYamlNode as _, Yaml};

use super::{CREATE, keyward, server, text};

#[test]
fn yaml_says_what_json_says_and_keeps_its_order() {
    let server = server();
    server.create_owner("otesse", "acme", None);
    // words that YAML would take for something else, if they were not quoted
    let odd = ["a=yes", "b=null", "c=0x10", "d=1.5", "e=- x: {y}", "f=# no", "g=", "h= \"q\" 'r'", "i=2027-01-31"];
    let line: Vec<&str> = odd.iter().flat_map(|pair| ["--metadata", pair]).collect();
    let made = server.cli(&[CREATE, &line, &["--output", "json"]].concat());
    let name = made["key"]["name"].as_str().unwrap();
    for line in [
        &["keys", "get", name][..],
        &["keys", "list", "--realm", "otesse"],
        &["owners", "list", "--realm", "otesse"],
        &["revocation", "status"],
    ] {
        let (yaml, json) =
            (server.run(&[line, &["--output", "yaml"]].concat(), ""), server.run(&[line, &["--output", "json"]].concat(), ""));
        let read = |bytes| Yaml::load_from_str(text(bytes)).unwrap();
        assert_eq!(read(&yaml.stdout), read(&json.stdout), "{}", text(&yaml.stdout));
        assert!(!text(&yaml.stdout).starts_with(['{', '-']), "{}", text(&yaml.stdout));
    }
    let yaml = server.run(&["keys", "get", name, "--output", "yaml"], "");
    let lines: Vec<&str> = text(&yaml.stdout).lines().collect();
    assert_eq!((lines[0], lines[1]), ("key:", format!("  name: {name}").as_str()));
    assert!(lines.contains(&"    a: \"yes\"") || lines.contains(&"    a: 'yes'"), "{lines:#?}");
    let made = server.run(&[CREATE, &["--output", "yaml"]].concat(), "");
    assert!(text(&made.stdout).contains("\nsecret: otesse_live_sk_"), "a form that can show a secret");
}

#[test]
fn each_shell_gets_its_completions_and_a_folder_its_manual() {
    let folder = tempfile::tempdir().unwrap();
    for (shell, says) in [("bash", "complete -F"), ("zsh", "#compdef keyward"), ("fish", "complete -c keyward")] {
        let script = keyward(&["completions", shell], folder.path()).output().unwrap();
        assert!(script.status.success() && text(&script.stdout).contains(says), "{shell}");
        assert!(text(&script.stdout).contains("expiring-before"), "{shell}");
    }
    assert_eq!(keyward(&["completions", "none"], folder.path()).output().unwrap().status.code(), Some(2));
    assert!(keyward(&["man", "."], folder.path()).output().unwrap().status.success());
    let page = fs::read_to_string(folder.path().join("keyward-keys-list.1")).unwrap();
    assert!(page.contains(".TH") && page.contains("rotation\\-due"), "{page}");
    let whole = fs::read_to_string(folder.path().join("keyward.1")).unwrap();
    assert!(whole.contains("Exit codes"), "{whole}");
    let nowhere = keyward(&["man", "nowhere"], folder.path()).output().unwrap();
    assert!(nowhere.status.code() == Some(2) && text(&nowhere.stderr).contains("nowhere cannot be written to"));
}

#[test]
fn help_tells_the_exit_codes_and_the_guide_the_same() {
    let help = keyward(&["--help"], Path::new(".")).output().unwrap();
    assert_eq!(help.status.code(), Some(0));
    let guide = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guide.md")).unwrap();
    for (code, cause) in [
        (0, "done"),
        (1, "refused, or failed"),
        (2, "wrong usage, or wrong configuration"),
        (3, "the server cannot be reached, or cannot answer now: worth another try"),
        (4, "not found"),
        (5, "in the way of what is there: it exists, it has changed, or something must come before"),
        (6, "the token is refused, or must not do this"),
        (7, "recorded, and not yet guaranteed: wait for it"),
    ] {
        assert!(text(&help.stdout).contains(&format!("{code}  {cause}")), "{cause}");
        assert!(guide.contains(&format!("| {code} | {cause} |")), "{cause}");
    }
}

#[test]
fn colours_are_for_terminals_and_for_whoever_asks() {
    let failing = |variables: &[(&str, &str)]| {
        let mut command = keyward(&["keys", "list", "--realm", "otesse"], Path::new("."));
        let output = command.env_remove("CLICOLOR_FORCE").env_remove("NO_COLOR").envs(variables.iter().copied()).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "no token");
        text(&output.stderr).to_owned()
    };
    let plain = failing(&[]);
    assert!(plain.starts_with("error: no admin token") && plain.contains("\nhint: ") && !plain.contains('\u{1b}'), "{plain:?}");
    assert!(failing(&[("CLICOLOR_FORCE", "1")]).starts_with('\u{1b}'), "the control");
    assert_eq!(failing(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]), plain);
}

#[test]
fn a_token_may_come_from_standard_input() {
    let server = server();
    let address = format!("http://{}", server.admin);
    let viewer =
        ["keys", "create", "--realm", "keyward", "--owner", "admins", "--scope", "viewer", "--expire-time", "2090-01-01T00:00:00Z"];
    let token = server.cli(&[&viewer[..], &["--output", "json"]].concat())["secret"].as_str().unwrap().to_owned();
    let line = ["keys", "list", "--realm", "otesse", "--server", &address, "--token-file", "-"];
    assert_eq!(server.run(&line, &token).status.code(), Some(0));
    assert_eq!(server.run(&line, "").status.code(), Some(6), "the control");
}

#[test]
fn the_secrets_of_a_key_are_told_apart_by_number_and_end() {
    let server = server();
    server.create_owner("otesse", "acme", None);
    let name = server.cli(&[CREATE, &["--output", "json"]].concat())["key"]["name"].as_str().unwrap().to_owned();
    let alone = text(&server.run(&["keys", "get", &name], "").stdout).to_owned();
    assert!(!alone.contains("number 1"), "{alone}");
    server.cli(&["keys", "rotate", &name, "--grace", "12h", "--output", "json"]);
    let key = &server.cli(&["keys", "get", &name, "--output", "json"])["key"];
    assert_eq!((&key["secrets"][0]["number"], &key["secrets"][0]["end_time"]), (&2.into(), &serde_json::Value::Null));
    let until = key["secrets"][1]["end_time"].as_str().unwrap();
    let both = text(&server.run(&["keys", "get", &name], "").stdout).to_owned();
    assert!(both.contains("(number 2)") && both.contains(&format!("(number 1, until {until})")), "{both}");
}
