//! What holds of every document, whatever its keys mean.

use std::cell::Cell;

use keyward::config;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::{VALID, problems, read, refused, refused_at, with};

#[test]
fn ten_mistakes_in_one_file_are_ten_problems_each_with_its_line_and_key() {
    let text = r#"
realm: Example
hosts: [api.example.com, "http://x"]
https: any
credentials:
  - header: authorization
    schema: Bearer
keys:
  - prefix: live_
    alphabet: base62
    length: 21
  - prefix: test_
    alphabet: base26
    length: 40
scopes: [read]
scopes: [write]
routes:
  - path: /v1/{id}
    methods: [GET, get]
    scopes: [write]
  - prefix: v1
plans:
  small:
    - {limit: minute, per: key, most: 0, window: 1m}
"#;
    let found: Vec<String> = problems(text).into_iter().map(|(line, key, says)| format!("{line} {key}: {says}")).collect();
    let expected: [&str; 10] = [
        "2 realm: a realm's id must be",
        "3 hosts[1]: must be a name",
        "7 credentials[0].schema: is no key here: did you mean `scheme`?",
        "11 keys[0].length: makes secrets of 125 random bits",
        "13 keys[1].alphabet: must be `hex`",
        "16 scopes: stands here twice, first in line 15",
        "19 routes[0].methods[1]: must be upper case",
        "20 routes[0].scopes[0]: the scope write is not listed",
        "21 routes[1].prefix: \"v1\" is no path",
        "24 plans.small[0].most: must be a number from 1 to 4294967295, and is 0",
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found}\n{expected}");
    }
}

#[test]
fn an_unknown_key_is_refused_wherever_it_stands_and_the_nearest_known_one_is_named() {
    refused("https: required", "http: required", "http", "did you mean `https`?");
    refused("    scheme: Bearer", "    shceme: Bearer", "credentials[0].shceme", "did you mean `scheme`?");
    refused("minted: 40", "minted: 40\n    mintd: 40", "keys[0].mintd", "did you mean `minted`?");
    refused("{min: 20, max: 64}", "{min: 20, max: 64, mid: 30}", "keys[0].length.mid", "is no key here");
    refused("deny: [192.0.2.7]", "dney: [192.0.2.7]", "addresses.dney", "did you mean `deny`?");
    refused(
        "    cost: 5",
        "    weight: 5",
        "routes[0].weight",
        "there is `path`, `prefix`, `methods`, `extensions`, `scopes`, `kinds`, `environments`, `cost`",
    );
    refused("{header: x-tenant}", "{header: x-tenant, optional: true}", "tenant.optional", "is no key here");
    refused("most: 5,", "most: 5, burst: 9,", "plans.small[0].burst", "is no key here");
    refused("message: slow down", "text: slow down", "denials.limited.grpc.text", "is no key here");
    refused("{records: deny, limits: deny}", "{record: deny}", "when_store_is_away.record", "did you mean `records`?");
    refused("  - query: key", "  - query: key\n    scheme: Bearer", "credentials[1].scheme", "is no key here");
}

#[test]
fn a_key_that_stands_twice_is_refused_and_everything_else_is_still_read() {
    refused("https: required", "https: required\nhttps: any", "https", "stands here twice, first in line 3");
    let both = with("https: required", "\"https\": required\nhttps: any").replace("most: 5,", "most: five,");
    let keys: Vec<_> = problems(&both).into_iter().map(|(line, key, _)| (line, key)).collect();
    assert_eq!(keys, [(4, "https".into()), (38, "plans.small[0].most".into())]);
    refused("x-owner: ${owner.id}", "x-owner: ${owner.id}\n  x-owner: ${key.id}", "identity.x-owner", "stands here twice");
    refused("text: \"${reason}\"", "json: {a: 1, a: 2}", "denials.limited.json.a", "twice");
    let marked = format!("\u{feff}# ñ €\n{}", with("https: required", "https: required\nhttps: any"));
    refused_at(&marked, 5, "https", "stands here twice, first in line 4");
    let thrice = with("https: required", "https: required\r\nhttps: any\r\nhttps: any");
    assert_eq!(problems(&thrice).iter().map(|(line, ..)| *line).collect::<Vec<_>>(), [4, 5]);
}

#[test]
fn a_required_key_that_is_missing_is_named_in_full() {
    refused_at(&with("realm: example\n", ""), 1, "realm", "is missing");
    refused_at(&with("  - prefix: \"\"\n    alphabet: hex\n", "  - prefix: \"\"\n"), 17, "keys[1].alphabet", "is missing");
    refused_at(&with("{min: 20, max: 64}", "{min: 20}"), 12, "keys[0].length.max", "is missing");
    refused_at(&with("per: key, ", ""), 37, "plans.small[0].per", "is missing");
    refused_at(&with("tenant: {header: x-tenant}", "tenant: {required: false}"), 20, "tenant.header", "is missing");
    refused_at(&with("  - query: key\n", "  - {}\n"), 7, "credentials[1]", "must have `header`, `query` or `cookie`");
    let keys: Vec<String> = problems("https: any").into_iter().map(|(line, key, _)| format!("{line} {key}")).collect();
    assert_eq!(keys, ["1 credentials", "1 hosts", "1 keys", "1 realm", "1 routes"]);
}

#[test]
fn a_value_of_another_type_is_refused_and_says_what_it_is() {
    refused("realm: example", "realm: 1.0", "realm", "must be text (put it in quotes), and is 1.0");
    refused("realm: example", "realm:", "realm", "must be text, and is nothing");
    refused("realm: example", "realm: !mine example", "realm", "must be text, and is tagged");
    refused("hosts: [api.example.com, \"*.example.org\"]", "hosts: api.example.com", "hosts", "must be a list, and is \"api.example.com\"");
    refused("tenant: {header: x-tenant}", "tenant: x-tenant", "tenant", "must be a map");
    refused("cost: 5", "cost: \"5\"", "routes[0].cost", "must be a number");
    refused("cost: 5", "cost: 1.5", "routes[0].cost", "must be a number");
    refused("anonymous: false", "anonymous: no", "routes[0].anonymous", "must be true or false, and is \"no\"");
    refused("x-owner: ${owner.id}", "7: ${owner.id}", "identity", "must be text (put it in quotes), and is 7");
    refused("tenant: {header: x-tenant}", "tenant:", "tenant", "must be a map, and is nothing");
}

#[test]
fn line_endings_a_byte_order_mark_and_quotes_change_nothing() {
    let valid = read(VALID);
    assert_eq!(read(&VALID.replace('\n', "\r\n")), valid);
    assert_eq!(read(&format!("\u{feff}{VALID}")), valid);
    assert_eq!(read(&with("realm: example", "\"realm\": 'example'")), valid);
    refused("https: required", "\"a\\nb\": 1\nhttps: required", "a\\nb", "is no key here");
}

#[test]
fn what_is_no_document_at_all_is_one_problem() {
    refused_at("", 0, "", "is empty");
    refused_at("# only a comment\n", 0, "", "is empty");
    refused_at("realm: [", 2, "", "is no YAML");
    refused_at(&format!("{VALID}---\nrealm: other\n"), VALID.lines().count() + 2, "", "begins a second document");
    refused_at("- a\n", 1, "", "must be a map");
}

/// Its control: without the bound the first of these texts overflows the stack.
#[test]
fn nesting_that_no_file_needs_is_refused_before_it_costs_the_stack() {
    for open in ["? ", "- ", ": - ", "-\t"] {
        refused_at(&open.repeat(100_000), 1, "", "nest less deeply");
        refused_at(&format!("realm: x\r{}", open.repeat(100_000)), 1, "", "nest less deeply");
    }
    let stairs = |steps: usize| (0..steps).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect::<Vec<_>>().concat();
    refused_at(&stairs(1000), 202, "", "nest less deeply");
    assert!(problems(&stairs(201)).contains(&(1, "realm".into(), "is missing".into())));
    for (open, close) in [("[", "]"), ("{a: ", "}")] {
        assert_eq!(problems(&open.repeat(100_000)).len(), 1);
        let deepest = format!("{}{}{}", "? ".repeat(100), open.repeat(250), close.repeat(250));
        assert!(problems(&deepest).contains(&(1, "realm".into(), "is missing".into())));
        read(&with("text: \"${reason}\"", &format!("json: {}1{}", open.repeat(250), close.repeat(250))));
    }
}

#[test]
fn aliases_are_read_as_what_they_stand_for_and_never_without_bound() {
    read(
        &with("credentials: [{header: x-api-key}]", "credentials: [&own {header: x-api-key}]")
            .replace("  - prefix: /v1/a\n", "  - prefix: /v1/a\n    credentials: [*own]\n"),
    );
    let bomb: Vec<String> = (1..30).map(|depth| format!("a{depth}: &a{depth} [*a{0}, *a{0}]\n", depth - 1)).collect();
    let bomb = format!("a0: &a0 x\n{}", bomb.concat());
    assert_eq!(problems(&bomb).len(), 1);
    let chain: Vec<String> = (1..400).map(|depth| format!("a{depth}: &a{depth} [*a{}]\n", depth - 1)).collect();
    let chained = format!("a0: &a0 x\n{}{}", chain.concat(), with("text: \"${reason}\"", "json: *a300"));
    assert_eq!(problems(&chained).len(), 400);
}

#[test]
fn a_problem_prints_as_file_line_key_and_sentence() {
    let problems = config::realm("realms/a.yaml", &with("cost: 5", "cost: 0")).unwrap_err();
    assert_eq!(problems.to_string(), "realms/a.yaml:31: routes[0].cost: must be a number from 1 to 4294967295, and is 0");
    assert_eq!(config::realm("realms/a.yaml", "").unwrap_err().to_string(), "realms/a.yaml: is empty");
}

/// Bytes that mean something to YAML.
const SYNTAX: &[u8] = b"{}[]:,-?&*!|>'\"%@`#<= \n\t\r\0";

fn changed(changes: &[(prop::sample::Index, u8, u8)]) -> String {
    let mut bytes = VALID.as_bytes().to_vec();
    for (at, byte, how) in changes {
        let at = at.index(bytes.len());
        let syntax = SYNTAX[usize::from(*byte) % SYNTAX.len()];
        match how {
            0 => bytes[at] = *byte,
            1..3 => bytes[at] = syntax,
            3..5 => bytes.insert(at, syntax),
            5 => drop(bytes.remove(at)),
            _ => bytes.truncate(at + 2),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Its control: many of the files are refused and many are not, so it is not one early refusal that keeps the rest from being read.
#[test]
fn whatever_bytes_are_changed_a_file_is_read_or_refused_and_never_panics() {
    let (read, refused, odd_keys) = (Cell::new(0), Cell::new(0), Cell::new(0));
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..7_u8), 1..4);
    let config = Config { cases: 3000, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&changes, |changes| {
        let text = changed(&changes);
        let Err(problems) = config::realm("example.yaml", &text) else {
            read.set(read.get() + 1);
            return Ok(());
        };
        refused.set(refused.get() + 1);
        odd_keys.set(odd_keys.get() + usize::from(problems.0.iter().any(|problem| !problem.key.is_empty())));
        let lines = text.lines().count() + text.matches('\r').count() + 1;
        prop_assert!(!problems.0.is_empty());
        prop_assert!(problems.0.iter().all(|problem| problem.line <= lines), "{}", problems);
        Ok(())
    });
    outcome.unwrap();
    let (read, refused, odd_keys) = (read.get(), refused.get(), odd_keys.get());
    assert!(read > 30 && refused > 1000 && odd_keys > 500, "{read} read, {refused} refused, {odd_keys} of them by a key");
}
