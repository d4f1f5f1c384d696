//! An operator's hand on the admin API of one replica, over a connection that is kept.

use std::net::SocketAddr;

use keyward::proto::keyward::admin::v1::bootstrap_service_client::BootstrapServiceClient;
use keyward::proto::keyward::admin::v1::key_service_client::KeyServiceClient;
use keyward::proto::keyward::admin::v1::owner_service_client::OwnerServiceClient;
use keyward::proto::keyward::admin::v1::revocation_service_client::RevocationServiceClient;
use keyward::proto::keyward::admin::v1::{
    BootstrapRequest, DisableOwnerRequest, DisableOwnerResponse, GetKeyRequest, GetRevocationStatusRequest, GetRevocationStatusResponse,
    Key, LimitOverride, Owner, ResumeRequest, ResumeResponse, RevokeKeyRequest, RevokeKeyResponse, UpdateKeyRequest, UpdateKeyResponse,
    UpdateOwnerRequest, UpdateOwnerResponse, WaitRevocationRequest, WaitRevocationResponse,
};
use prost_types::FieldMask;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

use super::member::Plan;

/// Who may do everything.
#[derive(Clone)]
pub struct Operator {
    realm: &'static str,
    token: String,
    channel: Channel,
}

/// What a key or an owner says of its limits: its plan, and one number of its own, if any.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub plan: &'static str,
    pub number: Option<(&'static str, u32)>,
}

impl Limits {
    fn own(&self) -> Vec<LimitOverride> {
        self.number.into_iter().map(|(limit, most)| LimitOverride { limit: limit.into(), most }).collect()
    }

    fn mask() -> FieldMask {
        FieldMask { paths: vec!["plan".into(), "limits".into()] }
    }
}

impl Operator {
    /// Redeems the bootstrap secret at this replica.
    pub async fn first(realm: &'static str, admin: SocketAddr) -> Self {
        let channel = connect(admin);
        let request = BootstrapRequest { secret: Plan::BOOTSTRAP.into() };
        let token = BootstrapServiceClient::new(channel.clone()).bootstrap(request).await.unwrap().into_inner().token;
        Self { realm, token, channel }
    }

    /// The same, at another replica.
    pub fn at(&self, admin: SocketAddr) -> Self {
        Self { channel: connect(admin), ..self.clone() }
    }

    pub async fn revoke(&self, key: &str) -> Result<RevokeKeyResponse, Status> {
        let request = RevokeKeyRequest { name: self.key_name(key), ..RevokeKeyRequest::default() };
        Ok(self.keys().revoke_key(self.ask(request)).await?.into_inner())
    }

    pub async fn get_key(&self, key: &str) -> Result<Key, Status> {
        let request = GetKeyRequest { name: self.key_name(key), read_mask: None };
        Ok(self.keys().get_key(self.ask(request)).await?.into_inner().key.unwrap())
    }

    /// Gives a key a plan, and numbers of its own for limits, in place of those that it had.
    pub async fn limit_key(&self, key: &str, limits: &Limits) -> Result<UpdateKeyResponse, Status> {
        let key = Key { name: self.key_name(key), plan: limits.plan.into(), limits: limits.own(), ..Key::default() };
        let request = UpdateKeyRequest { key: Some(key), update_mask: Some(Limits::mask()), request_id: String::new() };
        Ok(self.keys().update_key(self.ask(request)).await?.into_inner())
    }

    /// The same of an owner.
    pub async fn limit_owner(&self, owner: &str, limits: &Limits) -> Result<UpdateOwnerResponse, Status> {
        let name = format!("realms/{}/owners/{owner}", self.realm);
        let owner = Owner { name, plan: limits.plan.into(), limits: limits.own(), ..Owner::default() };
        let request = UpdateOwnerRequest { owner: Some(owner), update_mask: Some(Limits::mask()), request_id: String::new() };
        let mut owners = OwnerServiceClient::new(self.channel.clone());
        Ok(owners.update_owner(self.ask(request)).await?.into_inner())
    }

    pub async fn disable_owner(&self, owner: &str) -> Result<DisableOwnerResponse, Status> {
        let name = format!("realms/{}/owners/{owner}", self.realm);
        let request = DisableOwnerRequest { name, ..DisableOwnerRequest::default() };
        let mut owners = OwnerServiceClient::new(self.channel.clone());
        Ok(owners.disable_owner(self.ask(request)).await?.into_inner())
    }

    /// Waits for what was recorded and not guaranteed.
    pub async fn wait(&self, key: &str) -> Result<WaitRevocationResponse, Status> {
        let request = WaitRevocationRequest { name: self.key_name(key), position: 0 };
        Ok(self.revocation().wait_revocation(self.ask(request)).await?.into_inner())
    }

    pub async fn status(&self) -> Result<GetRevocationStatusResponse, Status> {
        Ok(self.revocation().get_revocation_status(self.ask(GetRevocationStatusRequest {})).await?.into_inner())
    }

    pub async fn resume(&self) -> Result<ResumeResponse, Status> {
        Ok(self.revocation().resume(self.ask(ResumeRequest {})).await?.into_inner())
    }

    fn keys(&self) -> KeyServiceClient<Channel> {
        KeyServiceClient::new(self.channel.clone())
    }

    fn revocation(&self) -> RevocationServiceClient<Channel> {
        RevocationServiceClient::new(self.channel.clone())
    }

    fn key_name(&self, key: &str) -> String {
        format!("realms/{}/keys/{key}", self.realm)
    }

    fn ask<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", format!("Bearer {}", self.token).parse().unwrap());
        request
    }
}

fn connect(admin: SocketAddr) -> Channel {
    Endpoint::from_shared(format!("http://{admin}")).unwrap().connect_lazy()
}
