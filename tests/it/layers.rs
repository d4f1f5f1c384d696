//! The house's walls: which room may not name what. A line of code that breaks one fails here, with its place.

use std::fs;
use std::path::{Path, PathBuf};

/// A room, and the words that none of its lines may hold.
const WALLS: &[(&str, &[&str])] = &[
    (
        "src/domain",
        &["async ", "await", "tokio", "serde", "tonic", "prost", "redis", "redb", "tracing", "getrandom", "Instant::now", "SystemTime"],
    ),
    ("src/domain", &["crate::store", "crate::grpc", "crate::config", "crate::gate", "crate::replica", "crate::clock", "crate::telemetry"]),
    (
        "src/revocation",
        &["async ", "await", "tokio", "serde", "tonic", "prost", "redis", "redb", "tracing", "getrandom", "Instant::now", "SystemTime"],
    ),
    (
        "src/revocation",
        &[
            "crate::store",
            "crate::grpc",
            "crate::config",
            "crate::gate",
            "crate::replica",
            "crate::clock",
            "crate::telemetry",
            "crate::keyring",
        ],
    ),
    ("src/gate.rs", &["tonic", "prost", "redis", "redb", "embedded", "crate::grpc", "crate::config", "crate::proto", "crate::server"]),
    ("src/gate", &["tonic", "prost", "redis", "redb", "embedded", "crate::grpc", "crate::config", "crate::proto", "crate::server"]),
    (
        "src/settlement.rs",
        &["tonic", "prost", "redis", "redb", "embedded", "crate::grpc", "crate::config", "crate::proto", "crate::server"],
    ),
    ("src/usage", &["tonic", "prost", "redis", "redb", "embedded", "crate::grpc", "crate::config", "crate::proto", "crate::server"]),
    ("src/keyring", &["tonic", "prost", "redis", "redb", "embedded", "crate::grpc", "crate::config", "crate::proto", "crate::server"]),
    ("src/replica", &["tonic", "prost", "redis", "redb", "embedded", "crate::grpc", "crate::config", "crate::proto", "crate::server"]),
    ("src/store", &["tonic", "crate::grpc", "crate::config", "crate::gate", "crate::keyring", "crate::server", "crate::replica"]),
    ("src/store/embedded", &["redis"]),
    ("src/store/redis", &["redb", "embedded"]),
    ("src/config", &["tonic", "crate::grpc", "crate::gate", "crate::keyring", "crate::server", "crate::store", "crate::telemetry"]),
    ("src/grpc", &["redis", "redb", "embedded", "crate::config", "crate::server", "crate::cli"]),
    ("src/telemetry", &["redb", "crate::store", "crate::grpc", "crate::gate", "crate::config", "crate::server"]),
    ("src/cli", &["redis::", "redb", "crate::store", "crate::gate", "crate::keyring", "crate::grpc"]),
];

/// What the keyring asks its store, and the files in which it does. What is there for a caller is decided in `read.rs`: whoever needs another
/// method here reads the record that it is about through `read.rs` first, and then says so.
const ASKED_BY: &[(&str, &[&str])] = &[
    // what is read again; upkeep has no caller: it does what is due, whoever's key it is; peppers are about all there is, for who is not bound
    ("key", &["kept.rs", "revoke_many.rs", "upkeep.rs", "peppers.rs"]),
    ("due", &["upkeep.rs"]),
    // a caller that is bound to a realm is told of that alone, and no other that is bound of anything
    ("audit", &["audit.rs"]),
    ("audit_head", &["audit.rs"]),
    ("drop_audit", &["upkeep.rs"]),
    // of nobody's keys
    ("note", &["refusals.rs"]),
    ("usage", &["usage.rs"]),
    // after `list.rs` has asked whether it is the one that is there for the caller
    ("owner", &["kept.rs", "read.rs", "bootstrap.rs", "list.rs"]),
    ("keys", &["list.rs", "peppers.rs"]),
    ("owners", &["list.rs"]),
    // of keys that were read
    ("owners_of", &["seen.rs", "lot.rs"]),
    // of those, which an import compares its rows with
    ("keys_of", &["lot.rs"]),
    ("last_used", &["list.rs"]),
    ("secure", &["read.rs", "revoke_many.rs", "peppers.rs"]),
    // a token, or whether a secret that the caller has is known already
    ("find", &["caller.rs", "create.rs", "revocation.rs"]),
    // of what was read, or is new
    ("commit", &["bootstrap.rs", "create.rs", "delete.rs", "edit.rs", "owners.rs", "revoke_many.rs", "upkeep.rs", "peppers.rs"]),
    ("commit_in_line", &["lot.rs"]),
    // of nobody's keys
    (
        "now",
        &[
            "bootstrap.rs",
            "create.rs",
            "edit.rs",
            "explain.rs",
            "owners.rs",
            "update.rs",
            "list.rs",
            "seen.rs",
            "rotate.rs",
            "revoke_many.rs",
            "upkeep.rs",
            "usage.rs",
            "explain.rs",
            "lot.rs",
            "mod.rs",
            "peppers.rs",
        ],
    ),
    ("peppers", &["peppers.rs"]),
    ("realms", &["peppers.rs"]),
    ("withdraw_pepper", &["peppers.rs"]),
    ("holders", &["guarantee.rs"]),
    ("resume", &["revocation.rs"]),
];

/// Lines in a file of `src`.
const LONGEST_FILE: usize = 300;

#[test]
fn no_room_names_what_its_walls_keep_out() {
    let broken: Vec<String> = WALLS.iter().flat_map(|(room, words)| names(room, words)).collect();
    assert!(broken.is_empty(), "walls are broken:\n{}", broken.join("\n"));
}

#[test]
fn a_wall_that_is_broken_is_seen() {
    assert!(!names("src/grpc", &["tonic"]).is_empty(), "the wire names tonic, so a wall against it must show");
}

#[test]
fn no_verb_of_the_keyring_asks_the_store_for_what_its_caller_may_not_see() {
    let unasked: Vec<String> = files(Path::new("src/keyring")).iter().flat_map(|file| asks(file)).collect();
    assert!(unasked.is_empty(), "the store is asked without its place in ASKED_BY:\n{}", unasked.join("\n"));
    assert!(!asks(Path::new("src/settlement.rs")).is_empty(), "the control: a file without a place is seen");
}

#[test]
fn no_file_of_src_is_longer_than_three_hundred_lines() {
    let long: Vec<String> = files(Path::new("src"))
        .iter()
        .map(|file| (file, fs::read_to_string(file).unwrap().lines().count()))
        .filter(|(_, lines)| *lines > LONGEST_FILE)
        .map(|(file, lines)| format!("{}: {lines}", file.display()))
        .collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn every_file_of_src_opens_by_saying_what_it_is_for() {
    let rust = files(Path::new("src")).into_iter().filter(|file| file.extension().is_some_and(|ending| ending == "rs"));
    let mute: Vec<PathBuf> = rust.filter(|file| !fs::read_to_string(file).unwrap().starts_with("//! ")).collect();
    assert!(mute.is_empty(), "{mute:?}");
}

/// `file:line: word` for each code line of the room that holds one of the words.
fn names(room: &str, words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    let root = Path::new(room);
    let all = if root.exists() { files(root) } else { files(Path::new(&format!("{room}.rs"))) };
    for file in all.iter().filter(|file| file.extension().is_some_and(|ending| ending == "rs")) {
        let text = fs::read_to_string(file).unwrap();
        let code = text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"));
        for (at, line) in code {
            let code = line.split(" // ").next().unwrap_or(line);
            let word = words.iter().find(|word| code.contains(**word));
            found.extend(word.map(|word| format!("{}:{}: {word}", file.display(), at + 1)));
        }
    }
    found
}

/// `file: method` for each method of the store that a file calls and has no place for.
fn asks(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap();
    let name = file.file_name().unwrap().to_str().unwrap();
    let method = |rest: &str| rest.split('(').next().unwrap().trim_start_matches(['.', '\n', ' ']).to_owned();
    let called = text.split("store.").skip(1).filter(|rest| rest.contains('(')).map(method);
    let called = called.filter(|method| method.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_'));
    let has_place = |method: &String| ASKED_BY.iter().any(|(asked, files)| asked == method && files.contains(&name));
    called.filter(|method| !has_place(method)).map(|method| format!("{}: {method}", file.display())).collect()
}

fn files(root: &Path) -> Vec<PathBuf> {
    if root.is_file() {
        return vec![root.to_owned()];
    }
    let entries = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}
