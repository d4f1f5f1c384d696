//! Answers to checks that nobody looked at: always the same bytes, so they are encoded once.

use bytes::{BufMut as _, Bytes, BytesMut};
use http_body_util::{BodyExt as _, Full};
use tonic::body::Body;
use tonic::codegen::http;

use super::answer::Fact;
use super::status::{Caller, answer};
use crate::domain::reason::Reason;
use crate::domain::verdict::Refusal;

/// Each with the prefix of a gRPC message.
pub(super) struct Undecided {
    pub(super) overload: Bytes,
    pub(super) late: Bytes,
    pub(super) internal: Bytes,
}

impl Undecided {
    pub(super) fn encoded() -> Self {
        Self {
            overload: refusal(Reason::Unavailable, Some("overload")),
            late: refusal(Reason::Unavailable, Some("late")),
            internal: refusal(Reason::Internal, None),
        }
    }
}

/// The whole of a call's answer: a message, and a `grpc-status` of 0.
pub(super) fn whole(message: &Bytes) -> http::Response<Body> {
    let trailers = http::HeaderMap::from_iter([(http::HeaderName::from_static("grpc-status"), http::HeaderValue::from_static("0"))]);
    let body = Full::new(message.clone()).with_trailers(std::future::ready(Some(Ok(trailers))));
    let mut response = http::Response::new(Body::new(body));
    response.headers_mut().insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/grpc"));
    response
}

/// The default denial of a reason: of a request that was not read, no realm is known. Nor is its caller; to a gRPC caller Envoy tells a 503 as
/// UNAVAILABLE with the body as its message, which is what a denial for gRPC would have said.
fn refusal(reason: Reason, cause: Option<&str>) -> Bytes {
    let refusal = Err(Refusal::from(reason));
    let mut answer = answer(&refusal, Caller::Http);
    answer.ours.extend(cause.map(|cause| ("cause", Fact::text(cause))));
    let message = answer.encode();
    let mut framed = BytesMut::with_capacity(5 + message.len());
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).unwrap_or(0));
    framed.put_slice(&message);
    framed.freeze()
}
