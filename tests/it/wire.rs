//! The condensed protos against another library's full ones: the same bytes, both ways.

use std::collections::HashMap;

use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::envoy::service::auth::v3 as full;
use envoy_types::pb::envoy::service::auth::v3::attribute_context::{HttpRequest, Peer, Request};
use keyward::proto::envoy::service::auth::v3 as ours;
use prost::Message as _;

#[test]
fn a_request_of_the_full_api_is_read_field_by_field() {
    let header = |key: &str, raw: &[u8]| core::HeaderValue { key: key.into(), value: String::new(), raw_value: raw.to_vec() };
    let http = HttpRequest {
        id: "42".into(),
        method: "GET".into(),
        headers: HashMap::from([("x-a".to_owned(), "1,2".to_owned())]),
        header_map: Some(core::HeaderMap { headers: vec![header("x-b", b"\xff"), header("x-b", b"")] }),
        path: "/p?q".into(),
        host: "h:1".into(),
        scheme: "https".into(),
        size: -1,
        protocol: "HTTP/2".into(),
        body: "not read".into(),
        ..HttpRequest::default()
    };
    let socket = core::SocketAddress { address: "192.0.2.1".into(), ..core::SocketAddress::default() };
    let address = core::Address { address: Some(core::address::Address::SocketAddress(socket)) };
    let request = full::CheckRequest {
        attributes: Some(full::AttributeContext {
            source: Some(Peer { address: Some(address), principal: "spiffe://x".into(), ..Peer::default() }),
            request: Some(Request { http: Some(http), ..Request::default() }),
            context_extensions: HashMap::from([("realm".to_owned(), "ocote".to_owned())]),
            ..full::AttributeContext::default()
        }),
    };
    let read = ours::CheckRequest::decode(request.encode_to_vec().as_slice()).unwrap().attributes.unwrap();
    let http = read.request.unwrap().http.unwrap();
    assert_eq!((&*http.id, &*http.method, &*http.path), (&b"42"[..], &b"GET"[..], &b"/p?q"[..]));
    assert_eq!((&*http.host, &*http.scheme), (&b"h:1"[..], &b"https"[..]));
    assert_eq!((&*http.headers[0].key, &*http.headers[0].value), (&b"x-a"[..], &b"1,2"[..]));
    let raw: Vec<&[u8]> = http.header_map.as_ref().unwrap().headers.iter().map(|header| &*header.raw_value).collect();
    assert_eq!(raw, [&b"\xff"[..], b""]);
    assert_eq!(&*read.source.unwrap().address.unwrap().socket_address.unwrap().address, b"192.0.2.1");
    assert_eq!(&*read.context_extensions[0].value, b"ocote");
}

#[test]
fn a_response_of_ours_decodes_in_the_full_api_and_encodes_to_the_same_bytes() {
    use keyward::proto::envoy::config::core::v3::{HeaderValue, HeaderValueOption};
    use ours::check_response::HttpResponse;
    let header = HeaderValue { key: "x-a".into(), value: "1".into(), ..HeaderValue::default() };
    let option = HeaderValueOption { header: Some(header), append_action: 2 };
    let denied = ours::DeniedHttpResponse {
        status: Some(keyward::proto::envoy::r#type::v3::HttpStatus { code: 429 }),
        headers: vec![option.clone()],
        body: "no".into(),
    };
    let ok = ours::OkHttpResponse {
        headers: vec![option.clone()],
        headers_to_remove: vec!["authorization".into()],
        response_headers_to_add: vec![option],
        query_parameters_to_remove: vec!["key".into()],
    };
    let status = |code| Some(keyward::proto::google::rpc::Status { code, message: "m".into() });
    let metadata = prost_types::Struct { fields: [("keyward".to_owned(), prost_types::Value::default())].into() };
    for (code, response) in
        [(0, HttpResponse::OkResponse(ok)), (8, HttpResponse::DeniedResponse(denied.clone())), (14, HttpResponse::ErrorResponse(denied))]
    {
        let mine = ours::CheckResponse { status: status(code), http_response: Some(response), dynamic_metadata: Some(metadata.clone()) };
        let bytes = mine.encode_to_vec();
        let theirs = full::CheckResponse::decode(bytes.as_slice()).unwrap();
        assert_eq!(theirs.status.as_ref().unwrap().code, code);
        assert!(theirs.http_response.is_some() && theirs.dynamic_metadata.is_some());
        assert_eq!(theirs.encode_to_vec(), bytes, "code {code}");
    }
}
