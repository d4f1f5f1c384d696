//! The condensed protos against another library's full ones: the same bytes, both ways.

use std::collections::HashMap;

use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::envoy::data::accesslog::v3 as full_entry;
use envoy_types::pb::envoy::data::accesslog::v3::{AccessLogCommon, HttpAccessLogEntry, HttpRequestProperties, HttpResponseProperties};
use envoy_types::pb::envoy::service::accesslog::v3::stream_access_logs_message::{HttpAccessLogEntries, Identifier, LogEntries};
use envoy_types::pb::envoy::service::accesslog::v3::{StreamAccessLogsMessage, StreamAccessLogsResponse};
use envoy_types::pb::envoy::service::auth::v3 as full;
use envoy_types::pb::envoy::service::auth::v3::attribute_context::{HttpRequest, Peer, Request};
use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use envoy_types::pb::envoy::r#type::v3::HttpStatus;
use envoy_types::pb::google::protobuf::value::Kind;
use envoy_types::pb::google::protobuf::{ListValue, Struct, UInt32Value, Value};
use envoy_types::pb::google::rpc::Status;
use keyward::grpc::access_log;
use keyward::grpc::answer::{Answer, Denied, Fact, Http, Onward};
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
fn an_answer_decodes_in_the_full_api_field_by_field() {
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let (set, remove, parameters) = ([("x-owner".to_owned(), "acme".to_owned())], texts(&["authorization", "cookie"]), texts(&["key"]));
    let onward =
        Onward { set: &set, remove: &remove, remove_parameters: &parameters, response_headers: vec![("ratelimit".into(), "1".into())] };
    let long = "longer than what most answers take".repeat(40);
    let denied = || Denied {
        grpc_code: 8,
        status: 429,
        headers: vec![("retry-after".into(), "7".into()), ("x-a".into(), "".into())],
        body: long.clone(),
    };
    let facts = || vec![("realm", Fact::text("r")), ("left", Fact::Number(7)), ("scopes", Fact::list(["a:b", "c"]))];
    let answer =
        |http| Answer { http, ours: facts(), beside: vec![("limit".into(), Fact::Facts(facts())), ("cost".into(), Fact::Number(0))] };

    let option = |name: &str, value: &str| core::HeaderValueOption {
        header: Some(core::HeaderValue { key: name.into(), value: value.into(), ..core::HeaderValue::default() }),
        append_action: core::header_value_option::HeaderAppendAction::OverwriteIfExistsOrAdd.into(),
        ..core::HeaderValueOption::default()
    };
    let ok = full::OkHttpResponse {
        headers: vec![option("x-owner", "acme")],
        headers_to_remove: remove.clone(),
        response_headers_to_add: vec![option("ratelimit", "1")],
        query_parameters_to_remove: parameters.clone(),
        ..full::OkHttpResponse::default()
    };
    let no = full::DeniedHttpResponse {
        status: Some(HttpStatus { code: 429 }),
        headers: vec![option("retry-after", "7"), option("x-a", "")],
        body: long.clone(),
    };
    let value = |kind| Value { kind: Some(kind) };
    let text = |text: &str| value(Kind::StringValue(text.into()));
    let scopes = value(Kind::ListValue(ListValue { values: vec![text("a:b"), text("c")] }));
    let ours = [("realm".to_owned(), text("r")), ("left".to_owned(), value(Kind::NumberValue(7.0))), ("scopes".to_owned(), scopes)];
    let ours = value(Kind::StructValue(Struct { fields: ours.into() }));
    let cost = value(Kind::NumberValue(0.0));
    let all = [("keyward".to_owned(), ours.clone()), ("limit".to_owned(), ours), ("cost".to_owned(), cost)];

    for (mine, code, theirs) in [
        (Http::Passes(onward), 0, HttpResponse::OkResponse(ok)),
        (Http::Denied(denied()), 8, HttpResponse::DeniedResponse(no.clone())),
        (Http::Failed(Denied { grpc_code: 14, ..denied() }), 14, HttpResponse::ErrorResponse(no)),
    ] {
        let whole = full::CheckResponse {
            status: Some(Status { code, ..Status::default() }),
            http_response: Some(theirs),
            dynamic_metadata: Some(Struct { fields: all.clone().into() }),
        };
        assert_eq!(full::CheckResponse::decode(answer(mine).encode().message()).unwrap(), whole);
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
