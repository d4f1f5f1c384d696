//! `keyward.admin.v1`: requests are taken apart here, handed to the keyring, and its answers are put together. No rule stands here.

mod asked;
mod bootstrap;
mod fields;
mod keys;
mod mask;
mod names;
mod owners;
mod page;
mod revocation;
mod shown;
mod status;
mod update;

use std::sync::Arc;

use super::admin_auth::Authenticated;
use crate::keyring::Keyring;
use crate::proto::keyward::admin::v1::bootstrap_service_server::BootstrapServiceServer;
use crate::proto::keyward::admin::v1::key_service_server::KeyServiceServer;
use crate::proto::keyward::admin::v1::owner_service_server::OwnerServiceServer;
use crate::proto::keyward::admin::v1::revocation_service_server::RevocationServiceServer;

/// The services of the admin port.
#[derive(Debug, Clone)]
pub struct Services {
    pub keys: Authenticated<KeyServiceServer<keys::Keys>>,
    pub owners: Authenticated<OwnerServiceServer<owners::Owners>>,
    pub revocation: Authenticated<RevocationServiceServer<revocation::Revocation>>,
    /// Needs no token: it makes the first one.
    pub bootstrap: BootstrapServiceServer<bootstrap::Bootstrap>,
}

/// All of them, of one keyring.
#[must_use]
pub fn services(keyring: &Arc<Keyring>) -> Services {
    let keys = KeyServiceServer::new(keys::Keys(keyring.clone()));
    let owners = OwnerServiceServer::new(owners::Owners(keyring.clone()));
    let revocation = RevocationServiceServer::new(revocation::Revocation(keyring.clone()));
    Services {
        keys: Authenticated::new(keys, keyring.clone()),
        owners: Authenticated::new(owners, keyring.clone()),
        revocation: Authenticated::new(revocation, keyring.clone()),
        bootstrap: BootstrapServiceServer::new(bootstrap::Bootstrap(keyring.clone())),
    }
}
