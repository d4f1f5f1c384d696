//! The control of these tests: an authorizer that always gives one answer, be it ever so wrong.

use std::net::SocketAddr;

use envoy_types::pb::envoy::service::auth::v3::authorization_server::{Authorization, AuthorizationServer};
use envoy_types::pb::envoy::service::auth::v3::{CheckRequest, CheckResponse};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

use crate::support::envoy::Envoy;
use crate::support::shell::{Answer, Shell};
use crate::support::upstream::{Seen, Upstream};

/// What comes of `arguments` to curl behind an authorizer that always answers `answer`.
pub(super) fn curl_behind(
    answer: Result<CheckResponse, Status>,
    edit: impl FnOnce(String) -> String,
    arguments: &str,
) -> (Answer, Option<Seen>) {
    let authorizer = Authorizer::start(answer);
    let (upstream, folder): (Upstream, TempDir) = (Upstream::start(), tempfile::tempdir().unwrap());
    let envoy = Envoy::start_edited(authorizer.address, upstream.address, edit);
    super::curl(&Shell::new(folder.path(), &envoy), &upstream, arguments)
}

struct Authorizer {
    address: SocketAddr,
    _runtime: Runtime,
}

impl Authorizer {
    fn start(answer: Result<CheckResponse, Status>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let entered = runtime.enter();
        let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = incoming.local_addr().unwrap();
        let service = AuthorizationServer::new(Always(answer));
        let (reporter, health) = tonic_health::server::health_reporter();
        runtime.spawn(async move {
            reporter.set_serving::<AuthorizationServer<Always>>().await;
            tonic::transport::Server::builder().add_service(health).add_service(service).serve_with_incoming(incoming).await
        });
        drop(entered);
        Self { address, _runtime: runtime }
    }
}

struct Always(Result<CheckResponse, Status>);

#[tonic::async_trait]
impl Authorization for Always {
    async fn check(&self, _: Request<CheckRequest>) -> Result<Response<CheckResponse>, Status> {
        self.0.clone().map(Response::new)
    }
}
