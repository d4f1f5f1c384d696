//! `PepperService`.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::super::admin_auth::caller;
use super::fields::Fields;
use super::shown;
use crate::domain::name::Word;
use crate::keyring::{Keyring, PepperStands, Stopping};
use crate::proto::keyward::admin::v1::pepper_service_server::PepperService;
use crate::proto::keyward::admin::v1::{
    GetPepperStatusRequest, GetPepperStatusResponse, KeysInRealm, PepperStatus, WithdrawPepperRequest, WithdrawPepperResponse,
};

/// The service.
#[derive(Debug)]
pub struct Peppers(pub(super) Arc<Keyring>);

#[tonic::async_trait]
impl PepperService for Peppers {
    async fn get_pepper_status(&self, request: Request<GetPepperStatusRequest>) -> Result<Response<GetPepperStatusResponse>, Status> {
        let status = self.0.pepper_status(&caller(&request)?).await?;
        let count_time = Some(shown::instant(status.counted));
        Ok(Response::new(GetPepperStatusResponse { peppers: status.peppers.iter().map(stands).collect(), count_time }))
    }

    async fn withdraw_pepper(&self, request: Request<WithdrawPepperRequest>) -> Result<Response<WithdrawPepperResponse>, Status> {
        let caller = caller(&request)?;
        let WithdrawPepperRequest { version, dry_run, force } = request.into_inner();
        let mut fields = Fields::default();
        let version = fields.take("version", Word::parse(&version));
        let version = fields.all(version)?;
        let stopping = if force { Stopping::Accepted } else { Stopping::Refused };
        let told = if dry_run {
            self.0.pepper_to_withdraw(&caller, &version).await?
        } else {
            self.0.withdraw_pepper(&caller, &version, stopping).await?
        };
        Ok(Response::new(WithdrawPepperResponse {
            removed_secret_count: told.secrets,
            stopped_key_count: told.stopped,
            stopped_keys: told.names,
            position: told.held.map_or(0, |(position, _)| position),
            guarantee: told.held.map(|(_, guarantee)| shown::guarantee(guarantee)),
        }))
    }
}

fn stands(one: &PepperStands) -> PepperStatus {
    PepperStatus {
        version: one.version.to_string(),
        scheme: one.scheme.name().into(),
        secret_count: one.count.secrets,
        key_count: one.count.keys.values().sum(),
        ended_secret_count: one.count.ended,
        realms: one.count.keys.iter().map(|(realm, keys)| KeysInRealm { realm: format!("realms/{realm}"), key_count: *keys }).collect(),
        known: one.known,
        in_use: one.in_use,
        use_time: one.used.map(shown::instant),
        withdraw_time: one.withdrawn.map(shown::instant),
    }
}
