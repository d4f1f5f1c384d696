//! The way of one service's calls, past the router that all others go through: it costs a check more than finding its key does.

use std::convert::Infallible;
use std::task::{Context, Poll};

use futures_util::future::Either;
use tonic::body::Body;
use tonic::codegen::Service;
use tonic::codegen::http::{Request, Response};
use tonic::server::NamedService;
use tower_layer::Layer;

/// Put round a router, has this service asked first.
#[derive(Debug, Clone)]
pub struct Shortcut<S>(pub S);

/// A service, and a router for what is none of its own.
#[derive(Debug, Clone)]
pub struct Past<S, R> {
    service: S,
    router: R,
}

impl<S: Clone, R> Layer<R> for Shortcut<S> {
    type Service = Past<S, R>;

    fn layer(&self, router: R) -> Past<S, R> {
        Past { service: self.0.clone(), router }
    }
}

impl<S, R> Service<Request<Body>> for Past<S, R>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + NamedService,
    R: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Either<S::Future, R::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        if self.service.poll_ready(context)?.is_pending() { Poll::Pending } else { self.router.poll_ready(context) }
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let path = request.uri().path().strip_prefix('/').and_then(|path| path.strip_prefix(S::NAME));
        if path.is_some_and(|method| method.starts_with('/')) {
            Either::Left(self.service.call(request))
        } else {
            Either::Right(self.router.call(request))
        }
    }
}
