//! The two gRPC ports: their limits, their TLS, their services.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tonic::transport::server::{Router, TcpIncoming};
use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig};
use tonic_health::pb::FILE_DESCRIPTOR_SET as HEALTH;
use tonic_health::pb::health_server::{Health, HealthServer};

use crate::config::{Endpoint, Tls};
use crate::grpc::access_log::AccessLog;
use crate::grpc::access_log::service::access_log_service_server::AccessLogServiceServer;
use crate::grpc::admin;
use crate::grpc::authorization::authorization_server;
use crate::grpc::ext_authz::Authorizer;
use crate::keyring::Keyring;
use crate::proto::DESCRIPTORS;

pub(super) type AuthorizationServer = authorization_server::AuthorizationServer<Authorizer>;

/// A check is answered in band whatever its size, as far as memory allows: one that is not decoded is an error to Envoy, and its failure mode
/// decides. Envoy sends headers of 60 KiB at most, and bodies only under `with_request_body`, which keyward does not need.
const LARGEST_CHECK: usize = 64 * 1024 * 1024;

/// One message of an access log: Envoy's `buffer_size_bytes` (16 KiB unless configured), and as much again as one entry is large. It is the
/// bound of what a stream can make this process hold.
const LARGEST_MESSAGE: usize = 16 * 1024 * 1024;

/// Opens a port.
pub(super) fn bind(endpoint: &Endpoint) -> anyhow::Result<TcpIncoming> {
    let bound = TcpIncoming::bind(endpoint.address).with_context(|| format!("{} cannot be bound", endpoint.address))?;
    Ok(bound.with_nodelay(Some(true)))
}

/// What Envoy asks and tells: checks, what became of them, and whether we are well. No reflection where untrusted calls may come.
pub(super) fn envoy(
    endpoint: &Endpoint,
    authorizer: Authorizer,
    access_log: AccessLog,
    health: HealthServer<impl Health>,
) -> anyhow::Result<Router> {
    let checks = AuthorizationServer::new(authorizer).max_decoding_message_size(LARGEST_CHECK);
    let access_log = AccessLogServiceServer::new(access_log).max_decoding_message_size(LARGEST_MESSAGE);
    Ok(server(endpoint)?.add_service(health).add_service(checks).add_service(access_log))
}

/// What operators ask.
pub(super) fn admin(endpoint: &Endpoint, keyring: &Arc<Keyring>) -> anyhow::Result<Router> {
    let reflection = || tonic_reflection::server::Builder::configure().register_encoded_file_descriptor_set(DESCRIPTORS);
    let services = admin::services(keyring);
    Ok(server(endpoint)?
        .add_service(services.keys)
        .add_service(services.owners)
        .add_service(services.revocation)
        .add_service(services.bootstrap)
        .add_service(reflection().register_encoded_file_descriptor_set(HEALTH).build_v1()?)
        .add_service(reflection().register_encoded_file_descriptor_set(HEALTH).build_v1alpha()?))
}

/// HTTP/2 as one shared Envoy connection needs it. Pending resets are many, because each client that goes away early is one and h2's default
/// of 20 would cut everybody off; the age has no grace, because tonic 0.14 then cuts calls in flight.
fn server(endpoint: &Endpoint) -> anyhow::Result<Server> {
    let server = Server::builder()
        .max_concurrent_streams(10_000)
        .max_connection_age(age()?)
        .http2_keepalive_interval(Some(Duration::from_secs(10)))
        .http2_keepalive_timeout(Some(Duration::from_secs(5)))
        .http2_max_pending_accept_reset_streams(Some(10_000))
        .http2_max_header_list_size(64 * 1024);
    match &endpoint.tls {
        None => Ok(server),
        Some(tls) => server.tls_config(tls_config(tls)?).context("its TLS cannot be set up"),
    }
}

/// Ten to fifteen minutes, drawn once a process: replicas do not all renew their connections at one time.
fn age() -> anyhow::Result<Duration> {
    let drawn = getrandom::u32().context("the operating system gives no randomness")?;
    Ok(Duration::from_secs(600 + u64::from(drawn % 300)))
}

fn tls_config(tls: &Tls) -> anyhow::Result<ServerTlsConfig> {
    let pem = |file: &Path| std::fs::read(file).with_context(|| format!("tls: {} cannot be read", file.display()));
    let config = ServerTlsConfig::new().identity(Identity::from_pem(pem(&tls.certificate)?, pem(&tls.key)?));
    Ok(match &tls.client_ca {
        None => config,
        Some(file) => config.client_ca_root(Certificate::from_pem(pem(file)?)),
    })
}
