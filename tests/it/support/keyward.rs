//! The real binary as a process, and its own command line as the admin's hand.

use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::http;
use super::process::Process;
use super::watched::{self, Watched};

/// The running server, stopped when this is dropped.
pub struct Keyward {
    /// Where Envoy asks.
    pub envoy: SocketAddr,
    pub admin: SocketAddr,
    pub http: SocketAddr,
    logged: Logged,
    watched: Watched,
    folder: TempDir,
    process: Process,
}

/// What the server and the command line say of what they do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Logged {
    AsEver,
    /// All that an operator can have them say.
    Everything,
}

/// Where it keeps its state.
pub enum Store<'a> {
    Embedded,
    /// The URL of a Redis.
    Redis(&'a str),
}

/// A key to be made.
#[derive(Default)]
pub struct NewKey<'a> {
    pub owner: &'a str,
    pub label: &'a str,
    pub scopes: &'a [&'a str],
    pub environment: Option<&'a str>,
    pub kind: Option<&'a str>,
    pub plan: Option<&'a str>,
    pub tenant: Option<&'a str>,
    pub addresses: &'a [&'a str],
    pub expire_time: Option<&'a str>,
    /// Taken verbatim instead of a minted one.
    pub secret: Option<&'a str>,
}

/// A key that was made.
#[derive(Clone)]
pub struct Made {
    /// Its id, without the realm.
    pub id: String,
    pub secret: String,
    /// All that was printed.
    pub printed: Value,
}

impl Keyward {
    /// Starts on the realm files of a folder, waits until it is ready, and redeems the bootstrap secret for an admin token.
    pub fn start(realms: &Path, store: &Store<'_>) -> Self {
        Self::start_edited(realms, store, |config| config)
    }

    /// The same, with changes of the test's own to the configuration.
    pub fn start_edited(realms: &Path, store: &Store<'_>, edit: impl FnOnce(String) -> String) -> Self {
        Self::without_token(realms, store, edit).bootstrapped(store)
    }

    /// The same, without an admin token: the store may be away.
    pub fn without_token(realms: &Path, store: &Store<'_>, edit: impl FnOnce(String) -> String) -> Self {
        Self::starting(realms, store, edit).ready()
    }

    /// The same, not ready yet.
    pub fn starting(realms: &Path, store: &Store<'_>, edit: impl FnOnce(String) -> String) -> Self {
        Self::starting_in(tempfile::tempdir().unwrap(), Logged::AsEver, |folder| edit(config(folder, realms, store)))
    }

    /// The same, in a folder that the test has filled, on a configuration of its own.
    pub fn starting_in(folder: TempDir, logged: Logged, config: impl FnOnce(&Path) -> String) -> Self {
        let config = config(folder.path());
        let mut process = serve(folder.path(), &config, logged);
        let file = folder.path().join("addresses");
        let addresses: Value = process.wait_for("addresses", || serde_json::from_slice(&fs::read(&file).ok()?).ok());
        let address = |port: &str| addresses[port].as_str().unwrap().parse().unwrap();
        Self {
            envoy: address("envoy"),
            admin: address("admin"),
            http: address("http"),
            logged,
            watched: Watched::default(),
            folder,
            process,
        }
    }

    /// Starts where it must not: what it says before it ends. `prepare` may change the folder that it starts in.
    pub fn refuses_to_start(realms: &Path, store: &Store<'_>, prepare: impl FnOnce(&Path)) -> String {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path(), realms, store);
        prepare(folder.path());
        let mut process = serve(folder.path(), &config, Logged::AsEver);
        let code = process.ended();
        assert!(code.is_some_and(|code| code != 0), "keyward did not refuse to start ({code:?}):\n{}", process.said());
        process.said()
    }

    /// Waits until it is ready.
    pub fn ready(mut self) -> Self {
        self.wait_until_ready();
        self
    }

    /// Redeems the bootstrap secret.
    pub fn bootstrapped(self, store: &Store<'_>) -> Self {
        let secret = match store {
            Store::Embedded => self.at("data/bootstrap"),
            Store::Redis(_) => self.at("bootstrap"),
        };
        let printed = self.cli(&["bootstrap", "--secret-file", secret.to_str().unwrap(), "--output", "json"]);
        fs::write(self.at("token"), printed["token"].as_str().unwrap()).unwrap();
        self
    }

    /// Makes an owner, of a plan where one is named.
    pub fn create_owner(&self, realm: &str, owner: &str, plan: Option<&str>) -> Value {
        let mut line = vec!["owners", "create", "--realm", realm, owner];
        line.extend(plan.into_iter().flat_map(|plan| ["--plan", plan]));
        self.cli(&with_json(&line))
    }

    pub fn disable_owner(&self, realm: &str, owner: &str) -> Value {
        self.cli(&with_json(&["owners", "disable", "--realm", realm, owner]))
    }

    pub fn enable_owner(&self, realm: &str, owner: &str) -> Value {
        self.cli(&with_json(&["owners", "enable", "--realm", realm, owner]))
    }

    /// Makes a key.
    pub fn create_key(&self, realm: &str, key: &NewKey<'_>) -> Made {
        let output = self.try_create_key(realm, key);
        let printed = json(&["keys", "create"], &output);
        let id = id_of(printed["key"]["name"].as_str().unwrap());
        // A secret that was given is not told again.
        let secret = key.secret.map_or_else(|| printed["secret"].as_str().unwrap().to_owned(), ToOwned::to_owned);
        Made { id, secret, printed }
    }

    /// What the command line answers to a key to be made, be it good or bad.
    pub fn try_create_key(&self, realm: &str, key: &NewKey<'_>) -> Output {
        let mut line = vec!["keys", "create", "--realm", realm, "--owner", key.owner, "--label", key.label];
        line.extend(key.scopes.iter().flat_map(|scope| ["--scope", scope]));
        line.extend(key.addresses.iter().flat_map(|address| ["--address", address]));
        let single = [
            ("--environment", key.environment),
            ("--kind", key.kind),
            ("--plan", key.plan),
            ("--tenant", key.tenant),
            ("--expire-time", key.expire_time),
        ];
        line.extend(single.into_iter().filter_map(|(flag, value)| Some([flag, value?])).flatten());
        line.extend(key.secret.map(|_| "--secret-stdin"));
        self.run(&with_json(&line), key.secret.unwrap_or_default())
    }

    pub fn get_key(&self, realm: &str, key: &str) -> Value {
        self.cli(&with_json(&["keys", "get", "--realm", realm, key]))
    }

    /// The list as it is printed.
    pub fn list_keys(&self, realm: &str) -> Value {
        self.cli(&with_json(&["keys", "list", "--realm", realm]))
    }

    pub fn revoke_key(&self, realm: &str, key: &str) -> Value {
        self.cli(&with_json(&["keys", "revoke", "--realm", realm, key]))
    }

    /// One command that must succeed and print JSON.
    pub fn cli(&self, line: &[&str]) -> Value {
        json(line, &self.run(line, ""))
    }

    /// Lines of a shell that knows where the server is, whatever becomes of them.
    pub fn shell(&self, lines: &str) -> Output {
        let path = format!("{}:{}", Path::new(binary()).parent().unwrap().display(), std::env::var("PATH").unwrap());
        self.at_home(Command::new("bash")).args(["-c", lines]).env("PATH", path).stdin(Stdio::null()).output().unwrap()
    }

    fn at_home(&self, mut command: Command) -> Command {
        command.current_dir(self.folder.path());
        self.logged.tell(&mut command);
        command.env("KEYWARD_GATE", format!("http://{}", self.envoy));
        command.env("KEYWARD_SERVER", format!("http://{}", self.admin)).env("KEYWARD_TOKEN_FILE", self.at("token"));
        command
    }

    /// One command, whatever becomes of it.
    pub fn run(&self, line: &[&str], stdin: &str) -> Output {
        let mut command = self.at_home(Command::new(binary()));
        command.args(line);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // A command that reads nothing may have closed its end already.
        let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        let output = child.wait_with_output().unwrap();
        self.watched.heard(line, stdin, &output.stdout);
        output
    }

    /// The value of a metric, by its name and labels as they are written; 0 where it has not been counted yet.
    pub fn metric(&self, name: &str) -> u64 {
        let (_, text) = http::get(self.http, "/metrics").unwrap_or_default();
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.map_or(0, |value| value.parse().unwrap())
    }

    /// The process's id.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Tells it to stop, and says with which code it ended.
    pub fn stop(&mut self) -> Option<i32> {
        self.process.stop()
    }

    /// Ends it as a crash would.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts again in its folder, after it was stopped, and waits until it is ready.
    pub fn again(&mut self) {
        self.again_unready();
        self.wait_until_ready();
    }

    /// Waits until it is ready.
    pub fn wait_until_ready(&mut self) {
        let http = self.http;
        self.process.wait_for("readiness", || http::get(http, "/readyz").filter(|(status, _)| *status == 200));
    }

    /// The same, not ready yet.
    pub fn again_unready(&mut self) {
        let file = self.at("addresses");
        fs::remove_file(&file).unwrap();
        let config = fs::read_to_string(self.at("keyward.yaml")).unwrap();
        self.process = serve(self.folder.path(), &config, self.logged);
        let addresses: Value = self.process.wait_for("addresses", || serde_json::from_slice(&fs::read(&file).ok()?).ok());
        let address = |port: &str| addresses[port].as_str().unwrap().parse().unwrap();
        (self.envoy, self.admin, self.http) = (address("envoy"), address("admin"), address("http"));
    }

    /// What it has written to its log.
    pub fn said(&self) -> String {
        self.process.said()
    }

    /// Where it runs and keeps its files.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// What is left of it is looked through, unless the test has failed already.
impl Drop for Keyward {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let metrics = http::get(self.http, "/metrics").map(|(_, text)| text.into_bytes()).unwrap_or_default();
        self.process.kill();
        self.watched.looks_at(self.folder.path(), &[("its log", self.said().into_bytes()), ("its metrics", metrics)]);
    }
}

impl Logged {
    fn tell(self, command: &mut Command) {
        if self == Self::Everything || watched::says_everything() {
            command.envs([("RUST_LOG", "trace"), ("RUST_BACKTRACE", "full")]);
        }
    }
}

fn binary() -> &'static str {
    env!("CARGO_BIN_EXE_keyward")
}

fn serve(folder: &Path, config: &str, logged: Logged) -> Process {
    fs::write(folder.join("keyward.yaml"), config).unwrap();
    let mut command = Command::new(binary());
    command.current_dir(folder).args(["serve", "--config", "keyward.yaml", "--addresses-file", "addresses"]);
    logged.tell(&mut command);
    Process::start("keyward", &mut command, &folder.join("log"))
}

/// The server's configuration; on Redis, with a pepper and a bootstrap secret of the test's own.
fn config(folder: &Path, realms: &Path, store: &Store<'_>) -> String {
    let store = match store {
        Store::Embedded => "store: {embedded: {folder: data}}\n".to_owned(),
        Store::Redis(url) => {
            let pepper = data_encoding::BASE64.encode(&[7; 32]);
            fs::write(folder.join("pepper"), format!("1:{pepper}\n")).unwrap();
            fs::write(folder.join("bootstrap"), "a one-time secret of this test alone\n").unwrap();
            format!("store: {{redis: {{url: {url:?}}}}}\npepper_file: pepper\nbootstrap_file: bootstrap\n")
        }
    };
    let any = r#"{address: "127.0.0.1:0"}"#;
    format!("realms: {}\n{store}listen: {{envoy: {any}, admin: {any}, http: {any}}}\nleave: 0s\n", realms.display())
}

fn with_json<'a>(line: &[&'a str]) -> Vec<&'a str> {
    line.iter().copied().chain(["--output", "json"]).collect()
}

fn json(line: &[&str], output: &Output) -> Value {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "`keyward {}` failed: {said}", line.join(" "));
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("`keyward {}` printed no JSON: {error}", line.join(" ")))
}

/// The last part of a resource's name.
fn id_of(name: &str) -> String {
    name.rsplit('/').next().unwrap_or(name).to_owned()
}
