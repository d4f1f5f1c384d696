//! Who may call which RPC of the admin API: one table. It stands before the services, so that no method can forget it, and what has no row is
//! refused.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::NamedService;
use tonic::{Request, Status};

use crate::keyring::{Caller, Keyring, KeyringError, Role, Sight};

/// The role that each RPC needs, and whether it is answered while the log is rolled back: what reads, restricts, or ends that state is. Until
/// then a token is as good as the store, which may have forgotten that it was revoked; so nobody is given anything. Bootstrap has no row: it
/// stands outside, for it makes the first token.
const ROLES: [(&str, Role, Sight); 14] = [
    ("/keyward.admin.v1.KeyService/CreateKey", Role::Issuer, Sight::Leased),
    ("/keyward.admin.v1.KeyService/GetKey", Role::Viewer, Sight::EvenRolledBack),
    ("/keyward.admin.v1.KeyService/ListKeys", Role::Viewer, Sight::EvenRolledBack),
    ("/keyward.admin.v1.KeyService/UpdateKey", Role::Admin, Sight::Leased),
    ("/keyward.admin.v1.KeyService/RevokeKey", Role::Revoker, Sight::EvenRolledBack),
    ("/keyward.admin.v1.OwnerService/CreateOwner", Role::Issuer, Sight::Leased),
    ("/keyward.admin.v1.OwnerService/GetOwner", Role::Viewer, Sight::EvenRolledBack),
    ("/keyward.admin.v1.OwnerService/ListOwners", Role::Viewer, Sight::EvenRolledBack),
    ("/keyward.admin.v1.OwnerService/UpdateOwner", Role::Admin, Sight::Leased),
    ("/keyward.admin.v1.OwnerService/DisableOwner", Role::Revoker, Sight::EvenRolledBack),
    ("/keyward.admin.v1.OwnerService/EnableOwner", Role::Admin, Sight::Leased),
    ("/keyward.admin.v1.RevocationService/WaitRevocation", Role::Revoker, Sight::EvenRolledBack),
    ("/keyward.admin.v1.RevocationService/GetRevocationStatus", Role::Viewer, Sight::EvenRolledBack),
    ("/keyward.admin.v1.RevocationService/Resume", Role::Admin, Sight::EvenRolledBack),
];

/// A service that is reached with an admin token of the right role alone.
#[derive(Debug, Clone)]
pub struct Authenticated<S> {
    service: S,
    keyring: Arc<Keyring>,
}

impl<S> Authenticated<S> {
    #[must_use]
    pub fn new(service: S, keyring: Arc<Keyring>) -> Self {
        Self { service, keyring }
    }
}

/// Whom the table let in.
pub(super) fn caller<T>(request: &Request<T>) -> Result<Caller, Status> {
    request.extensions().get::<Caller>().cloned().ok_or_else(|| KeyringError::TokenRefused.into())
}

impl<S: NamedService> NamedService for Authenticated<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<http::Request<Body>> for Authenticated<S>
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

    fn call(&mut self, mut request: http::Request<Body>) -> Self::Future {
        let fresh = self.service.clone();
        let mut ready = std::mem::replace(&mut self.service, fresh);
        let keyring = self.keyring.clone();
        Box::pin(async move {
            match admit(&keyring, request.headers(), request.uri().path()).await {
                Ok(caller) => {
                    request.extensions_mut().insert(caller);
                    ready.call(request).await
                }
                Err(status) => Ok(status.into_http()),
            }
        })
    }
}

/// The token first: without one, nobody learns what there is.
async fn admit(keyring: &Keyring, headers: &http::HeaderMap, rpc: &str) -> Result<Caller, Status> {
    let row = ROLES.iter().find(|(path, ..)| *path == rpc);
    let sight = row.map_or(Sight::Leased, |(_, _, sight)| *sight);
    let caller = keyring.caller(bearer(headers).ok_or(KeyringError::TokenRefused)?, sight).await?;
    let (_, role, _) = row.ok_or_else(|| Status::unimplemented(format!("there is no {rpc}")))?;
    caller.has(*role)?;
    Ok(caller)
}

/// The one token of the one `authorization` header.
fn bearer(headers: &http::HeaderMap) -> Option<&[u8]> {
    let mut values = headers.get_all(http::header::AUTHORIZATION).iter();
    let value = values.next().filter(|_| values.next().is_none())?.as_bytes();
    let (scheme, token) = value.split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| token.trim_ascii())
}
