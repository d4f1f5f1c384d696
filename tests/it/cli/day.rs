//! A day with keys, as the guide tells it: the same lines, on both stores, each with what must come of it, and with what the guide shows of it.

use std::collections::VecDeque;
use std::fs;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

use serde_json::Value;

use super::text;
use crate::support::eventually_within;
use crate::support::keyward::{Keyward, Store};
use crate::support::redis::RedisServer;

#[test]
fn a_day_of_an_operator_on_the_embedded_store() {
    a_day(&Store::Embedded);
}

#[test]
fn a_day_of_an_operator_on_redis() {
    let redis = RedisServer::durable();
    a_day(&Store::Redis(&redis.url()));
}

/// An anchor that is not the log's must be found out: or the evening's look at the log would prove nothing.
#[test]
fn the_control_a_day_that_was_written_anew_does_not_end_well() {
    let day = Day::begins(&Store::Embedded);
    let anchor = day.server.run(&["audit", "verify", "--output", "name"], "");
    let (number, hash) = text(&anchor.stdout).trim().split_once('/').unwrap();
    let other = if hash.starts_with('0') { hash.replacen('0', "1", 1) } else { format!("0{}", &hash[1..]) };
    let verified = day.server.run(&["audit", "verify", "--anchor", &format!("{number}/{other}")], "");
    assert_eq!(verified.status.code(), Some(1));
    assert!(text(&verified.stdout).contains("no\n") && text(&verified.stderr).contains("the log was written anew"), "{verified:?}");
    let cut = day.server.run(&["audit", "verify", "--anchor", &format!("99/{hash}")], "");
    assert!(cut.status.code() == Some(1) && text(&cut.stderr).contains("its last entries are missing"), "{cut:?}");
}

fn a_day(store: &Store<'_>) {
    let mut day = Day::begins(store);
    day.done(r#"keyward audit verify --output name > anchor"#);
    let anchor = fs::read_to_string(day.server.at("anchor")).unwrap();

    day.done(r#"keyward owners create --realm weather initech --name "Initech""#);
    day.done(
        r#"keyward keys create --realm weather --owner initech --label "Booking engine" --scope forecast:read --output json > initech.json"#,
    );
    day.keeps("KEY", r#"KEY=$(keyward keys list --realm weather --owner initech --output name)"#);
    day.knows(r#"secret_in() { python3 -c "import json; print(json.load(open('$1'))['secret'])"; }"#);

    let old = "secret_in initech.json | keyward check --realm weather --path /v1/forecast/berlin --address 192.0.2.7 --key-stdin";
    let new = "secret_in fresh.json | keyward check --realm weather --path /v1/forecast/berlin --address 192.0.2.8 --key-stdin";
    day.passes(old);
    day.done(r#"keyward keys rotate "$KEY" --grace 7d --output json > fresh.json"#);
    let fresh: Value = serde_json::from_slice(&fs::read(day.server.at("fresh.json")).unwrap()).unwrap();
    let secrets = fresh["key"]["secrets"].as_array().unwrap();
    assert!(secrets.len() == 2 && secrets[0]["end_time"].is_null() && secrets[1]["end_time"].is_string(), "{fresh}");
    day.passes(new);
    day.passes(old);

    let name = day.name();
    eventually_within(Duration::from_mins(2), "what passed is counted", || {
        let usage = day.server.cli(&["keys", "usage", &name, "--output", "json"]);
        (usage["total"]["allowed"] == 3).then_some(())
    });
    let got = day.server.get_key("weather", &name);
    let last = |number: usize| got["key"]["secrets"][number]["last_use_address"].as_str().unwrap().to_owned();
    assert_eq!([last(0), last(1)], ["192.0.2.8", "192.0.2.7"], "the newest first: {got}");
    day.done(r#"keyward keys usage "$KEY""#);

    day.done(r#"keyward keys retire "$KEY""#);
    day.refused("unknown", old);
    assert!(day.passes_unshown(new), "the fresh one goes on");
    day.done(r#"keyward keys revoke "$KEY""#);
    assert!(!day.passes_unshown(new));
    let explained = day.done(r#"keyward keys explain "$KEY" --path /v1/forecast/berlin --address 192.0.2.8"#);
    let explained = masked(text(&explained.stdout));
    assert!(explained.contains(&"key.revoked refused: revoked the key is revoked".to_owned()), "{explained:?}");
    let listed = day.done(r#"keyward audit list --subject "$KEY""#);
    let told = ["RevokeKey", "RetireSecrets", "RotateKey", "CreateKey"].map(|action| text(&listed.stdout).find(&format!(" {action} ")));
    assert!(told.is_sorted() && told.iter().all(Option::is_some), "newest first: {}", text(&listed.stdout));

    day.done(r#"keyward keys enable "$KEY""#);
    day.passes(new);
    day.done("secret_in fresh.json | keyward report-leak");
    let stays = day.run(r#"keyward keys enable "$KEY" && exit 1"#);
    assert!(stays.status.code() == Some(5) && text(&stays.stderr).contains("its secret had leaked"), "{stays:?}");

    day.done(
        r#"keyward keys create --realm weather --owner initech --label "Mobile app" --scope forecast:read --output json > mobile.json"#,
    );
    let dry = day.done("keyward keys revoke-many --realm weather --owner initech --dry-run");
    assert!(text(&dry.stdout).contains("would be revoked") && text(&dry.stderr).contains("Nothing was revoked"), "{dry:?}");
    let mobile = "secret_in mobile.json | keyward check --realm weather --path /v1/forecast/berlin --address 192.0.2.8 --key-stdin";
    assert!(day.passes_unshown(mobile), "a dry run revokes nothing");
    day.done(r#"keyward keys delete "$KEY""#);
    assert_eq!(day.server.run(&["keys", "get", &name], "").status.code(), Some(4));
    day.done("keyward owners disable --realm weather initech");
    day.refused("owner_disabled", mobile);

    let verified = day.done(r#"keyward audit verify --anchor "$(cat anchor)""#);
    assert!(text(&verified.stdout).starts_with("intact   yes\n") && !text(&verified.stdout).contains(&anchor), "{verified:?}");
    assert!(day.left.is_empty(), "the guide's day has lines that nobody has run: {:?}", day.left);
}

/// The guide's lines, and a server to run them against.
struct Day {
    server: Keyward,
    /// What a shell has to know by now.
    known: String,
    /// Lines that are left, each with what the guide shows of it.
    left: VecDeque<(String, Option<String>)>,
}

impl Day {
    fn begins(store: &Store<'_>) -> Self {
        let guide = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guide.md")).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let realm = between(&guide, "cat > realms/weather.yaml <<'EOF'\n", "EOF\n");
        fs::write(folder.path().join("weather.yaml"), realm).unwrap();
        // a busy machine's disk may take its time
        let server = Keyward::start_edited(folder.path(), store, |config| {
            config.replace("redis: {", "redis: {timeout: 1s, ") + "check_deadline: 3s\n"
        });
        Self { server, known: String::from("set -o pipefail\n"), left: lines(between(&guide, "## A day with keys\n", "\n## ")) }
    }

    /// The guide's next line is this one, and does what it is for.
    fn done(&mut self, line: &str) -> Output {
        let output = self.run(line);
        assert!(output.status.success(), "{line}: {output:?}");
        output
    }

    /// The same of a check, which lets the request pass.
    fn passes(&mut self, line: &str) {
        let output = self.done(line);
        assert_eq!(masked(text(&output.stdout))[0], "answer allowed");
    }

    /// The same of a check that refuses it: where the request passes, the guide ends.
    fn refused(&mut self, reason: &str, line: &str) {
        let output = self.run(&format!("{line} && exit 1"));
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(1), &*format!("refused: {reason}\n")));
    }

    /// The same of a line that the shell has to know from then on.
    fn knows(&mut self, line: &str) {
        self.done(line);
        self.known.extend([line, "\n"]);
    }

    /// The same of what it has found out.
    fn keeps(&mut self, name: &str, line: &str) {
        self.done(line);
        let found = self.server.shell(&format!("{}{line}; printf %s \"${name}\"", self.known));
        self.known.extend([name, "=", text(&found.stdout), "\n"]);
    }

    /// The key's full name.
    fn name(&self) -> String {
        text(&self.server.shell(&format!("{}printf %s \"$KEY\"", self.known)).stdout).to_owned()
    }

    fn passes_unshown(&self, line: &str) -> bool {
        self.shell(line).status.success()
    }

    fn run(&mut self, line: &str) -> Output {
        let (guided, shown) = self.left.pop_front().unwrap_or_default();
        assert_eq!(guided, line, "the guide's day goes on otherwise");
        let output = self.shell(line.strip_suffix(" && exit 1").unwrap_or(line));
        if let Some(shown) = shown {
            let printed = format!("{}{}", text(&output.stdout), text(&output.stderr));
            assert_eq!(masked(&printed), masked(&shown), "what the guide shows of `{line}` is not what it prints:\n{printed}");
        }
        output
    }

    /// Until the store was not too slow for a check.
    fn shell(&self, line: &str) -> Output {
        loop {
            let output = self.server.shell(&format!("{}{line}", self.known));
            if !text(&output.stderr).contains("unavailable") {
                return output;
            }
        }
    }
}

/// The lines of the `sh` blocks, and beside the last of each the `text` block that follows it.
fn lines(section: &str) -> VecDeque<(String, Option<String>)> {
    let mut lines: VecDeque<(String, Option<String>)> = VecDeque::new();
    for (at, block) in section.split("```").enumerate().filter(|(at, _)| at % 2 == 1) {
        let (kind, body) = block.split_once('\n').unwrap_or_else(|| panic!("block {at}"));
        match kind {
            "sh" => lines.extend(body.lines().map(|line| (line.to_owned(), None))),
            _ => lines.back_mut().unwrap().1 = Some(body.to_owned()),
        }
    }
    lines
}

/// What is the same on every day: without ids, times, hashes, counts of entries, and what limits have left. Of the points of a usage nothing is: a
/// day may begin in one minute and go on in the next.
fn masked(printed: &str) -> Vec<String> {
    let printed = printed.replace("under 1 ms", "1 ms");
    let lines = printed.lines().filter(|line| !line.starts_with("20"));
    lines.map(|line| line.split_whitespace().map(word).collect::<Vec<_>>()).map(line).collect()
}

fn line(mut words: Vec<String>) -> String {
    if words.first().is_some_and(|first| first == "limit") {
        words.truncate(2);
    }
    if words.first().is_some_and(|first| ["entries", "waited"].contains(&first.as_str())) {
        words.truncate(1);
    }
    // the number of an entry
    if words.get(1).is_some_and(|second| second == "TIME") && words[0].parse::<u64>().is_ok() {
        words.remove(0);
    }
    words.join(" ")
}

fn word(word: &str) -> String {
    let (bare, comma) = word.strip_suffix(',').map_or((word, ""), |bare| (bare, ","));
    if bare.starts_with("20") && bare.ends_with('Z') && bare.contains('T') {
        return format!("TIME{comma}");
    }
    if let Some((before, _)) = bare.split_once("...") {
        return format!("{before}...");
    }
    if let Some((before, _)) = bare.split_once("key_").filter(|(_, id)| id.len() == 26) {
        return format!("{before}KEY{comma}");
    }
    match bare.split_once('/') {
        Some((_, hash)) if hash.len() == 64 => "ANCHOR".to_owned(),
        _ => word.to_owned(),
    }
}

fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let rest = text.split_once(from).unwrap_or_else(|| panic!("the guide has no {from:?}")).1;
    rest.split_once(to).map_or(rest, |(within, _)| within)
}
