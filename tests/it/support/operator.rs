//! An operator's hand on the admin API of one replica, over a connection that is kept.

use std::net::SocketAddr;

use keyward::proto::keyward::admin::v1::bootstrap_service_client::BootstrapServiceClient;
use keyward::proto::keyward::admin::v1::key_service_client::KeyServiceClient;
use keyward::proto::keyward::admin::v1::owner_service_client::OwnerServiceClient;
use keyward::proto::keyward::admin::v1::revocation_service_client::RevocationServiceClient;
use keyward::proto::keyward::admin::v1::{
    BootstrapRequest, DisableOwnerRequest, DisableOwnerResponse, GetKeyRequest, GetRevocationStatusRequest, GetRevocationStatusResponse,
    Key, ResumeRequest, ResumeResponse, RevokeKeyRequest, RevokeKeyResponse, WaitRevocationRequest, WaitRevocationResponse,
};
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
