//! Files to checked domain values. Every problem of every file is reported at once, with line and key.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::domain::realms::Realms;

/// What `keyward serve` runs from.
#[derive(Debug, Clone)]
pub struct Config {
    pub realms: Realms,
    pub store: StoreConfig,
    /// A file of peppers, newest first. `None`: the embedded store makes one beside its data.
    pub pepper_file: Option<PathBuf>,
    /// Holds the one-time secret of the bootstrap. `None`: the embedded store makes one beside its data.
    pub bootstrap_file: Option<PathBuf>,
    pub listen: Listen,
    /// A check is answered within this time, whatever the store does.
    pub check_deadline: Duration,
    /// Where traces go, by OTLP over gRPC; `None`: nowhere.
    pub otlp_endpoint: Option<String>,
}

/// Which store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreConfig {
    /// One node, on disk, in this folder.
    Embedded {
        folder: PathBuf,
    },
    Redis(RedisConfig),
}

/// How to reach Redis.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisConfig {
    /// `redis://[user:password@]host:port[/db]`, `rediss://…`, `unix:///path`.
    pub url: String,
    pub connect_timeout: Duration,
    /// For one call.
    pub timeout: Duration,
}

/// The three ports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    pub envoy: Endpoint,
    /// Who may ask on the Envoy port.
    pub envoy_secret_file: Option<PathBuf>,
    pub admin: Endpoint,
    /// `/livez`, `/readyz`, `/metrics`.
    pub http: SocketAddr,
}

/// An address, with TLS or without.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub address: SocketAddr,
    pub tls: Option<Tls>,
}

/// PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    pub certificate: PathBuf,
    pub key: PathBuf,
    /// Clients must show a certificate of this authority.
    pub client_ca: Option<PathBuf>,
}

/// One thing that is wrong in a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    pub file: String,
    /// From 1; 0: the file as a whole.
    pub line: usize,
    /// `routes[2].methods`.
    pub key: String,
    pub says: String,
}

/// Everything that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {}", self.file, self.line, self.key, self.says)
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.0.iter().enumerate() {
            write!(f, "{}{problem}", if at == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

impl fmt::Debug for RedisConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RedisConfig(..)")
    }
}
