//! The server of `envoy.service.auth.v3.Authorization`. It hands a `CheckRequest` on as the bytes that it came in, and a body that is no
//! message as none, so that nothing fails the call: it reaches the gate as such and is refused in band. A failed RPC would be what
//! `failure_mode_allow` lets pass (CVE-2023-27488). What a generated server and its codec do beside that costs a tenth of a check.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::Service;
use tonic::codegen::http::{HeaderMap, Request, Response};
use tonic::server::NamedService;

use super::unary::{self, LengthPrefixed, Unread};

/// Whoever answers checks.
pub trait Answers: Send + Sync + 'static {
    /// Its service, and the one call of it.
    const SERVICE: &'static str = "envoy.service.auth.v3.Authorization";
    const PATH: &'static str = "/envoy.service.auth.v3.Authorization/Check";

    /// Bytes of a message; what is longer is malformed. A check is answered in band whatever its size, as far as memory allows: Envoy sends headers of
    /// 60 KiB at most, and bodies only under `with_request_body`, which keyward does not need.
    const LARGEST: usize = 64 * 1024 * 1024;

    /// The answer to one check, whatever was asked and whatever goes wrong: a `CheckResponse`. `asked`: the bytes of a `CheckRequest`, or any
    /// others. `metadata`: the call's own headers.
    fn answer(&self, asked: Bytes, metadata: &HeaderMap) -> impl Future<Output = LengthPrefixed> + Send;
}

/// The service of this name.
#[derive(Debug)]
pub struct CheckServer<C>(Arc<C>);

impl<C> CheckServer<C> {
    pub fn new(checks: C) -> Self {
        Self::of(Arc::new(checks))
    }

    /// Of whoever answers somebody else too.
    pub fn of(checks: Arc<C>) -> Self {
        Self(checks)
    }
}

impl<C> Clone for CheckServer<C> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<C: Answers> NamedService for CheckServer<C> {
    const NAME: &'static str = C::SERVICE;
}

impl<C: Answers> Service<Request<Body>> for CheckServer<C> {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let checks = self.0.clone();
        Box::pin(async move {
            if request.uri().path() != C::PATH {
                return Ok(Status::unimplemented("the service has no such call").into_http());
            }
            let (head, mut body) = request.into_parts();
            let asked = match unary::message(&mut body, C::LARGEST).await {
                Ok(asked) => asked,
                Err(Unread::Odd) => Bytes::new(),
                Err(Unread::Gone) => return Ok(Status::cancelled("the request ended before it was whole").into_http()),
            };
            let answer = checks.answer(asked, &head.headers).await;
            // by now its end has come too, in most cases
            drop(body);
            Ok(answer.into_response())
        })
    }
}
