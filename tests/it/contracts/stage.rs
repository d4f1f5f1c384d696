//! One contract's stage: keyward, Envoy and the upstream, the shell that asks, and the table that keeps the score.

use std::fs;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use tempfile::TempDir;

use super::table::Table;
use super::told::Told;
use crate::support::envoy::Envoy;
use crate::support::eventually;
use crate::support::keyward::{Keyward, Made, NewKey, Store};
use crate::support::redis::RedisServer;
use crate::support::shell::{Brought, Shell};
use crate::support::upstream::{Seen, Upstream};

/// Which store the contract is played on.
#[derive(Clone, Copy)]
pub(super) enum Engine {
    Embedded,
    Redis,
}

/// The parts, the secrets made so far, and the score.
pub(super) struct Stage {
    pub(super) realm: &'static str,
    pub(super) keyward: Keyward,
    engine: Engine,
    upstream: Upstream,
    shell: Shell,
    body: Vec<u8>,
    secrets: Vec<String>,
    table: Table,
    /// Tickets that were waited for.
    settled: u64,
    envoy: Envoy,
    _redis: Option<RedisServer>,
    _folder: TempDir,
}

impl Engine {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Redis => "redis",
        }
    }
}

impl Stage {
    /// Starts everything on the four realm files that we ship, of which `edit` may change the one that is played.
    pub(super) fn start(realm: &'static str, edit: fn(&str) -> String, engine: Engine) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let realms = folder.path().join("realms");
        copy_realms(&realms, realm, edit);
        let redis = matches!(engine, Engine::Redis).then(RedisServer::start);
        let keyward = match &redis {
            None => Keyward::start_edited(&realms, &Store::Embedded, |config| patient(&config)),
            Some(redis) => Keyward::start_edited(&realms, &Store::Redis(&redis.url()), |config| patient(&config)),
        };
        let upstream = Upstream::start();
        let envoy = Envoy::start_edited(keyward.envoy, upstream.address, |bootstrap| bootstrap.replace("timeout: 0.25s", "timeout: 10s"));
        let shell = Shell::new(folder.path(), &envoy);
        let body = body();
        fs::write(folder.path().join("body"), &body).unwrap();
        let (secrets, table) = (Vec::new(), Table::new(realm));
        Self { realm, keyward, engine, upstream, shell, body, secrets, table, settled: 0, envoy, _redis: redis, _folder: folder }
    }

    /// Ends the table; fails where a case did.
    pub(super) fn close(self) {
        if self.table.failed() {
            println!("keyward said:\n{}\nEnvoy said:\n{}", self.keyward.said(), self.envoy.said());
        }
        self.table.close(self.engine.name());
    }

    /// A line as it is pasted, and what is to come of it.
    pub(super) fn line(&mut self, name: &str, line: &str, expected: &str) {
        self.showing(&[], name, line, expected);
    }

    /// The same, looking at more headers of what the upstream saw.
    pub(super) fn showing(&mut self, shown: &[&str], name: &str, line: &str, expected: &str) {
        let (brought, seen) = self.ask(line);
        let identity = format!("x-{}-", self.realm);
        let told = Told { identity: &identity, shown, body: &self.body, secrets: &self.secrets };
        self.table.case(name, expected, &told.all(&brought, &seen));
    }

    /// Waits until this many more tickets were settled than when it was last asked.
    pub(super) fn settled(&mut self, more: u64) {
        self.settled += more;
        let settled = || self.keyward.metric(r#"keyward_tickets_total{fate="settled"}"#);
        eventually("what the upstream answered is settled", || (settled() >= self.settled).then_some(()));
    }

    /// Anything else that a case observes.
    pub(super) fn says(&mut self, name: &str, expected: &str, got: &str) {
        self.table.case(name, expected, got);
    }

    /// A line outside the table.
    pub(super) fn ask(&self, line: &str) -> (Brought, Vec<Seen>) {
        self.upstream.take();
        let brought = self.shell.run(line);
        (brought, self.upstream.take())
    }

    pub(super) fn owner(&self, owner: &str) {
        self.keyward.create_owner(self.realm, owner, None);
    }

    /// A key whose secret must never reach the upstream.
    pub(super) fn key(&mut self, key: &NewKey<'_>) -> Made {
        let made = self.keyward.create_key(self.realm, key);
        self.secrets.push(made.secret.clone());
        made
    }

    pub(super) fn revoke(&self, key: &Made) {
        self.keyward.revoke_key(self.realm, &key.id);
    }

    /// What get and list tell of a key, as printed.
    pub(super) fn shown(&self, key: &Made) -> String {
        format!("{}\n{}", self.keyward.get_key(self.realm, &key.id), self.keyward.list_keys(self.realm))
    }
}

/// A key's end that lies near, and the wait for it: expiry is the one case that time itself must play.
pub(super) struct Soon(Timestamp);

impl Soon {
    /// Long enough for the requests that come before it.
    pub(super) fn new() -> Self {
        Self(Timestamp::now().checked_add(Duration::from_secs(10)).unwrap())
    }

    /// As the command line takes it.
    pub(super) fn text(&self) -> String {
        self.0.to_string()
    }

    /// Waits until it is over, a moment more for clocks that differ.
    pub(super) fn pass(&self) {
        let left = Timestamp::now().duration_until(self.0);
        std::thread::sleep(Duration::try_from(left).unwrap_or_default() + Duration::from_millis(500));
    }
}

/// The contracts are not about time: a machine that is busy with other tests must not turn an answer into a 503.
fn patient(config: &str) -> String {
    config.replace(r#"redis: {url: "#, "redis: {timeout: 1s, url: ") + "check_deadline: 3s\n"
}

fn copy_realms(folder: &Path, realm: &str, edit: fn(&str) -> String) {
    fs::create_dir(folder).unwrap();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/realms");
    for file in fs::read_dir(shipped).unwrap() {
        let file = file.unwrap();
        let text = fs::read_to_string(file.path()).unwrap();
        let ours = file.file_name().to_string_lossy() == format!("{realm}.yaml");
        fs::write(folder.join(file.file_name()), if ours { edit(&text) } else { text }).unwrap();
    }
}

/// Longer than any buffer on the way, with bytes that a careless reader would change.
fn body() -> Vec<u8> {
    let mut body = b"{\"cliente\": \"Se\xc3\xb1or \xe2\x82\xac\",\r\n\t\"raw\": \"\xff\xfe\x00\", \"lines\": [".to_vec();
    body.extend(b"1, ".iter().cycle().take(200_000));
    body.extend_from_slice(b"2]}  \n");
    body
}
