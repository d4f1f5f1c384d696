//! A client of Envoy's `Check`, made of another library's types: what keyward answers is read by code that is not keyward's.

use std::collections::HashMap;
use std::net::SocketAddr;

use envoy_types::pb::envoy::config::core::v3::HeaderValueOption;
use envoy_types::pb::envoy::service::auth::v3::attribute_context::{HttpRequest, Request};
use envoy_types::pb::envoy::service::auth::v3::authorization_client::AuthorizationClient;
use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use envoy_types::pb::envoy::service::auth::v3::{AttributeContext, CheckRequest, CheckResponse};
use envoy_types::pb::google::protobuf::value::Kind;
use tonic::transport::{Channel, Endpoint};

/// A connection to a replica.
pub type Checks = AuthorizationClient<Channel>;

/// Connects to a replica that listens already.
pub async fn connect(address: SocketAddr) -> Checks {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
    AuthorizationClient::new(endpoint.connect().await.unwrap())
}

/// Connects when it is first asked, and again whenever the connection is gone.
pub fn lazily(address: SocketAddr) -> Checks {
    AuthorizationClient::new(Endpoint::from_shared(format!("http://{address}")).unwrap().connect_lazy())
}

/// A request over https, with headers in the joined form.
pub fn request(method: &str, host: &str, path: &str, headers: &[(&str, &str)]) -> CheckRequest {
    let http = HttpRequest {
        id: "1".into(),
        method: method.into(),
        path: path.into(),
        host: host.into(),
        scheme: "https".into(),
        headers: headers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect::<HashMap<_, _>>(),
        ..HttpRequest::default()
    };
    let request = Request { http: Some(http), ..Request::default() };
    CheckRequest { attributes: Some(AttributeContext { request: Some(request), ..AttributeContext::default() }) }
}

/// What Envoy would do with a response: by its code alone it lets pass.
pub fn admits(response: &CheckResponse) -> bool {
    response.status.as_ref().is_none_or(|status| status.code == 0)
}

/// The status that a denied caller gets; `None`: not denied in band.
pub fn denied_status(response: &CheckResponse) -> Option<i32> {
    match response.http_response.as_ref()? {
        HttpResponse::DeniedResponse(denied) if !admits(response) => Some(denied.status.as_ref()?.code),
        _ => None,
    }
}

/// Every header that a response sets, on its way to the upstream or to the caller.
pub fn headers(response: &CheckResponse) -> Vec<HeaderValueOption> {
    match &response.http_response {
        Some(HttpResponse::OkResponse(ok)) => [&ok.headers[..], &ok.response_headers_to_add[..]].concat(),
        Some(HttpResponse::DeniedResponse(denied) | HttpResponse::ErrorResponse(denied)) => denied.headers.clone(),
        None => Vec::new(),
    }
}

/// One of them.
pub fn header(response: &CheckResponse, name: &str) -> Option<String> {
    let headers = headers(response).into_iter().filter_map(|option| option.header);
    headers.into_iter().find(|header| header.key == name).map(|header| header.value)
}

/// A text of keyward's own dynamic metadata.
pub fn metadata(response: &CheckResponse, name: &str) -> Option<String> {
    let ours = response.dynamic_metadata.as_ref()?.fields.get("keyward")?.kind.as_ref()?;
    let Kind::StructValue(ours) = ours else { return None };
    match ours.fields.get(name)?.kind.as_ref()? {
        Kind::StringValue(text) => Some(text.clone()),
        _ => None,
    }
}
