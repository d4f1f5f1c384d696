//! Realm files together: folders, clashes, and every problem of every file.

use std::fs;
use std::path::{Path, PathBuf};

use keyward::config;
use keyward::domain::name::{RealmId, admin_realm};

use super::{VALID, with};

/// Writes files into a folder.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

/// Every problem, its file without the folder.
fn problems(folder: &Path, paths: &[PathBuf]) -> Vec<String> {
    let problems = config::realms(paths).unwrap_err().to_string().replace(&format!("{}/", folder.display()), "");
    problems.lines().map(str::to_owned).collect()
}

fn other() -> String {
    with("realm: example", "realm: other").replace("[api.example.com, \"*.example.org\"]", "[other.example.com]")
}

#[test]
fn the_yaml_files_of_a_folder_are_realms_and_the_built_in_one_is_there_too() {
    let folder = folder(&[("a.yaml", VALID), ("b.yaml", &other()), ("notes.txt", "not yaml: ["), (".hidden.yaml", "realm: [")]);
    let realms = config::realms(&[folder.path().to_owned()]).unwrap();
    let mut ids: Vec<_> = realms.iter().map(|realm| realm.id.to_string()).collect();
    ids.sort();
    assert_eq!(ids, ["example", "keyward", "other"]);
    assert!(realms.get(&admin_realm()).unwrap().hosts.is_empty());
    let twice = config::realms(&[folder.path().join("b.yaml"), folder.path().to_owned()]).unwrap();
    assert_eq!(twice.iter().count(), 3);
    let one = config::realms(&[folder.path().join("b.yaml")]).unwrap();
    assert!(one.get(&RealmId::parse("other").unwrap()).is_some() && one.iter().count() == 2);
}

#[test]
fn every_problem_of_every_file_is_reported_in_the_order_of_the_files() {
    let folder = folder(&[
        ("b.yaml", &with("cost: 5", "cost: 0")),
        ("a.yaml", "realm: [\n"),
        ("c.yaml", &other().replace("status: 429", "status: 1")),
    ]);
    let found = problems(folder.path(), &[folder.path().to_owned(), folder.path().join("gone.yaml")]);
    let starts = ["a.yaml:2: is no YAML", "b.yaml:31: routes[0].cost:", "c.yaml:44: denials.limited.status:", "gone.yaml: cannot be read:"];
    assert_eq!(found.len(), starts.len(), "{found:#?}");
    for (found, start) in found.iter().zip(starts) {
        assert!(found.starts_with(start), "{found}");
    }
}

#[test]
fn two_realms_of_one_name_or_host_are_reported_with_both_files_whatever_else_is_wrong() {
    let same_host = other().replace("[other.example.com]", "[other.example.com, API.example.com]");
    let folder = folder(&[("a.yaml", VALID), ("b.yaml", &same_host), ("c.yaml", "realm: example\nhosts: ['*.example.org']\nroute: []\n")]);
    let found = problems(folder.path(), &[folder.path().to_owned()]);
    for expected in [
        "b.yaml:2: hosts[1]: the host api.example.com is in a.yaml, line 2, too: no two realms share it",
        "c.yaml:1: realm: the realm example is in a.yaml, line 1, too: no two realms share it",
        "c.yaml:2: hosts[0]: the host *.example.org is in a.yaml, line 2, too: no two realms share it",
        "c.yaml:3: route: is no key here: did you mean `routes`?",
        "c.yaml:1: keys: is missing",
    ] {
        assert_eq!(found.iter().filter(|problem| *problem == expected).count(), 1, "{expected}\n{found:#?}");
    }
    assert_eq!(found.len(), 7, "{found:#?}");
}

#[test]
fn a_folder_without_realms_and_a_file_that_is_no_text_are_problems() {
    let folder = folder(&[("notes.txt", "")]);
    assert!(config::realms(&[folder.path().to_owned()]).unwrap_err().to_string().contains("holds no *.yaml file"));
    fs::write(folder.path().join("a.yaml"), b"realm: \xff\n").unwrap();
    assert!(problems(folder.path(), &[folder.path().to_owned()])[0].starts_with("a.yaml: cannot be read:"));
}

#[test]
fn a_file_of_another_ending_that_would_not_be_read_is_a_problem() {
    let folder = folder(&[("a.yaml", VALID), ("b.yml", &other())]);
    assert_eq!(problems(folder.path(), &[folder.path().to_owned()]), ["b.yml: would not be read: realm files end in .yaml"]);
}
