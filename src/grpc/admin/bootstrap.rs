//! `BootstrapService`, the one service that needs no token.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::super::peer::Peer;
use super::{keys, shown};
use crate::keyring::Keyring;
use crate::proto::keyward::admin::v1::bootstrap_service_server::BootstrapService;
use crate::proto::keyward::admin::v1::{BootstrapRequest, BootstrapResponse};

/// The service.
#[derive(Debug)]
pub struct Bootstrap(pub(super) Arc<Keyring>);

#[tonic::async_trait]
impl BootstrapService for Bootstrap {
    async fn bootstrap(&self, request: Request<BootstrapRequest>) -> Result<Response<BootstrapResponse>, Status> {
        let from = request.extensions().get::<Peer>().map(|peer| peer.address.to_canonical());
        let created = self.0.bootstrap(request.into_inner().secret.as_bytes(), from).await?;
        let token = created.secret.as_ref().map(keys::text).unwrap_or_default();
        Ok(Response::new(BootstrapResponse { token, key: Some(shown::key(self.0.told(created.record).await)) }))
    }
}
