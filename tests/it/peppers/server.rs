//! A server that is stopped and started again where it was, with another pepper file: the real binary.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Output};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::http;
use crate::support::process::Process;

const BOOTSTRAP: &str = "a one-time secret of this test alone";

/// Stopped when dropped.
pub struct Server {
    pub envoy: SocketAddr,
    admin: SocketAddr,
    http: SocketAddr,
    folder: TempDir,
    process: Process,
    /// The admin token, where it is not its own.
    token: Option<PathBuf>,
}

impl Server {
    /// On the embedded store, or on Redis where there is a URL. Records are read again after a second, so that used keys are soon found.
    pub fn start(redis: Option<&str>, peppers: &str) -> Self {
        Self::of_realm("pep", redis, peppers)
    }

    /// The same, with another realm as the only one that it serves.
    pub fn of_realm(realm: &str, redis: Option<&str>, peppers: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = redis.map_or("embedded: {folder: data}".to_owned(), |url| format!("redis: {{url: {url:?}, timeout: 400ms}}"));
        let any = r#"{address: "127.0.0.1:0"}"#;
        let config = format!(
            "realms: realms\nstore: {{{store}}}\npepper_file: pepper\nbootstrap_file: bootstrap\nlisten: {{envoy: {any}, admin: {any}, http: \
             {any}}}\nleave: 0s\nlease: 2s\nrecords: {{max_age: 1s}}\ncheck_deadline: 2s\n"
        );
        std::fs::create_dir(folder.path().join("realms")).unwrap();
        for (name, text) in
            [("realms/realm.yaml", &*realm_file(realm)), ("keyward.yaml", &config), ("pepper", peppers), ("bootstrap", BOOTSTRAP)]
        {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let (process, [envoy, admin, http]) = launch(&folder);
        Self { envoy, admin, http, folder, process, token: None }.ready()
    }

    /// Redeems the bootstrap secret.
    pub fn bootstrapped(self) -> Self {
        let made = self.cli(&["bootstrap", "--secret-file", "bootstrap"]);
        std::fs::write(self.at("token"), made["token"].as_str().unwrap()).unwrap();
        self
    }

    /// With the other's admin token.
    pub fn with_token_of(self, other: &Self) -> Self {
        Self { token: Some(other.at("token")), ..self }
    }

    /// Another pepper file, and a restart.
    pub fn restarted(mut self, peppers: &str) -> Self {
        assert_eq!(self.process.stop(), Some(0), "{}", self.process.said());
        self.started(peppers)
    }

    /// The same, with another realm as the only one that it serves.
    pub fn restarted_for(self, realm: &str, peppers: &str) -> Self {
        std::fs::write(self.at("realms/realm.yaml"), realm_file(realm)).unwrap();
        self.restarted(peppers)
    }

    /// The same, where it has ended.
    pub fn started(self, peppers: &str) -> Self {
        std::fs::write(self.at("pepper"), peppers).unwrap();
        let _ = std::fs::remove_file(self.at("addresses"));
        let (process, [envoy, admin, http]) = launch(&self.folder);
        Self { envoy, admin, http, process, ..self }.ready()
    }

    /// A start with another pepper file that must fail; what is said then.
    pub fn refuses(&mut self, peppers: &str) -> String {
        assert_eq!(self.process.stop(), Some(0), "{}", self.process.said());
        std::fs::write(self.at("pepper"), peppers).unwrap();
        self.process = Process::start("keyward", &mut serve(&self.folder), &self.at("log"));
        let code = self.ended();
        assert!(code.is_some_and(|code| code != 0), "{code:?}: {}", self.process.said());
        self.process.said()
    }

    /// Waits for its end.
    pub fn ended(&mut self) -> Option<i32> {
        self.process.ended()
    }

    pub fn said(&self) -> String {
        self.process.said()
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.process.id().cast_signed()).unwrap(), signal).unwrap();
    }

    /// A key of the owner `acme`: its name and its secret.
    pub fn key(&self) -> (String, String) {
        self.key_in("pep")
    }

    /// The same, of this realm.
    pub fn key_in(&self, realm: &str) -> (String, String) {
        let made = self.cli(&["keys", "create", "--realm", realm, "--owner", "acme"]);
        (made["key"]["name"].as_str().unwrap().to_owned(), made["secret"].as_str().unwrap().to_owned())
    }

    /// One row of the status.
    pub fn status(&self, version: &str) -> Value {
        let all = self.cli(&["pepper", "status"]);
        all["peppers"].as_array().unwrap().iter().find(|one| one["version"] == version).cloned().unwrap_or_default()
    }

    /// The version that new secrets are put under.
    pub fn in_use(&self) -> String {
        let all = self.cli(&["pepper", "status"]);
        let one = all["peppers"].as_array().unwrap().iter().find(|one| one["in_use"] == true).cloned().unwrap_or_default();
        one["version"].as_str().unwrap_or_default().to_owned()
    }

    /// A command that must succeed and print JSON.
    pub fn cli(&self, line: &[&str]) -> Value {
        let output = self.run(line);
        assert!(output.status.success(), "{line:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    pub fn run(&self, line: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keyward"));
        let token = self.token.clone().unwrap_or_else(|| self.at("token"));
        command.args(line).args(["--output", "json"]).current_dir(self.folder.path());
        command.env("KEYWARD_SERVER", format!("http://{}", self.admin)).env("KEYWARD_TOKEN_FILE", token);
        command.output().unwrap()
    }

    /// The value of a metric.
    pub fn metric(&self, name: &str) -> u64 {
        let (_, text) = http::get(self.http, "/metrics").unwrap_or_default();
        text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).map_or(0, |value| value.parse().unwrap())
    }

    pub fn admin_url(&self) -> String {
        format!("http://{}", self.admin)
    }

    pub fn token(&self) -> String {
        std::fs::read_to_string(self.token.clone().unwrap_or_else(|| self.at("token"))).unwrap()
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn ready(mut self) -> Self {
        let http = self.http;
        self.process.wait_for("readiness", || http::get(http, "/readyz").filter(|(status, _)| *status == 200));
        self
    }
}

fn realm_file(realm: &str) -> String {
    format!(
        "realm: {realm}\nhosts: [{realm}.test]\ncredentials: [{{header: x-api-key}}]\nkeys: [{{prefix: {realm}_, alphabet: hex, length: 32}}]\n\
         routes: [{{prefix: /}}]\n"
    )
}

fn serve(folder: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keyward"));
    command.current_dir(folder.path()).args(["serve", "--config", "keyward.yaml", "--addresses-file", "addresses"]);
    command
}

fn launch(folder: &TempDir) -> (Process, [SocketAddr; 3]) {
    let mut process = Process::start("keyward", &mut serve(folder), &folder.path().join("log"));
    let file = folder.path().join("addresses");
    let addresses: Value = process.wait_for("addresses", || serde_json::from_slice(&std::fs::read(&file).ok()?).ok());
    (process, ["envoy", "admin", "http"].map(|port| addresses[port].as_str().unwrap().parse().unwrap()))
}
