//! Where traces go: what an OTLP collector would be sent, kept as it came.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::post;
use tokio::task::JoinHandle;
use tonic::transport::server::TcpIncoming;

/// Listens until dropped.
pub struct Collector {
    /// As the configuration has it.
    pub endpoint: String,
    received: Received,
    serving: JoinHandle<()>,
}

type Received = Arc<Mutex<Vec<u8>>>;

impl Collector {
    pub fn start() -> Self {
        let received = Received::default();
        let export_to = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
        let pages = Router::new().route(export_to, post(export)).with_state(received.clone());
        let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let endpoint = format!("http://{}", incoming.local_addr().unwrap());
        let serving = tokio::spawn(async move {
            let _ = tonic::transport::Server::builder().add_routes(pages.into()).serve_with_incoming(incoming).await;
        });
        Self { endpoint, received, serving }
    }

    /// All that came: headers as text, bodies as they are.
    pub fn received(&self) -> Vec<u8> {
        self.received.lock().unwrap().clone()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn export(State(received): State<Received>, request: Request) -> Response {
    let headers = format!("{:?}", request.headers());
    let body = to_bytes(request.into_body(), 1 << 24).await.unwrap();
    let mut received = received.lock().unwrap();
    received.extend_from_slice(headers.as_bytes());
    received.extend_from_slice(&body);
    let answer = Response::builder().header("content-type", "application/grpc").header("grpc-status", "0");
    answer.body(Body::from(vec![0_u8; 5])).unwrap()
}
