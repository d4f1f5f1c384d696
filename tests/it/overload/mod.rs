//! More than can be answered: what is refused, when, and what is not; and a server that leaves while it is asked.

mod capped;
mod deadlines;
mod leaving;
mod restarts;
mod shedding;
mod thrice;
mod through_envoy;

use crate::support::keyward::{Keyward, NewKey, Store};

const REALM: &str = "
realm: plain
hosts: [plain.test, api.otesse.com]
credentials: [{header: x-api-key}]
keys: [{prefix: pl_, alphabet: hex, length: 40}]
routes: [{prefix: /}]
";

/// A server on one small realm, its configuration edited, with one key that it has not seen yet.
pub(crate) fn server(store: &Store<'_>, edit: impl FnOnce(String) -> String) -> (Keyward, String) {
    let realms = realms();
    let keyward = Keyward::start_edited(realms.path(), store, edit);
    let secret = key(&keyward);
    (keyward, secret)
}

fn realms() -> tempfile::TempDir {
    let realms = tempfile::tempdir().unwrap();
    std::fs::write(realms.path().join("plain.yaml"), REALM).unwrap();
    realms
}

fn key(keyward: &Keyward) -> String {
    keyward.create_owner("plain", "acme", None);
    keyward.create_key("plain", &NewKey { owner: "acme", label: "one", ..NewKey::default() }).secret
}

/// Enough for a busy machine while Redis is held back.
fn patient(config: &str, more: &str) -> String {
    config.replace("redis: {url", "redis: {timeout: 4s, url") + "check_deadline: 10s\nlease: 60s\n" + more
}
