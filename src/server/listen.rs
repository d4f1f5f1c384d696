//! The ports: their limits, their TLS, their services.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tonic::transport::server::Router;
use tonic_health::pb::FILE_DESCRIPTOR_SET as HEALTH;
use tonic_health::pb::health_server::{Health, HealthServer};
use tower_layer::{Identity, Stack};

use super::door::{Door, Port};
use super::greeter::Greets;
use super::lanes;
use super::tls;
use crate::config::{Config, Endpoint};
use crate::gate::Gate;
use crate::grpc::access_log::AccessLog;
use crate::grpc::access_log::service::access_log_service_server::AccessLogServiceServer;
use crate::grpc::admin;
use crate::grpc::admission::Admission;
use crate::grpc::check_server::CheckServer;
use crate::grpc::envoy_secret::EnvoySecret;
use crate::grpc::ext_authz::Authorizer;
use crate::grpc::shortcut::Shortcut;
use crate::grpc::verify::Verifier;
use crate::keyring::Keyring;
use crate::proto::DESCRIPTORS;
use crate::telemetry::metrics::Metrics;

/// What Envoy asks whether we are well for.
pub(super) type Checking = CheckServer<Authorizer>;

/// The services of the Envoy port, checks past their router.
pub(super) type EnvoyRouter = Router<Stack<Shortcut<Admission<Checking>>, Identity>>;

/// One message of an access log: Envoy's `buffer_size_bytes` (16 KiB unless configured), and as much again as one entry is large. It is the
/// bound of what a stream can make this process hold.
const LARGEST_MESSAGE: usize = 16 * 1024 * 1024;

/// Calls at one time on one connection. A proxy that has more makes another connection, which another thread serves.
const STREAMS: u32 = 1000;

/// Connections to the ports that operators and their tools use.
const FEW: usize = 256;

/// The three ports, open.
pub(super) struct Doors {
    pub(super) envoy: Door,
    pub(super) admin: Door,
    pub(super) pages: Door,
}

/// Opens the ports.
pub(super) async fn open(config: &Config, metrics: &Arc<Metrics>) -> anyhow::Result<Doors> {
    let listen = &config.listen;
    let many = within(open_files(), listen.envoy_connections);
    Ok(Doors {
        envoy: grpc("envoy", &listen.envoy, many, metrics).await?,
        admin: grpc("admin", &listen.admin, FEW, metrics).await?,
        pages: door("http", listen.http, Greets::Pages, FEW, metrics).await.context("listen.http")?,
    })
}

/// How many connections there may be beside what else needs files: those to the other ports, the store.
fn within(files: usize, wanted: usize) -> usize {
    let most = files.saturating_sub(2 * FEW + 256).max(64);
    if most < wanted {
        tracing::warn!(files, "listen.envoy.connections is {wanted}, and this process may open files for {most}");
    }
    most.min(wanted)
}

/// As many as this process may be given. The limit that it starts with is often a low one, for programs that cannot count them.
fn open_files() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    let limit = if raised.is_ok() { limit.maximum } else { limit.current };
    limit.and_then(|files| usize::try_from(files).ok()).unwrap_or(usize::MAX)
}

async fn grpc(name: &'static str, endpoint: &Endpoint, most: usize, metrics: &Arc<Metrics>) -> anyhow::Result<Door> {
    let greets = match &endpoint.tls {
        None => Greets::Http2,
        Some(tls) => Greets::Http2OverTls(tls::acceptor(tls).with_context(|| format!("listen.{name}"))?),
    };
    door(name, endpoint.address, greets, most, metrics).await
}

async fn door(name: &'static str, address: SocketAddr, greets: Greets, most: usize, metrics: &Arc<Metrics>) -> anyhow::Result<Door> {
    let port = Port { name, metrics: metrics.clone() };
    Door::open(address, port, greets, most).await.with_context(|| format!("{address} cannot be bound"))
}

/// What Envoy asks and tells: checks, what became of them, and whether we are well; and what clients ask that have no Envoy before them. No reflection where untrusted calls may come. Health is
/// told however many checks wait. A router a lane, all of the same services.
pub(super) fn envoy(
    config: &Config,
    (authorizer, secret): (Arc<Authorizer>, Option<EnvoySecret>),
    access_log: AccessLog,
    health: &HealthServer<impl Health>,
    metrics: Arc<Metrics>,
) -> anyhow::Result<Vec<EnvoyRouter>> {
    let verifier = CheckServer::new(Verifier::new(authorizer.clone()));
    let checks = Admission::new(CheckServer::of(authorizer), secret, config.checks_at_once, config.check_deadline, metrics);
    let verify = checks.beside(verifier, Verifier::undecided());
    let access_log = AccessLogServiceServer::new(access_log).max_decoding_message_size(LARGEST_MESSAGE);
    let router = |_| {
        let router = server()?.layer(Shortcut(checks.clone())).add_service(health.clone());
        Ok(router.add_service(access_log.clone()).add_service(verify.clone()))
    };
    (0..lanes::count()).map(router).collect()
}

/// What operators ask.
pub(super) fn admin(keyring: &Arc<Keyring>, gate: &Arc<Gate>, leaving: CancellationToken) -> anyhow::Result<Router> {
    let reflection = || tonic_reflection::server::Builder::configure().register_encoded_file_descriptor_set(DESCRIPTORS);
    let services = admin::services(keyring, gate, leaving);
    Ok(server()?
        .add_service(services.keys)
        .add_service(services.owners)
        .add_service(services.revocation)
        .add_service(services.audit)
        .add_service(services.peppers)
        .add_service(services.leak)
        .add_service(services.usage)
        .add_service(services.bootstrap)
        .add_service(reflection().register_encoded_file_descriptor_set(HEALTH).build_v1()?)
        .add_service(reflection().register_encoded_file_descriptor_set(HEALTH).build_v1alpha()?))
}

/// HTTP/2 as one shared Envoy connection needs it. Pending resets are many, because each client that goes away early is one and h2's default
/// of 20 would cut everybody off; the age has no grace, because tonic 0.14 then cuts calls in flight.
fn server() -> anyhow::Result<Server> {
    Ok(Server::builder()
        .max_concurrent_streams(STREAMS)
        .max_connection_age(age()?)
        .http2_keepalive_interval(Some(Duration::from_secs(10)))
        .http2_keepalive_timeout(Some(Duration::from_secs(5)))
        .http2_max_pending_accept_reset_streams(Some(10_000))
        .http2_max_header_list_size(64 * 1024))
}

/// Ten to fifteen minutes, drawn once a process: replicas do not all renew their connections at one time.
fn age() -> anyhow::Result<Duration> {
    let drawn = getrandom::u32().context("the operating system gives no randomness")?;
    Ok(Duration::from_secs(600 + u64::from(drawn % 300)))
}
