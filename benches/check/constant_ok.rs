//! The yardstick: a tonic server that decodes the whole request and always says OK. It is this program, started again.

use std::net::SocketAddr;
use std::process::{Child, Command};

use envoy_types::pb::envoy::service::auth::v3::authorization_server::{Authorization, AuthorizationServer};
use envoy_types::pb::envoy::service::auth::v3::{CheckRequest, CheckResponse};
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

pub(crate) const ARGUMENT: &str = "--serve-constant-ok";

pub(crate) struct ConstantOk {
    process: Child,
    pub(crate) address: SocketAddr,
}

impl ConstantOk {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("address");
        let process = Command::new(std::env::current_exe().unwrap()).arg(ARGUMENT).env("ADDRESS_FILE", &file).spawn().unwrap();
        let address = crate::support::eventually("the constant-OK server listens", || std::fs::read_to_string(&file).ok()?.parse().ok());
        Self { process, address }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for ConstantOk {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::main]
pub(crate) async fn serve() {
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap().with_nodelay(Some(true));
    let file = std::path::PathBuf::from(std::env::var_os("ADDRESS_FILE").unwrap());
    let beside = file.with_extension("part");
    std::fs::write(&beside, incoming.local_addr().unwrap().to_string()).unwrap();
    std::fs::rename(&beside, &file).unwrap();
    tonic::transport::Server::builder().add_service(AuthorizationServer::new(AlwaysOk)).serve_with_incoming(incoming).await.unwrap();
}

struct AlwaysOk;

#[tonic::async_trait]
impl Authorization for AlwaysOk {
    async fn check(&self, _: Request<CheckRequest>) -> Result<Response<CheckResponse>, Status> {
        Ok(Response::new(CheckResponse { status: Some(envoy_types::pb::google::rpc::Status::default()), ..CheckResponse::default() }))
    }
}
