//! The RPCs that need no token. Refusals of them are in the audit log as those of all others are: they are where somebody would guess.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::NamedService;
use tonic::{Code, Status};

use super::admin::status::no_such_rpc;
use super::admin_auth::detailed;
use super::peer::Peer;
use super::unread::to_its_end;
use crate::domain::audit::Who;
use crate::keyring::Keyring;

const UNAUTHENTICATED: (Code, &str) = (Code::Unauthenticated, "UNAUTHENTICATED");
const FAILED_PRECONDITION: (Code, &str) = (Code::FailedPrecondition, "FAILED_PRECONDITION");
const RESOURCE_EXHAUSTED: (Code, &str) = (Code::ResourceExhausted, "RESOURCE_EXHAUSTED");

/// An RPC, its name, and which refusals of it are noted: of the bootstrap a wrong secret, one that was redeemed before, and whoever has to wait
/// after too many; of reports of leaks, which anybody may get wrong, the last alone.
type Row = (&'static str, &'static str, &'static [(Code, &'static str)]);
const OPEN: &[Row] = &[
    ("/keyward.admin.v1.BootstrapService/Bootstrap", "Bootstrap", &[UNAUTHENTICATED, FAILED_PRECONDITION, RESOURCE_EXHAUSTED]),
    ("/keyward.admin.v1.LeakService/ReportLeak", "ReportLeak", &[RESOURCE_EXHAUSTED]),
];

/// A service that anybody reaches.
#[derive(Debug, Clone)]
pub struct Open<S> {
    service: S,
    keyring: Arc<Keyring>,
}

impl<S> Open<S> {
    #[must_use]
    pub fn new(service: S, keyring: Arc<Keyring>) -> Self {
        Self { service, keyring }
    }
}

impl<S: NamedService> NamedService for Open<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<http::Request<Body>> for Open<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let fresh = self.service.clone();
        let mut ready = std::mem::replace(&mut self.service, fresh);
        let keyring = self.keyring.clone();
        let request = request.map(to_its_end);
        Box::pin(async move {
            let rpc = request.uri().path();
            let Some(&(_, action, noted)) = OPEN.iter().find(|(path, ..)| *path == rpc) else {
                return Ok(no_such_rpc().into_http());
            };
            let from = request.extensions().get::<Peer>().map(|peer| peer.address.to_canonical());
            let response = detailed(ready.call(request).await?);
            let code = Status::from_header_map(response.headers()).map(|status| status.code());
            if let Some(&(_, reason)) = noted.iter().find(|(refused, _)| Some(*refused) == code) {
                // beside the answer, as in `admin_auth.rs`
                tokio::spawn(async move { keyring.refused(Who::Unknown, from, action, reason).await });
            }
            Ok(response)
        })
    }
}
