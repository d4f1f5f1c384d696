//! A real Envoy on the bootstrap that we ship, `deploy/envoy/envoy.yaml`: only ports and certificates are the test's own.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use super::process::Process;
use super::{certs, http};

/// The hosts of the four realms; the certificate is for these.
pub const HOSTS: [&str; 4] = ["ocote.io", "api.otesse.com", "api.ocus.io", "api.azotte.com"];

/// The running proxy, stopped when this is dropped.
pub struct Envoy {
    pub tls: SocketAddr,
    pub plain: SocketAddr,
    admin: SocketAddr,
    /// The authority that clients are to trust.
    pub authority: PathBuf,
    process: Process,
    _folder: TempDir,
}

impl Envoy {
    /// Starts on the shipped bootstrap.
    pub fn start(keyward: SocketAddr, upstream: SocketAddr) -> Self {
        Self::start_edited(keyward, upstream, |bootstrap| bootstrap)
    }

    /// Starts on the shipped bootstrap with changes of the test's own.
    pub fn start_edited(keyward: SocketAddr, upstream: SocketAddr, edit: impl FnOnce(String) -> String) -> Self {
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/envoy/envoy.yaml");
        let shipped = fs::read_to_string(&shipped).unwrap_or_else(|error| panic!("{}: {error}", shipped.display()));
        let (tls, plain) = (listener_of(&shipped, 10443), listener_of(&shipped, 10080));
        // 0: the kernel chooses, so that no two tests can want the same port.
        let ports = [(10443, 0), (10080, 0), (9901, 0), (12001, upstream.port()), (50051, keyward.port())];
        let shipped = shipped.replace("address: 0.0.0.0", "address: 127.0.0.1");
        let bootstrap = edit(ports.iter().fold(shipped, |text, (from, to)| with_port(&text, *from, *to)));

        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("certs")).unwrap();
        certs::write(&folder.path().join("certs"), &HOSTS);
        fs::write(folder.path().join("envoy.yaml"), bootstrap).unwrap();
        let mut process = Process::start("Envoy", &mut command(folder.path()), &folder.path().join("log"));
        let admin = process.wait_for("admin address", || fs::read_to_string(folder.path().join("admin")).ok()?.parse().ok());
        process.wait_for("readiness", || http::get(admin, "/ready").filter(|(status, _)| *status == 200));
        let listeners = process.wait_for("listeners", || serde_json::from_str(&http::get(admin, "/listeners?format=json")?.1).ok());
        let authority = folder.path().join("certs/ca.crt");
        Self { tls: address(&listeners, &tls), plain: address(&listeners, &plain), admin, authority, process, _folder: folder }
    }

    /// One of its statistics, by its whole name; 0 where it has not been counted yet.
    pub fn stat(&self, name: &str) -> u64 {
        let (_, text) = http::get(self.admin, "/stats?usedonly").unwrap_or_default();
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        value.map_or(0, |value| value.parse().unwrap())
    }

    /// Ends it as a crash would.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// What it has written to its log.
    pub fn said(&self) -> String {
        self.process.said()
    }
}

fn command(folder: &Path) -> Command {
    let mut command = Command::new(binary());
    command.current_dir(folder);
    command.args(["-c", "envoy.yaml", "--use-dynamic-base-id", "--concurrency", "1", "--admin-address-path", "admin"]);
    command.args(["--log-level", "warning"]);
    command
}

/// `KEYWARD_ENVOY`, or what `make test` has brought into `.tools`.
fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("KEYWARD_ENVOY") {
        return path.into();
    }
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join(".tools/venv/lib");
    let versions = fs::read_dir(python).into_iter().flatten().flatten();
    let mut found = versions.map(|version| version.path().join("site-packages/envoy/_bin/envoy")).filter(|path| path.exists());
    found.next().unwrap_or_else(|| panic!("there is no Envoy: run `make test`, which brings one, or set KEYWARD_ENVOY to its path"))
}

/// The bootstrap with another port; each of the shipped ones stands in it once.
fn with_port(bootstrap: &str, from: u16, to: u16) -> String {
    let port = format!("port_value: {from}");
    assert_eq!(bootstrap.matches(&port).count(), 1, "`{port}` must stand once in deploy/envoy/envoy.yaml");
    bootstrap.replace(&port, &format!("port_value: {to}"))
}

/// The name of the listener that has this port: the last name above it.
fn listener_of(bootstrap: &str, port: u16) -> String {
    let at = bootstrap.find(&format!("port_value: {port}")).unwrap_or_else(|| panic!("no listener on {port}"));
    let after = bootstrap[..at].rsplit_once("name: ").unwrap().1;
    after.split([',', '\n']).next().unwrap().trim().to_owned()
}

fn address(listeners: &Value, name: &str) -> SocketAddr {
    let statuses = listeners["listener_statuses"].as_array().unwrap();
    let found = statuses.iter().find(|listener| listener["name"] == name);
    let socket = &found.unwrap_or_else(|| panic!("Envoy has no listener {name}: {listeners}"))["local_address"]["socket_address"];
    SocketAddr::from(([127, 0, 0, 1], u16::try_from(socket["port_value"].as_u64().unwrap()).unwrap()))
}
