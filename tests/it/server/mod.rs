//! The server as operators meet it: its ports, who may ask on them, what it tells, how it stops.

mod bodies;
mod certificates;
mod envoy_port;
mod http_port;
mod life;
mod remembered;
mod traces;

use crate::support::keyward::{Keyward, NewKey, Store};

const REALM: &str = "
realm: plain
hosts: [plain.test]
credentials: [{header: x-api-key}]
keys: [{prefix: pl_, alphabet: hex, length: 40}]
routes: [{prefix: /}]
";

/// A server on one small realm, its configuration edited, with one key.
fn server(store: &Store<'_>, edit: impl FnOnce(String) -> String) -> (Keyward, String) {
    let realms = tempfile::tempdir().unwrap();
    std::fs::write(realms.path().join("plain.yaml"), REALM).unwrap();
    let keyward = Keyward::start_edited(realms.path(), store, edit);
    keyward.create_owner("plain", "acme", None);
    let secret = keyward.create_key("plain", &NewKey { owner: "acme", label: "one", ..NewKey::default() }).secret;
    (keyward, secret)
}

/// The configuration with the Envoy port's settings in place of the test's plain ones.
fn with_envoy_port(config: &str, settings: &str) -> String {
    let plain = r#"envoy: {address: "127.0.0.1:0"}"#;
    assert!(config.contains(plain), "{config}");
    config.replacen(plain, &format!(r#"envoy: {{address: "127.0.0.1:0", {settings}}}"#), 1)
}
