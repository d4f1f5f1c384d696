//! The three ports.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use super::document::{At, Read};
use super::map::Map;
use super::paths::path;

/// The three ports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    pub envoy: Endpoint,
    /// Who may ask on the Envoy port.
    pub envoy_secret_file: Option<PathBuf>,
    /// So many connections there are to the Envoy port at most.
    pub envoy_connections: usize,
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

const ENVOY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 50051);
/// Loopback: who may change keys is not for every neighbour to try.
const ADMIN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 50052);
const HTTP: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 9102);

/// Of some hundred Envoys, each with a connection from every core.
const CONNECTIONS: usize = 4096;

impl Default for Listen {
    fn default() -> Self {
        let plain = |address| Endpoint { address, tls: None };
        Self { envoy: plain(ENVOY), envoy_secret_file: None, envoy_connections: CONNECTIONS, admin: plain(ADMIN), http: HTTP }
    }
}

/// Where to listen; a port that is left out is the usual one. `base`: the folder that paths are relative to.
pub(super) fn listen(at: &At<'_>, base: &Path) -> Read<Listen> {
    let mut map = at.map()?;
    let usual = Listen::default();
    let envoy = map.or("envoy", (usual.envoy, None, CONNECTIONS), |at| envoy(at, base));
    let admin = map.or("admin", usual.admin, |at| admin(at, base));
    let http = map.or("http", HTTP, http);
    let (envoy, envoy_secret_file, envoy_connections) = map.finish().and(envoy)?;
    let listen = Listen { envoy, envoy_secret_file, envoy_connections, admin: admin?, http: http? };
    let addresses = [listen.envoy.address, listen.admin.address, listen.http];
    let shared = |one: usize, other: usize| addresses[one].port() != 0 && addresses[one] == addresses[other];
    if shared(0, 1) || shared(0, 2) || shared(1, 2) { at.problem("gives two ports one address: each needs its own") } else { Ok(listen) }
}

fn envoy(at: &At<'_>, base: &Path) -> Read<(Endpoint, Option<PathBuf>, usize)> {
    let mut map = at.map()?;
    let endpoint = endpoint(&mut map, ENVOY, base);
    let secret_file = map.optional("secret_file", |at| path(at, base));
    let connections = map.or("connections", CONNECTIONS, |at| at.number(1..=1_000_000_u32).map(|most| most as usize));
    map.finish()?;
    Ok((endpoint?, secret_file?, connections?))
}

fn admin(at: &At<'_>, base: &Path) -> Read<Endpoint> {
    let mut map = at.map()?;
    let endpoint = endpoint(&mut map, ADMIN, base);
    map.finish().and(endpoint)
}

fn http(at: &At<'_>) -> Read<SocketAddr> {
    let mut map = at.map()?;
    let address = map.or("address", HTTP, address);
    map.finish().and(address)
}

fn endpoint(map: &mut Map<'_>, usual: SocketAddr, base: &Path) -> Read<Endpoint> {
    let address = map.or("address", usual, address);
    let tls = map.optional("tls", |at| tls(at, base));
    Ok(Endpoint { address: address?, tls: tls? })
}

fn tls(at: &At<'_>, base: &Path) -> Read<Tls> {
    let mut map = at.map()?;
    let certificate = map.required("certificate", |at| path(at, base));
    let key = map.required("key", |at| path(at, base));
    let client_ca = map.optional("client_ca", |at| path(at, base));
    map.finish()?;
    Ok(Tls { certificate: certificate?, key: key?, client_ca: client_ca? })
}

fn address(at: &At<'_>) -> Read<SocketAddr> {
    at.text()?.parse().or_else(|_| at.must_be("an address and a port, such as 127.0.0.1:50052 or [::1]:50052"))
}
