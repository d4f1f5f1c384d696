//! The condensed protos against another library's full ones: the same bytes, both ways.

use std::collections::HashMap;

use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::envoy::data::accesslog::v3 as full_entry;
use envoy_types::pb::envoy::data::accesslog::v3::{AccessLogCommon, HttpAccessLogEntry, HttpRequestProperties, HttpResponseProperties};
use envoy_types::pb::envoy::service::accesslog::v3::stream_access_logs_message::{HttpAccessLogEntries, Identifier, LogEntries};
use envoy_types::pb::envoy::service::accesslog::v3::{StreamAccessLogsMessage, StreamAccessLogsResponse};
use envoy_types::pb::envoy::service::auth::v3 as full;
use envoy_types::pb::envoy::service::auth::v3::attribute_context::{HttpRequest, Peer, Request};
use envoy_types::pb::google::protobuf::value::Kind;
use envoy_types::pb::google::protobuf::{Struct, UInt32Value};
use keyward::grpc::access_log;
use keyward::proto::envoy::config::core::v3::address::Address;
use keyward::proto::envoy::service::accesslog::v3 as our_log;
use keyward::proto::envoy::service::auth::v3 as ours;
use prost::Message as _;

use crate::support::log::of_one;

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
    assert_eq!((&*http.method, &*http.path), (&b"GET"[..], &b"/p?q"[..]));
    assert_eq!((&*http.host, &*http.scheme), (&b"h:1"[..], &b"https"[..]));
    assert_eq!((&*http.headers[0].key, &*http.headers[0].value), (&b"x-a"[..], &b"1,2"[..]));
    let raw: Vec<&[u8]> = http.header_map.as_ref().unwrap().headers.iter().map(|header| &*header.raw_value).collect();
    assert_eq!(raw, [&b"\xff"[..], b""]);
    let Some(Address::SocketAddress(socket)) = read.source.unwrap().address.unwrap().address else { panic!("a socket's address") };
    assert_eq!(&*socket.address, b"192.0.2.1");
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

#[test]
fn an_access_log_of_the_full_api_is_read_field_by_field() {
    use keyward::proto::envoy::data::accesslog::v3 as our_entry;
    let ours = of_one("keyward", Kind::StructValue(of_one("ticket", Kind::StringValue("AbC-_".into()))));
    let message = StreamAccessLogsMessage {
        identifier: Some(Identifier { log_name: "any".into(), ..Identifier::default() }),
        log_entries: Some(LogEntries::HttpLogs(HttpAccessLogEntries { log_entry: vec![entry(ours.clone()), entry(ours)] })),
    };
    let entries: Vec<_> = access_log::entries(message.encode_to_vec().into()).map(Result::unwrap).collect();
    assert_eq!(entries.len(), 2);
    let read = our_entry::HttpAccessLogEntry::decode(entries[1].clone()).unwrap();
    let (common, response) = (read.common_properties.unwrap(), read.response.unwrap());
    assert_eq!((response.response_code.unwrap().value, &*response.response_code_details), (503, &b"via_upstream"[..]));
    assert!(common.intermediate_log_entry && common.access_log_type() == our_entry::AccessLogType::DownstreamEnd);
    let flags = common.response_flags.unwrap();
    let again = full_entry::ResponseFlags::decode(flags.encode_to_vec().as_slice()).unwrap();
    assert_eq!(again, every_flag(), "the flags that are read, and no others");
    let namespaces = common.metadata.unwrap().filter_metadata;
    let said = namespaces.iter().find(|namespace| &*namespace.key == b"envoy.filters.http.ext_authz").unwrap();
    let said = our_entry::Fields::decode(said.value.clone()).unwrap();
    let keyward = said.fields[0].value.as_ref().unwrap().struct_value.as_ref().unwrap();
    assert_eq!((&*said.fields[0].key, &*keyward.fields[0].key), (&b"keyward"[..], &b"ticket"[..]));
    assert_eq!(&*keyward.fields[0].value.as_ref().unwrap().string_value, b"AbC-_");
    assert_eq!(our_log::StreamAccessLogsResponse {}.encode_to_vec(), StreamAccessLogsResponse {}.encode_to_vec());
}

#[test]
fn the_entries_of_an_access_log_are_read_as_far_as_its_message_decodes() {
    let small = |name: &str| HttpAccessLogEntry {
        request: Some(HttpRequestProperties { path: name.into(), ..HttpRequestProperties::default() }),
        ..HttpAccessLogEntry::default()
    };
    let half = |entries: &[HttpAccessLogEntry]| StreamAccessLogsMessage {
        identifier: Some(Identifier { log_name: "any".into(), ..Identifier::default() }),
        log_entries: Some(LogEntries::HttpLogs(HttpAccessLogEntries { log_entry: entries.to_vec() })),
    };
    let all = [small("/a"), HttpAccessLogEntry::default(), small("/b"), small("/c")];
    // Messages that follow one another are one, and so are their lists.
    let mut message = half(&all[..3]).encode_to_vec();
    message.extend([0x98, 0x06, 0x01, 0xa2, 0x06, 0x02, b'n', b'o']);
    message.extend(half(&all[3..]).encode_to_vec());
    let all: Vec<Vec<u8>> = all.iter().map(HttpAccessLogEntry::encode_to_vec).collect();
    let read: Vec<_> = access_log::entries(message.clone().into()).map(Result::unwrap).collect();
    assert_eq!(read, all);

    let mut faults = 0;
    for end in 0..message.len() {
        let read: Vec<_> = access_log::entries(message[..end].to_vec().into()).collect();
        faults += usize::from(read.last().is_some_and(Result::is_err));
        let entries: Vec<_> = read.into_iter().filter_map(Result::ok).collect();
        assert!(all.starts_with(&entries.iter().map(|entry| entry.to_vec()).collect::<Vec<_>>()), "of {end} bytes: {entries:?}");
    }
    assert!(faults > message.len() / 2, "most of what is cut off does not decode");
}

/// With more in it than is read.
fn entry(ours: Struct) -> HttpAccessLogEntry {
    let other = ("other".to_owned(), of_one("n", Kind::NumberValue(1.0)));
    let filter_metadata = [("envoy.filters.http.ext_authz".to_owned(), ours), other].into();
    #[expect(deprecated, reason = "older Envoys say so of entries that are not the last")]
    let common = AccessLogCommon {
        metadata: Some(core::Metadata { filter_metadata, ..core::Metadata::default() }),
        response_flags: Some(every_flag()),
        access_log_type: full_entry::AccessLogType::DownstreamEnd.into(),
        intermediate_log_entry: true,
        upstream_cluster: "not read".into(),
        ..AccessLogCommon::default()
    };
    let response = HttpResponseProperties {
        response_code: Some(UInt32Value { value: 503 }),
        response_code_details: "via_upstream".into(),
        ..HttpResponseProperties::default()
    };
    let request = Some(HttpRequestProperties { path: "/not?read".into(), ..HttpRequestProperties::default() });
    HttpAccessLogEntry { common_properties: Some(common), request, response: Some(response), ..HttpAccessLogEntry::default() }
}

/// Those that the condensed message has.
fn every_flag() -> full_entry::ResponseFlags {
    full_entry::ResponseFlags {
        failed_local_healthcheck: true,
        no_healthy_upstream: true,
        upstream_request_timeout: true,
        local_reset: true,
        upstream_remote_reset: true,
        upstream_connection_failure: true,
        upstream_connection_termination: true,
        upstream_overflow: true,
        downstream_connection_termination: true,
        stream_idle_timeout: true,
        downstream_protocol_error: true,
        upstream_max_stream_duration_reached: true,
        duration_timeout: true,
        upstream_protocol_error: true,
        no_cluster_found: true,
        dns_resolution_failure: true,
        downstream_remote_reset: true,
        ..full_entry::ResponseFlags::default()
    }
}
