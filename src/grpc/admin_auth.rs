//! Who may call which RPC of the admin API: one table. It stands before the services, so that no method can forget it, and what has no row is
//! refused.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::NamedService;
use tonic::{Code, Request, Status};

use super::admin::status::{no_such_rpc, unread};
use super::peer::Peer;
use super::unread::to_its_end;
use crate::domain::audit::Who;
use crate::keyring::{Called, Caller, Keyring, KeyringError, Role, Sight, Visitor};

/// The role that each RPC needs, and whether it is answered while the log is rolled back: what reads, restricts, or ends that state is. Until
/// then a token is as good as the store, which may have forgotten that it was revoked; so nobody is given anything. What needs no token is in
/// `admin_open.rs`.
const ROLES: &[(&str, Role, Sight)] = &[
    ("/keyward.admin.v1.KeyService/CreateKey", Role::Issuer, Sight::Leased),
    ("/keyward.admin.v1.KeyService/GetKey", Role::Viewer, Sight::EvenRolledBack),
    ("/keyward.admin.v1.KeyService/ListKeys", Role::Viewer, Sight::EvenRolledBack),
    ("/keyward.admin.v1.KeyService/UpdateKey", Role::Admin, Sight::Leased),
    ("/keyward.admin.v1.KeyService/RevokeKey", Role::Revoker, Sight::EvenRolledBack),
    ("/keyward.admin.v1.KeyService/RotateKey", Role::Issuer, Sight::Leased),
    ("/keyward.admin.v1.KeyService/RetireSecrets", Role::Revoker, Sight::EvenRolledBack),
    ("/keyward.admin.v1.KeyService/EnableKey", Role::Admin, Sight::Leased),
    ("/keyward.admin.v1.KeyService/DeleteKey", Role::Admin, Sight::EvenRolledBack),
    ("/keyward.admin.v1.KeyService/RevokeKeys", Role::Revoker, Sight::EvenRolledBack),
    ("/keyward.admin.v1.KeyService/ImportKeys", Role::Admin, Sight::Leased),
    ("/keyward.admin.v1.AuditService/ListAudit", Role::Viewer, Sight::EvenRolledBack),
    ("/keyward.admin.v1.AuditService/WatchAudit", Role::Viewer, Sight::EvenRolledBack),
    ("/keyward.admin.v1.AuditService/ExportAudit", Role::Viewer, Sight::EvenRolledBack),
    ("/keyward.admin.v1.AuditService/VerifyAudit", Role::Viewer, Sight::EvenRolledBack),
    ("/keyward.admin.v1.KeyService/ExplainCheck", Role::Viewer, Sight::EvenRolledBack),
    ("/keyward.admin.v1.OwnerService/CreateOwner", Role::Issuer, Sight::Leased),
    ("/keyward.admin.v1.OwnerService/GetOwner", Role::Viewer, Sight::EvenRolledBack),
    ("/keyward.admin.v1.OwnerService/ListOwners", Role::Viewer, Sight::EvenRolledBack),
    ("/keyward.admin.v1.OwnerService/UpdateOwner", Role::Admin, Sight::Leased),
    ("/keyward.admin.v1.OwnerService/DisableOwner", Role::Revoker, Sight::EvenRolledBack),
    ("/keyward.admin.v1.OwnerService/EnableOwner", Role::Admin, Sight::Leased),
    ("/keyward.admin.v1.PepperService/GetPepperStatus", Role::Viewer, Sight::EvenRolledBack),
    ("/keyward.admin.v1.PepperService/WithdrawPepper", Role::Admin, Sight::EvenRolledBack),
    ("/keyward.admin.v1.RevocationService/WaitRevocation", Role::Revoker, Sight::EvenRolledBack),
    ("/keyward.admin.v1.RevocationService/GetRevocationStatus", Role::Viewer, Sight::EvenRolledBack),
    ("/keyward.admin.v1.RevocationService/Resume", Role::Admin, Sight::EvenRolledBack),
    ("/keyward.admin.v1.UsageService/GetUsage", Role::Viewer, Sight::EvenRolledBack),
];

/// A service that is reached by callers with the right role alone.
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
    called(request).map(|called| called.caller)
}

/// The same, with what it takes to ask again: for calls that last.
pub(super) fn called<T>(request: &Request<T>) -> Result<Called, Status> {
    request.extensions().get::<Called>().cloned().ok_or_else(|| KeyringError::TokenRefused.into())
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

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let fresh = self.service.clone();
        let mut ready = std::mem::replace(&mut self.service, fresh);
        let keyring = self.keyring.clone();
        let mut request = request.map(to_its_end);
        Box::pin(async move {
            let (peer, rpc) = (request.extensions().get::<Peer>(), request.uri().path());
            let (action, from) = (named(rpc), peer.map(|peer| peer.address.to_canonical()));
            let (who, response) = match admit(&keyring, request.headers(), peer, rpc).await {
                Ok(called) => {
                    let who = Who::By(called.caller.actor.clone());
                    request.extensions_mut().insert(called);
                    (who, detailed(ready.call(request).await?))
                }
                Err((caller, status)) => (caller.map_or(Who::Unknown, |caller| Who::By(caller.actor)), status.into_http()),
            };
            if let Some(reason) = Status::from_header_map(response.headers()).and_then(|status| refused(status.code())) {
                // beside the answer: whoever is refused need not wait until that is written down
                tokio::spawn(async move { keyring.refused(who, from, action, reason).await });
            }
            Ok(response)
        })
    }
}

/// Every error says its reason. One that does not is the router's or the codec's: it is all in the headers, for nothing was answered.
pub(super) fn detailed(response: http::Response<Body>) -> http::Response<Body> {
    let status = Status::from_header_map(response.headers());
    match status.filter(|status| status.code() != Code::Ok && status.details().is_empty()) {
        Some(status) => unread(&status).into_http(),
        None => response,
    }
}

/// Who it is first: nobody else learns what there is.
async fn admit(keyring: &Keyring, headers: &http::HeaderMap, peer: Option<&Peer>, rpc: &str) -> Result<Called, (Option<Caller>, Status)> {
    let row = row(rpc);
    let sight = row.map_or(Sight::Leased, |(_, _, sight)| *sight);
    let (names, from) = (peer.map_or(&[][..], |peer| &peer.names), peer.map(|peer| peer.address.to_canonical()));
    let nobody = |error: KeyringError| (None, Status::from(error));
    let token = bearer(headers).map_err(nobody)?;
    let caller = keyring.caller(&Visitor { token, names, from }, sight).await.map_err(nobody)?;
    let Some(&(_, role, _)) = row else { return Err((Some(caller), no_such_rpc())) };
    match caller.has(role) {
        Ok(()) => Ok(Called { caller, role, sight }),
        Err(error) => Err((Some(caller), error.into())),
    }
}

fn row(rpc: &str) -> Option<&'static (&'static str, Role, Sight)> {
    ROLES.iter().find(|(path, ..)| *path == rpc)
}

/// The RPC's name without its service, for the audit log.
fn named(rpc: &str) -> &'static str {
    row(rpc).and_then(|(path, ..)| path.rsplit('/').next()).unwrap_or("unknown")
}

/// As what a call was refused, if the caller's rights were why.
pub(super) fn refused(code: Code) -> Option<&'static str> {
    match code {
        Code::Unauthenticated => Some("UNAUTHENTICATED"),
        Code::PermissionDenied => Some("PERMISSION_DENIED"),
        _ => None,
    }
}

/// The one token of the one `authorization` header, if there is such a header. Whoever sends one means it: what is not a token is no reason to
/// look at the certificate instead.
fn bearer(headers: &http::HeaderMap) -> Result<Option<&[u8]>, KeyringError> {
    let mut values = headers.get_all(http::header::AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let only = values.next().is_none().then(|| value.as_bytes());
    let (scheme, token) = only.and_then(|value| value.split_at_checked("Bearer ".len())).ok_or(KeyringError::TokenRefused)?;
    if scheme.eq_ignore_ascii_case(b"Bearer ") { Ok(Some(token.trim_ascii())) } else { Err(KeyringError::TokenRefused) }
}
