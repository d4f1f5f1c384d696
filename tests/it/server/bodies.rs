//! Calls of `Check` as bodies of HTTP/2 requests: what is a message is decided however it was cut, and what is none is refused in band. A call
//! that fails would be what `failure_mode_allow` lets pass.

use std::convert::Infallible;

use bytes::Bytes;
use envoy_types::pb::envoy::service::auth::v3::CheckResponse;
use futures_util::stream;
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use prost::Message as _;
use tonic::body::Body;
use tonic::codegen::http;
use tonic::transport::{Channel, Endpoint};
use tower::ServiceExt as _;

use super::server;
use crate::support::check;
use crate::support::keyward::{Keyward, Store};

const CHECK: &str = "/envoy.service.auth.v3.Authorization/Check";

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_decided_however_it_is_cut_and_what_follows_it_is_left() {
    let (keyward, secret) = patient();
    let whole = prefixed(&check::request("GET", "plain.test", "/", &[("x-api-key", &secret)]).encode_to_vec());
    let (head, rest) = whole.split_at(3);
    let (middle, end) = rest.split_at(40);
    let other = check::request("GET", "plain.test", "/", &[("x-api-key", "nobody's")]).encode_to_vec();
    for pieces in [
        vec![whole.clone()],
        vec![head.to_vec(), middle.to_vec(), end.to_vec()],
        vec![Vec::new(), whole.clone(), Vec::new()],
        vec![whole.clone(), prefixed(&other)],
        vec![[whole.clone(), prefixed(&other)].concat()],
    ] {
        let (response, status) = asked(&keyward, CHECK, &[], pieces).await;
        assert!(check::admits(&response.unwrap()), "{status}");
        assert_eq!(status, "0");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_message_is_refused_in_band() {
    let (keyward, secret) = patient();
    let message = check::request("GET", "plain.test", "/", &[("x-api-key", &secret)]).encode_to_vec();
    let whole = prefixed(&message);
    let with = |compressed: u8, length: u32| [&[compressed][..], &length.to_be_bytes(), &message].concat();
    let length = u32::try_from(message.len()).unwrap();
    for pieces in [
        vec![],
        vec![whole[..4].to_vec()],
        vec![whole[..whole.len() - 1].to_vec()],
        vec![with(0, length + 1)],
        vec![with(1, length)],
        vec![with(0, (64 << 20) + 1)],
        vec![with(0, u32::MAX)],
        vec![prefixed(b"no message of any kind")],
        vec![prefixed(b"")],
    ] {
        let (response, status) = asked(&keyward, CHECK, &[("grpc-encoding", "identity")], pieces.clone()).await;
        let response = response.unwrap();
        assert_eq!((check::admits(&response), status.as_str()), (false, "0"), "{pieces:?}");
        assert_eq!(check::metadata(&response, "reason").as_deref(), Some("malformed"), "{pieces:?}");
    }
    let (control, _) = asked(&keyward, CHECK, &[("grpc-encoding", "identity")], vec![whole]).await;
    assert!(check::admits(&control.unwrap()), "control: the whole message is admitted");
}

#[tokio::test(flavor = "multi_thread")]
async fn other_methods_and_other_services_are_not_there() {
    let (keyward, _) = patient();
    for path in [
        "/envoy.service.auth.v3.Authorization/",
        "/envoy.service.auth.v3.Authorization/check",
        "/envoy.service.auth.v3.Authorization/Check/",
        "//envoy.service.auth.v3.Authorization/Check",
        "/envoy.service.auth.v3.Authorization%2FCheck",
        "/envoy.service.auth.v2.Authorization/Check",
        "/keyward.admin.v1.KeyService/ListKeys",
    ] {
        let (response, status) = asked(&keyward, path, &[], vec![prefixed(b"")]).await;
        assert_eq!((response, status.as_str()), (None, "12"), "{path}");
    }
}

/// However long a machine holds it up.
fn patient() -> (Keyward, String) {
    server(&Store::Embedded, |config| config + "check_deadline: 10s\nlease: 60s\n")
}

fn prefixed(message: &[u8]) -> Vec<u8> {
    [&[0][..], &u32::try_from(message.len()).unwrap().to_be_bytes(), message].concat()
}

/// The answer, if there is one, and its `grpc-status`.
async fn asked(keyward: &Keyward, path: &str, headers: &[(&str, &str)], pieces: Vec<Vec<u8>>) -> (Option<CheckResponse>, String) {
    let channel: Channel = Endpoint::from_shared(format!("http://{}", keyward.envoy)).unwrap().connect().await.unwrap();
    let frames = pieces.into_iter().map(|piece| Ok::<_, Infallible>(Frame::data(Bytes::from(piece))));
    let mut request = http::Request::post(format!("http://{}{path}", keyward.envoy)).header("content-type", "application/grpc");
    for (name, value) in headers.iter().chain(&[("te", "trailers")]) {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::new(StreamBody::new(stream::iter(frames)))).unwrap();
    let answer = channel.oneshot(request).await.unwrap();
    assert_eq!(answer.headers()["content-type"], "application/grpc");
    let told = answer.headers().get("grpc-status").cloned();
    let body = answer.into_body().collect().await.unwrap();
    let status = told.or_else(|| body.trailers().and_then(|trailers| trailers.get("grpc-status")).cloned()).unwrap();
    let bytes = body.to_bytes();
    let message = (!bytes.is_empty()).then(|| CheckResponse::decode(&bytes[5..]).unwrap());
    (message, status.to_str().unwrap().to_owned())
}
