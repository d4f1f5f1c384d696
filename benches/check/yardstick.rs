//! What a check is held against: tonic servers that always say OK and know nothing, served as keyward serves, by one thread a core with a
//! runtime of its own. Each is this program, started again.

use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command};
use std::task::{Context, Poll};
use std::thread::{self, available_parallelism};

use bytes::Bytes;
use envoy_types::pb::envoy::service::auth::v3 as full;
use envoy_types::pb::envoy::service::auth::v3::authorization_server as decoding;
use futures_util::future::{BoxFuture, Ready, ready};
use futures_util::stream::unfold;
use prost::Message as _;
use tokio::runtime::Builder;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tonic::body::Body;
use tonic::codegen::{Service, http};
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::transport::Server;
use tonic::{Request, Response, Status};

use crate::support::raw_codec::RawCodec;

/// The first of its arguments says which one is meant.
const ARGUMENT: &str = "--serve-yardstick";

/// What it does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Yardstick {
    /// Decodes all of it, as generated code does.
    ConstantOk,
    /// Does not look at it: what tonic itself costs.
    NoDecode,
    /// The first on one runtime of many threads, which is what [`tokio::main`] makes.
    ManyThreads,
}

/// One that runs, until this is dropped.
pub(crate) struct Running {
    process: Child,
    pub(crate) address: SocketAddr,
}

impl Yardstick {
    pub(crate) fn start(self) -> Running {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("address");
        let program = std::env::current_exe().unwrap();
        let process = Command::new(program).arg(ARGUMENT).arg(format!("{self:?}")).env("ADDRESS_FILE", &file).spawn().unwrap();
        let address = crate::support::eventually("the yardstick listens", || std::fs::read_to_string(&file).ok()?.parse().ok());
        Running { process, address }
    }

    /// Which one this program was started as.
    pub(crate) fn asked_for() -> Option<Self> {
        let mut arguments = std::env::args().skip_while(|argument| argument != ARGUMENT).skip(1);
        let name = arguments.next()?;
        [Self::ConstantOk, Self::NoDecode, Self::ManyThreads].into_iter().find(|yardstick| format!("{yardstick:?}") == name)
    }

    /// Serves for ever; connections go to the threads in turn.
    pub(crate) fn serve(self) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let threads = if self == Self::ManyThreads { 1 } else { available_parallelism().unwrap().get() };
        let lanes = (0..threads).map(|_| {
            let (lane, arrivals) = unbounded_channel();
            thread::spawn(move || self.lane(arrivals));
            lane
        });
        let lanes: Vec<_> = lanes.collect();
        let file = std::path::PathBuf::from(std::env::var_os("ADDRESS_FILE").unwrap());
        let beside = file.with_extension("part");
        std::fs::write(&beside, listener.local_addr().unwrap().to_string()).unwrap();
        std::fs::rename(&beside, &file).unwrap();
        for nth in 0.. {
            let _ = lanes[nth % lanes.len()].send(listener.accept().unwrap().0);
        }
    }

    fn lane(self, arrivals: UnboundedReceiver<TcpStream>) {
        let incoming = unfold(arrivals, |mut arrivals| async move {
            let stream = arrivals.recv().await?;
            stream.set_nonblocking(true).unwrap();
            stream.set_nodelay(true).unwrap();
            Some((tokio::net::TcpStream::from_std(stream), arrivals))
        });
        let router = match self {
            Self::ConstantOk | Self::ManyThreads => Server::builder().add_service(decoding::AuthorizationServer::new(AlwaysOk)),
            Self::NoDecode => Server::builder().add_service(Unread),
        };
        let mut runtime = if self == Self::ManyThreads { Builder::new_multi_thread() } else { Builder::new_current_thread() };
        let runtime = runtime.enable_all().build().unwrap();
        runtime.block_on(router.serve_with_incoming(incoming)).unwrap();
    }
}

impl Running {
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

struct AlwaysOk;

fn ok() -> full::CheckResponse {
    full::CheckResponse { status: Some(envoy_types::pb::google::rpc::Status::default()), ..full::CheckResponse::default() }
}

#[tonic::async_trait]
impl decoding::Authorization for AlwaysOk {
    async fn check(&self, _: Request<full::CheckRequest>) -> Result<Response<full::CheckResponse>, Status> {
        Ok(Response::new(ok()))
    }
}

/// The same service as generated code makes it, but of a codec that hands bytes on.
#[derive(Debug, Clone, Copy)]
struct Unread;

impl NamedService for Unread {
    const NAME: &'static str = "envoy.service.auth.v3.Authorization";
}

impl Service<http::Request<Body>> for Unread {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<http::Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(async move { Ok(Grpc::new(RawCodec).unary(AlwaysOk, request).await) })
    }
}

impl UnaryService<Bytes> for AlwaysOk {
    type Response = Bytes;
    type Future = Ready<Result<Response<Bytes>, Status>>;

    fn call(&mut self, _: Request<Bytes>) -> Self::Future {
        ready(Ok(Response::new(ok().encode_to_vec().into())))
    }
}
