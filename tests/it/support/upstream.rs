//! The service behind Envoy: answers with what it received, and remembers it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tokio::runtime::Runtime;

/// The running service. Its port is of the kernel's choice, and closes when this is dropped.
pub struct Upstream {
    pub address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    runtime: Option<Runtime>,
}

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Seen {
    pub method: String,
    /// With the query.
    pub path: String,
    /// Names in lower case, in the order of arrival.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Upstream {
    /// Listens. A request's header `x-want-status` chooses the answer's status.
    pub fn start() -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(echo).with_state(Arc::clone(&seen));
        runtime.spawn(async move { axum::serve(tokio::net::TcpListener::from_std(listener)?, router).await });
        Self { address, seen, runtime: Some(runtime) }
    }

    /// What arrived since the last look.
    pub fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }
}

impl Seen {
    /// Every value of a header, joined as one line.
    pub fn header(&self, name: &str) -> Option<String> {
        let values: Vec<&str> = self.headers.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str()).collect();
        (!values.is_empty()).then(|| values.join(" + "))
    }

    /// Whether a text stands anywhere in it.
    pub fn holds(&self, text: &str) -> bool {
        let in_headers = self.headers.iter().any(|(_, value)| value.contains(text));
        in_headers || self.path.contains(text) || String::from_utf8_lossy(&self.body).contains(text)
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        // Does not wait, so that it may be dropped inside another runtime.
        self.runtime.take().into_iter().for_each(Runtime::shutdown_background);
    }
}

async fn echo(State(seen): State<Arc<Mutex<Vec<Seen>>>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body: Bytes = axum::body::to_bytes(body, 1 << 24).await.unwrap_or_default();
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let arrived = Seen {
        method: head.method.to_string(),
        path: head.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
        headers: head.headers.iter().map(|(name, value)| (name.to_string(), text(value.as_bytes()))).collect(),
        body: body.to_vec(),
    };
    let wanted = arrived.header("x-want-status").and_then(|status| status.parse().ok());
    let status = wanted.and_then(|status| StatusCode::from_u16(status).ok()).unwrap_or(StatusCode::OK);
    let answer = json!({"method": arrived.method, "path": arrived.path, "headers": arrived.headers, "body": text(&arrived.body)});
    seen.lock().unwrap().push(arrived);
    (status, [(CONTENT_TYPE, "application/json")], answer.to_string()).into_response()
}
