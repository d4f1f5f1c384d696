//! `RevocationService`.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::super::admin_auth::caller;
use super::fields::Fields;
use super::{names, shown};
use crate::keyring::{Keyring, Watch};
use crate::proto::keyward::admin::v1::revocation_service_server::RevocationService;
use crate::proto::keyward::admin::v1::{
    GetRevocationStatusRequest, GetRevocationStatusResponse, ResumeRequest, ResumeResponse, WaitRevocationRequest, WaitRevocationResponse,
};
use crate::replica::session::Leased;
use crate::revocation::Log;

/// The service.
#[derive(Debug)]
pub struct Revocation(pub(super) Arc<Keyring>);

#[tonic::async_trait]
impl RevocationService for Revocation {
    async fn wait_revocation(&self, request: Request<WaitRevocationRequest>) -> Result<Response<WaitRevocationResponse>, Status> {
        let caller = caller(&request)?;
        let WaitRevocationRequest { name, position } = request.into_inner();
        let mut fields = Fields::default();
        let what = fields.take("name", names::key_or_owner(&name));
        let held = self.0.wait_revocation(&caller, &fields.all(what)?, position).await?;
        Ok(Response::new(WaitRevocationResponse { position: held.position, guarantee: Some(shown::guarantee(held.guarantee)) }))
    }

    async fn get_revocation_status(
        &self,
        request: Request<GetRevocationStatusRequest>,
    ) -> Result<Response<GetRevocationStatusResponse>, Status> {
        Ok(Response::new(status(&self.0.watch(&caller(&request)?)?)))
    }

    async fn resume(&self, request: Request<ResumeRequest>) -> Result<Response<ResumeResponse>, Status> {
        let position = self.0.resume(&caller(&request)?).await?;
        Ok(Response::new(ResumeResponse { position }))
    }
}

fn status(watch: &Watch) -> GetRevocationStatusResponse {
    let demanded = watch.demanded.map(shown::level).unwrap_or_default().into();
    let rolled_back = watch.status.lease == Leased::RolledBack;
    let answer = GetRevocationStatusResponse { demanded_level: demanded, rolled_back, ..Default::default() };
    let Some(last) = &watch.status.last else { return answer };
    let mut holders: Vec<_> = last.holders.iter().collect();
    holders.sort_by_key(|(holder, _)| holder);
    GetRevocationStatusResponse {
        level: shown::level(last.footing.level).into(),
        position: head(&last.log),
        holders: holders.into_iter().map(shown::lease).collect(),
        longest_lease: shown::duration(last.longest),
        ..answer
    }
}

fn head(log: &Log) -> u64 {
    let (Log::Entries { head, .. } | Log::Jump { head } | Log::Lost { head } | Log::RolledBack { head }) = log;
    head.position
}
