//! A check is a span under Envoy's own, sent by OTLP.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::post;
use tonic::metadata::MetadataValue;
use tonic::transport::server::TcpIncoming;

use super::server;
use crate::support::check;
use crate::support::keyward::Store;

type Received = Arc<Mutex<Vec<u8>>>;

#[tokio::test(flavor = "multi_thread")]
async fn a_checks_span_carries_the_trace_that_envoy_began() {
    let received = Received::default();
    let pages =
        Router::new().route("/opentelemetry.proto.collector.trace.v1.TraceService/Export", post(export)).with_state(received.clone());
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let endpoint = format!("otlp_endpoint: http://{}\n", incoming.local_addr().unwrap());
    tokio::spawn(tonic::transport::Server::builder().add_routes(pages.into()).serve_with_incoming(incoming));

    let (mut keyward, secret) = tokio::task::block_in_place(|| server(&Store::Embedded, |config| config + &endpoint));
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let mut call = tonic::Request::new(check::request("GET", "plain.test", "/", &[("x-api-key", &secret)]));
    let parent = format!("00-{trace}-00f067aa0ba902b7-01");
    call.metadata_mut().insert("traceparent", MetadataValue::try_from(parent).unwrap());
    check::connect(keyward.envoy).await.check(call).await.unwrap();
    // What is left is sent before the process ends.
    assert_eq!(tokio::task::block_in_place(|| keyward.stop()), Some(0), "{}", keyward.said());

    let sent = received.lock().unwrap().clone();
    let holds = |needle: &[u8]| sent.windows(needle.len()).any(|window| window == needle);
    assert!(holds(&data_encoding::HEXLOWER.decode(trace.as_bytes()).unwrap()), "the span is not in Envoy's trace");
    assert!(holds(b"envoy.service.auth.v3.Authorization/Check"));
    assert!(!holds(secret.as_bytes()), "a secret in a trace");
}

async fn export(State(received): State<Received>, request: Request) -> Response {
    let body = to_bytes(request.into_body(), 1 << 24).await.unwrap();
    received.lock().unwrap().extend_from_slice(&body);
    let answer = Response::builder().header("content-type", "application/grpc").header("grpc-status", "0");
    answer.body(Body::from(vec![0_u8; 5])).unwrap()
}
