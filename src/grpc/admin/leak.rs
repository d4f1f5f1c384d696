//! `LeakService`, which needs no token.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::super::peer::Peer;
use super::{asked, shown};
use crate::keyring::{Ended, Keyring};
use crate::proto::keyward::admin::v1::leak_service_server::LeakService;
use crate::proto::keyward::admin::v1::{ReportLeakRequest, ReportLeakResponse};

/// The service.
#[derive(Debug)]
pub struct Leak(pub(super) Arc<Keyring>);

#[tonic::async_trait]
impl LeakService for Leak {
    async fn report_leak(&self, request: Request<ReportLeakRequest>) -> Result<Response<ReportLeakResponse>, Status> {
        let from = request.extensions().get::<Peer>().map(|peer| peer.address.to_canonical());
        let (secret, realm) = asked::leak(request.into_inner())?;
        let (ended, changed) = self.0.report_leak(realm.as_ref(), &secret, from).await?;
        Ok(Response::new(ReportLeakResponse {
            key_revoked: ended == Ended::Key,
            last_four: secret.last_four(),
            revoke_time: changed.now.revoked.filter(|_| ended == Ended::Key).map(shown::instant),
        }))
    }
}
