//! The ways to get Envoy's external authorization dangerously wrong, each a test of its name. Where the trap is Envoy's, it runs through
//! the real one, and its control shows that the trap is there: an authorizer that steps into it.

mod authorizer;
mod bootstrap;
mod in_band;
mod lost_entries;
mod shared_connection;
mod trust;

use std::path::Path;

use tempfile::TempDir;

use crate::support::envoy::Envoy;
use crate::support::keyward::{Keyward, NewKey, Store};
use crate::support::shell::{Answer, Shell};
use crate::support::upstream::{Seen, Upstream};

/// keyward behind Envoy, with one key of Otesse's.
struct Scene {
    keyward: Keyward,
    upstream: Upstream,
    shell: Shell,
    secret: String,
    _envoy: Envoy,
    _folder: TempDir,
}

impl Scene {
    fn new(store: &Store<'_>, key: &NewKey<'_>, edit: impl FnOnce(String) -> String) -> Self {
        let keyward = Keyward::start(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/realms"), store);
        keyward.create_owner("otesse", "acme", None);
        let secret = keyward.create_key("otesse", key).secret;
        let upstream = Upstream::start();
        let envoy = Envoy::start_edited(keyward.envoy, upstream.address, edit);
        let folder = tempfile::tempdir().unwrap();
        let shell = Shell::new(folder.path(), &envoy);
        Self { keyward, upstream, shell, secret, _envoy: envoy, _folder: folder }
    }

    fn plain() -> Self {
        Self::new(&Store::Embedded, &key(), |bootstrap| bootstrap)
    }

    /// The answer to one curl line, and what the upstream saw of it.
    fn curl(&self, arguments: &str) -> (Answer, Option<Seen>) {
        curl(&self.shell, &self.upstream, arguments)
    }

    /// A request for bookings with the key, and with more headers.
    fn bookings(&self, headers: &str) -> (Answer, Option<Seen>) {
        self.curl(&format!("https://api.otesse.com/v1/bookings -H 'X-API-Key: {}' {headers}", self.secret))
    }
}

fn key() -> NewKey<'static> {
    NewKey { owner: "acme", label: "trap", scopes: &["bookings:read"], environment: Some("live"), ..NewKey::default() }
}

fn curl(shell: &Shell, upstream: &Upstream, arguments: &str) -> (Answer, Option<Seen>) {
    let mut brought = shell.run(&format!("curl {arguments}"));
    assert_eq!(brought.complaint, None, "curl {arguments}");
    (brought.answers.remove(0), upstream.take().pop())
}
