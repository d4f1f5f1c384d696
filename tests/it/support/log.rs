//! A client of Envoy's access log service, made of another library's types: what an Envoy would send.

use std::net::SocketAddr;

use bytes::Bytes;
use envoy_types::pb::envoy::config::core::v3::Metadata;
use envoy_types::pb::envoy::data::accesslog::v3::{
    AccessLogCommon, AccessLogType, HttpAccessLogEntry, HttpResponseProperties, ResponseFlags,
};
use envoy_types::pb::envoy::service::accesslog::v3::StreamAccessLogsMessage;
use envoy_types::pb::envoy::service::accesslog::v3::stream_access_logs_message::{HttpAccessLogEntries, LogEntries};
use envoy_types::pb::google::protobuf::value::Kind;
use envoy_types::pb::google::protobuf::{Struct, UInt32Value, Value};
use prost::Message as _;
use tokio_stream::Stream;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Endpoint;
use tonic::{Request, Status};

use super::raw_codec::RawCodec;

/// The end of a request that had this ticket: what the upstream answered.
pub fn ended(ticket: &str, status: u32) -> HttpAccessLogEntry {
    entry(Some(said(ticket)), AccessLogType::DownstreamEnd, status)
}

/// An entry of another sort.
pub fn of_type(ticket: &str, sort: AccessLogType, status: u32) -> HttpAccessLogEntry {
    entry(Some(said(ticket)), sort, status)
}

/// The end of a request of which other services said this.
pub fn saying(namespace: &str, said: Struct) -> HttpAccessLogEntry {
    entry(Some((namespace.to_owned(), said)), AccessLogType::DownstreamEnd, 401)
}

/// A struct of one field.
pub fn of_one(name: &str, kind: Kind) -> Struct {
    Struct { fields: [(name.to_owned(), Value { kind: Some(kind) })].into() }
}

fn said(ticket: &str) -> (String, Struct) {
    let ours = of_one("ticket", Kind::StringValue(ticket.to_owned()));
    ("envoy.filters.http.ext_authz".into(), of_one("keyward", Kind::StructValue(ours)))
}

fn entry(said: Option<(String, Struct)>, sort: AccessLogType, status: u32) -> HttpAccessLogEntry {
    let metadata = Metadata { filter_metadata: said.into_iter().collect(), ..Metadata::default() };
    let common = AccessLogCommon {
        metadata: Some(metadata),
        response_flags: Some(ResponseFlags::default()),
        access_log_type: sort.into(),
        ..AccessLogCommon::default()
    };
    let response = HttpResponseProperties {
        response_code: Some(UInt32Value { value: status }),
        response_code_details: "via_upstream".into(),
        ..HttpResponseProperties::default()
    };
    HttpAccessLogEntry { common_properties: Some(common), response: Some(response), ..HttpAccessLogEntry::default() }
}

/// One message of these.
pub fn message(entries: Vec<HttpAccessLogEntry>) -> Bytes {
    let entries = LogEntries::HttpLogs(HttpAccessLogEntries { log_entry: entries });
    StreamAccessLogsMessage { log_entries: Some(entries), ..StreamAccessLogsMessage::default() }.encode_to_vec().into()
}

/// Sends one stream of messages, byte for byte, and waits until all of it was read. `secret`: shown as an Envoy would.
pub async fn stream(address: SocketAddr, messages: Vec<Bytes>, secret: Option<&str>) -> Result<(), Status> {
    stream_of(address, tokio_stream::iter(messages), secret).await
}

/// The same of messages that come one by one.
pub async fn stream_of(
    address: SocketAddr,
    messages: impl Stream<Item = Bytes> + Send + 'static,
    secret: Option<&str>,
) -> Result<(), Status> {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
    let mut client = Grpc::new(endpoint.connect().await.unwrap());
    client.ready().await.unwrap();
    let mut call = Request::new(messages);
    if let Some(secret) = secret {
        call.metadata_mut().insert("authorization", format!("Bearer {secret}").parse().unwrap());
    }
    let path = PathAndQuery::from_static("/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs");
    client.client_streaming(call, path, RawCodec).await.map(|_| ())
}
