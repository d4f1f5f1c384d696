//! `keyward.admin.v1`: requests are taken apart here, handed to the keyring, and its answers are put together. No rule stands here.

mod asked;
mod audit;
mod bootstrap;
mod explain;
mod fields;
mod filters;
mod import;
mod keys;
mod leak;
mod many;
mod mask;
mod names;
mod owners;
mod page;
mod peppers;
mod revocation;
mod shown;
pub(super) mod status;
mod update;
mod usage;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::admin_auth::Authenticated;
use super::admin_open::Open;
use crate::gate::Gate;
use crate::keyring::Keyring;
use crate::proto::keyward::admin::v1::audit_service_server::AuditServiceServer;
use crate::proto::keyward::admin::v1::bootstrap_service_server::BootstrapServiceServer;
use crate::proto::keyward::admin::v1::key_service_server::KeyServiceServer;
use crate::proto::keyward::admin::v1::leak_service_server::LeakServiceServer;
use crate::proto::keyward::admin::v1::owner_service_server::OwnerServiceServer;
use crate::proto::keyward::admin::v1::pepper_service_server::PepperServiceServer;
use crate::proto::keyward::admin::v1::revocation_service_server::RevocationServiceServer;
use crate::proto::keyward::admin::v1::usage_service_server::UsageServiceServer;

/// The services of the admin port.
#[derive(Debug, Clone)]
pub struct Services {
    pub keys: Authenticated<KeyServiceServer<keys::Keys>>,
    pub owners: Authenticated<OwnerServiceServer<owners::Owners>>,
    pub revocation: Authenticated<RevocationServiceServer<revocation::Revocation>>,
    pub audit: Authenticated<AuditServiceServer<audit::Audit>>,
    pub peppers: Authenticated<PepperServiceServer<peppers::Peppers>>,
    /// Needs no token: a secret is token enough to end itself.
    pub leak: Open<LeakServiceServer<leak::Leak>>,
    pub usage: Authenticated<UsageServiceServer<usage::UsageOf>>,
    /// Needs no token: it makes the first one.
    pub bootstrap: Open<BootstrapServiceServer<bootstrap::Bootstrap>>,
}

/// All of them, of one keyring, and of the gate whose checks are explained. `leaving`: when streams that have no end of their own are to end.
#[must_use]
pub fn services(keyring: &Arc<Keyring>, gate: &Arc<Gate>, leaving: CancellationToken) -> Services {
    let keys = KeyServiceServer::new(keys::Keys(keyring.clone(), gate.clone()));
    let owners = OwnerServiceServer::new(owners::Owners(keyring.clone()));
    let revocation = RevocationServiceServer::new(revocation::Revocation(keyring.clone()));
    let audit = AuditServiceServer::new(audit::Audit { keyring: keyring.clone(), leaving });
    let usage = UsageServiceServer::new(usage::UsageOf(keyring.clone()));
    let peppers = PepperServiceServer::new(peppers::Peppers(keyring.clone()));
    Services {
        peppers: Authenticated::new(peppers, keyring.clone()),
        audit: Authenticated::new(audit, keyring.clone()),
        keys: Authenticated::new(keys, keyring.clone()),
        owners: Authenticated::new(owners, keyring.clone()),
        revocation: Authenticated::new(revocation, keyring.clone()),
        leak: Open::new(LeakServiceServer::new(leak::Leak(keyring.clone())), keyring.clone()),
        usage: Authenticated::new(usage, keyring.clone()),
        bootstrap: Open::new(BootstrapServiceServer::new(bootstrap::Bootstrap(keyring.clone())), keyring.clone()),
    }
}
