//! Files to checked values: what is accepted, what each mistake is called, and where.

mod denials;
mod document;
mod files;
mod limits;
mod peppers;
mod realm;
mod redis;
mod server;

use keyward::config::{self, Problems};
use keyward::domain::realm::Realm;

/// A realm in which everything is right: every test of a mistake changes one thing in it.
const VALID: &str = r#"realm: example
hosts: [api.example.com, "*.example.org"]
https: required
credentials:
  - header: authorization
    scheme: Bearer
  - query: key
  - cookie: session_key
keys:
  - prefix: live_
    alphabet: base62
    length: {min: 20, max: 64}
    minted: 40
    environment: live
    kind: secret
    plan: small
  - prefix: ""
    alphabet: hex
    length: 56
tenant: {header: x-tenant}
client_address: external_address
addresses: {allow: [192.0.2.0/24], deny: [192.0.2.7]}
scopes: [a:read, a:write]
routes:
  - path: /v1/a/{id}
    methods: [GET, HEAD]
    extensions: {policy: search}
    scopes: [a:read]
    kinds: [secret]
    environments: [live]
    cost: 5
    anonymous: false
    credentials: [{header: x-api-key}]
  - prefix: /v1/a
plans:
  small:
    - {limit: minute, per: key, most: 5, window: 1m}
    - {limit: hour, per: owner, most: 100, window: 1h}
default_plan: small
identity:
  x-owner: ${owner.id}
denials:
  limited:
    status: 429
    headers: {x-wait: "${retry_after}"}
    text: "${reason}"
    grpc: {code: RESOURCE_EXHAUSTED, message: slow down}
when_store_is_away: {records: deny, limits: deny}
"#;

/// A problem: its line, its key and what it says.
type Found = (usize, String, String);

/// The valid realm with one text changed.
fn with(from: &str, to: &str) -> String {
    assert_eq!(VALID.matches(from).count(), 1, "{from:?} must stand in the valid realm once");
    VALID.replace(from, to)
}

fn read(text: &str) -> Realm {
    config::realm("example.yaml", text).unwrap_or_else(|problems| panic!("{problems}\n{text}"))
}

fn problems(text: &str) -> Vec<Found> {
    let Err(Problems(problems)) = config::realm("example.yaml", text) else { panic!("was accepted:\n{text}") };
    assert!(!problems.is_empty() && problems.iter().all(|problem| problem.file == "example.yaml"), "{problems:?}");
    problems.into_iter().map(|problem| (problem.line, problem.key, problem.says)).collect()
}

/// Changes one text, and demands one problem: on the first line that differs, at this key, saying this.
fn refused(from: &str, to: &str, key: &str, says: &str) {
    let text = with(from, to);
    let line = 1 + text.lines().zip(VALID.lines()).take_while(|(new, old)| new == old).count();
    refused_at(&text, line, key, says);
}

fn refused_at(text: &str, line: usize, key: &str, says: &str) {
    match &problems(text)[..] {
        [found] if found.0 == line && found.1 == key && found.2.contains(says) => {}
        found => panic!("expected {line}: {key}: …{says}…, and found {found:#?}"),
    }
}

#[test]
fn the_valid_realm_is_valid_or_no_refusal_here_would_show_anything() {
    read(VALID);
}
