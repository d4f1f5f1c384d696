//! One of several replicas on one Redis, as a process: the real binary, or this test binary run again with a protection taken off. It may be
//! paused, killed, and started again where it was.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use super::http;
use super::process::Process;

/// What it is started from.
#[derive(Debug, Clone)]
pub struct Plan {
    /// A folder of realm files.
    pub realms: PathBuf,
    /// Where Redis is, as the configuration says it.
    pub place: String,
    pub lease: Duration,
    /// What it listens on, for Envoy and for probes.
    pub host: IpAddr,
    pub launch: Launch,
    /// What else the configuration says under `store.redis`, each with its comma.
    pub store: String,
    /// How long a call of Redis may take.
    pub timeout: Duration,
}

/// What is run.
#[derive(Debug, Clone)]
pub enum Launch {
    Binary,
    /// The binary, with words before it that run it elsewhere.
    After(Vec<String>),
    /// A test of this binary that is a server, by its full name. It finds the configuration and the file to write its addresses to in
    /// [`CONFIG`] and [`ADDRESSES`].
    Test(&'static str),
}

/// Names of a test's environment.
pub const CONFIG: &str = "KEYWARD_TEST_CONFIG";
pub const ADDRESSES: &str = "KEYWARD_TEST_ADDRESSES";

/// Stopped when dropped.
pub struct Replica {
    pub envoy: SocketAddr,
    pub admin: SocketAddr,
    pub http: SocketAddr,
    plan: Plan,
    folder: TempDir,
    process: Process,
}

impl Plan {
    /// The binary on the loopback interface.
    pub fn new(realms: &Path, url: &str, lease: Duration) -> Self {
        let (host, launch) = ([127, 0, 0, 1].into(), Launch::Binary);
        // a busy machine must not be taken for a Redis that is away: as long as the lease and the deadline allow
        let timeout = (lease / 5).min(Duration::from_millis(400));
        Self { realms: realms.to_owned(), place: format!("url: {url:?}"), lease, host, launch, store: String::new(), timeout }
    }

    /// The same, with Redis elsewhere.
    pub fn at(self, url: &str) -> Self {
        Self { place: format!("url: {url:?}"), ..self }
    }

    /// The one-time secret of every replica.
    pub const BOOTSTRAP: &str = "a one-time secret of this test alone";

    fn config(&self) -> String {
        let Self { realms, place, lease, host, store, timeout, .. } = self;
        let (realms, lease, timeout) = (realms.display(), lease.as_millis(), timeout.as_millis());
        let any = format!(r#"{{address: "{host}:0"}}"#);
        let admin = r#"{address: "127.0.0.1:0"}"#;
        format!(
            "realms: {realms}\nstore: {{redis: {{{store} {place}, timeout: {timeout}ms}}}}\npepper_file: pepper\nbootstrap_file: bootstrap\n\
             listen: {{envoy: {any}, admin: {admin}, http: {any}}}\nleave: 0s\nlease: {lease}ms\ncheck_deadline: 1s\n"
        )
    }
}

impl Replica {
    /// Starts it, and waits until it says where it listens; it need not be ready.
    pub fn start(plan: Plan) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let pepper = data_encoding::BASE64.encode(&[7; 32]);
        std::fs::write(folder.path().join("pepper"), format!("1:{pepper}\n")).unwrap();
        std::fs::write(folder.path().join("bootstrap"), Plan::BOOTSTRAP).unwrap();
        std::fs::write(folder.path().join("keyward.yaml"), plan.config()).unwrap();
        let (process, [envoy, admin, http]) = launch(&plan.launch, folder.path());
        Self { envoy, admin, http, plan, folder, process }
    }

    /// Waits until it says that it is ready.
    pub fn ready(mut self) -> Self {
        self.wait_until_ready();
        self
    }

    pub fn wait_until_ready(&mut self) {
        let http = self.http;
        self.process.wait_for("readiness", || http::get(http, "/readyz").filter(|(status, _)| *status == 200));
    }

    pub fn is_ready(&self) -> bool {
        http::get(self.http, "/readyz").is_some_and(|(status, _)| status == 200)
    }

    /// Makes it stand still.
    pub fn pause(&self) {
        kill_process(self.pid(), Signal::STOP).unwrap();
    }

    /// Lets it go on.
    pub fn resume(&self) {
        kill_process(self.pid(), Signal::CONT).unwrap();
    }

    /// Ends it as a crash would.
    pub fn kill(&mut self) {
        let _ = kill_process(self.pid(), Signal::KILL);
        self.process.ended();
    }

    /// Starts it again where it was, once it has ended, on other ports. It need not be ready.
    pub fn again(&mut self) {
        std::fs::remove_file(self.folder.path().join("addresses")).unwrap();
        let (process, [envoy, admin, http]) = launch(&self.plan.launch, self.folder.path());
        (self.process, self.envoy, self.admin, self.http) = (process, envoy, admin, http);
    }

    /// Tells it to stop, and says with which code it ended.
    pub fn stop(&mut self) -> Option<i32> {
        self.process.stop()
    }

    /// What it has written to its log.
    pub fn said(&self) -> String {
        self.process.said()
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.process.id().cast_signed()).unwrap()
    }
}

/// A process that has said where it listens: for Envoy, for operators, and for probes.
fn launch(launch: &Launch, folder: &Path) -> (Process, [SocketAddr; 3]) {
    let mut command = match launch {
        Launch::Binary => Command::new(env!("CARGO_BIN_EXE_keyward")),
        Launch::After(words) => {
            let mut command = Command::new(&words[0]);
            command.args(&words[1..]).arg(env!("CARGO_BIN_EXE_keyward"));
            command
        }
        Launch::Test(name) => {
            let mut command = Command::new(std::env::current_exe().unwrap());
            command.args(["--exact", name, "--nocapture"]).env(CONFIG, folder.join("keyward.yaml"));
            command.env(ADDRESSES, folder.join("addresses"));
            command
        }
    };
    if !matches!(launch, Launch::Test(_)) {
        command.args(["serve", "--config", "keyward.yaml", "--addresses-file", "addresses"]);
    }
    let mut process = Process::start("keyward", command.current_dir(folder), &folder.join("log"));
    let file = folder.join("addresses");
    let addresses: Value = process.wait_for("addresses", || serde_json::from_slice(&std::fs::read(&file).ok()?).ok());
    (process, ["envoy", "admin", "http"].map(|port| addresses[port].as_str().unwrap().parse().unwrap()))
}
