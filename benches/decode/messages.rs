//! Requests as Envoy 1.40 sends them.

use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::envoy::service::auth::v3::attribute_context::{HttpRequest, Peer, Request};
use envoy_types::pb::envoy::service::auth::v3::{AttributeContext, CheckRequest};
use envoy_types::pb::google::protobuf::Timestamp;

const FEW: [(&str, &str); 10] = [
    (":authority", "bench.test"),
    (":method", "GET"),
    (":path", "/v1/bookings/42?expand=customer"),
    (":scheme", "https"),
    ("authorization", "Bearer bench_0123456789abcdefghijklmnopqrstuvwxyzABCD"),
    ("user-agent", "bench/1.0"),
    ("accept", "*/*"),
    ("x-forwarded-for", "192.0.2.1"),
    ("x-forwarded-proto", "https"),
    ("x-request-id", "7b5f3a8e-0d3c-4a57-9f0e-2f2f6f0b6c11"),
];
const MORE: [(&str, &str); 8] = [
    ("accept-encoding", "gzip, deflate, br, zstd"),
    ("accept-language", "en-GB,en;q=0.9,de;q=0.8"),
    ("cache-control", "no-cache"),
    ("content-type", "application/json"),
    ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
    ("x-envoy-expected-rq-timeout-ms", "15000"),
    ("x-forwarded-client-cert", "By=spiffe://cluster.local/ns/shop/sa/api;URI=spiffe://cluster.local/ns/shop/sa/web"),
    ("x-envoy-decorator-operation", "api.shop.svc.cluster.local:8080/*"),
];

enum Form {
    Joined,
    Raw,
}

/// With their names.
pub(crate) fn all() -> [(&'static str, CheckRequest); 3] {
    let many: Vec<_> = FEW.into_iter().chain(MORE).collect();
    [
        ("10 headers, joined", request(&FEW, &Form::Joined)),
        ("18 headers, joined", request(&many, &Form::Joined)),
        ("18 headers, raw", request(&many, &Form::Raw)),
    ]
}

fn request(headers: &[(&str, &str)], form: &Form) -> CheckRequest {
    let mut http = HttpRequest {
        id: "7366094127640834".into(),
        method: "GET".into(),
        path: "/v1/bookings/42?expand=customer".into(),
        host: "bench.test".into(),
        scheme: "https".into(),
        protocol: "HTTP/2".into(),
        size: -1,
        ..HttpRequest::default()
    };
    match form {
        Form::Joined => http.headers = headers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
        Form::Raw => {
            let raw = |(name, value): &(&str, &str)| core::HeaderValue {
                key: (*name).into(),
                raw_value: value.as_bytes().to_vec(),
                ..core::HeaderValue::default()
            };
            http.header_map = Some(core::HeaderMap { headers: headers.iter().map(raw).collect() });
        }
    }
    let time = Some(Timestamp { seconds: 1_768_478_400, nanos: 1 });
    let attributes = AttributeContext {
        source: Some(peer("192.0.2.1", 40001)),
        destination: Some(peer("10.0.0.7", 8443)),
        request: Some(Request { time, http: Some(http) }),
        context_extensions: [("realm".to_owned(), "bench".to_owned())].into(),
        ..AttributeContext::default()
    };
    CheckRequest { attributes: Some(attributes) }
}

fn peer(address: &str, port: u32) -> Peer {
    let socket = core::SocketAddress {
        address: address.into(),
        port_specifier: Some(core::socket_address::PortSpecifier::PortValue(port)),
        ..core::SocketAddress::default()
    };
    Peer { address: Some(core::Address { address: Some(core::address::Address::SocketAddress(socket)) }), ..Peer::default() }
}
