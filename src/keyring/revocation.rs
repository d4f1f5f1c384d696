//! What a revocation stands on: waiting for one that was not guaranteed, how things stand, and going on after the log was rolled back.

use std::time::Duration;

use tokio::time::timeout;

use super::guarantee::{Guarantee, Promise};
use super::kept::Kept;
use super::{Caller, Keyring, KeyringError, Target};
use crate::domain::name::admin_realm;
use crate::domain::owner::Owner;
use crate::domain::record::Record;
use crate::replica::session::{Leased, Status};
use crate::revocation::{Level, Standing};
use crate::store::What;

/// How long this replica's own renewal is waited for after a resumption. Whether it comes in time or later is all the same.
const RENEWAL_PATIENCE: Duration = Duration::from_secs(1);

/// A restricting change that holds on every replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// The log's head when it was read.
    pub position: u64,
    pub guarantee: Guarantee,
}

/// How revocations stand, as this replica was told at its last renewal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watch {
    pub demanded: Option<Level>,
    pub status: Status,
}

impl Keyring {
    /// Ends when what was recorded up to `position`, that a key is revoked or an owner disabled, holds on every replica.
    pub async fn wait_revocation(&self, caller: &Caller, what: &What, position: u64) -> Result<Held, KeyringError> {
        let begun = self.guard.clock.boot();
        let (restricted, standing) = match what.clone() {
            What::Key(realm, id) => {
                let (key, standing) = self.secured_to_change::<Record>(caller, &Target { realm, id }).await?;
                (key.revoked.is_some(), standing)
            }
            What::Owner(realm, id) => {
                let (owner, standing) = self.secured_to_change::<Owner>(caller, &Target { realm, id }).await?;
                (owner.disabled.is_some(), standing)
            }
        };
        let head = standing.at.position;
        if !restricted || head < position {
            return Err(KeyringError::NotRestricted(name(what)));
        }
        let promise = Promise { rpc: "WaitRevocation", name: name(what), position: head, standing: &standing, begun };
        Ok(Held { position: head, guarantee: self.guaranteed(promise).await? })
    }

    async fn secured_to_change<T: Kept>(&self, caller: &Caller, target: &Target<T::Id>) -> Result<(T, Standing), KeyringError> {
        self.realm_to_change(caller, &target.realm)?;
        self.secured(caller, target).await
    }

    /// How things stand, for everybody.
    pub fn watch(&self, caller: &Caller) -> Result<Watch, KeyringError> {
        caller.is_unbound("how the replicas stand")?;
        Ok(Watch { demanded: self.guard.demanded, status: self.guard.session.status() })
    }

    /// Goes on with the store as it is, after this replica has found its log rolled back: whoever never saw that must not be able to pass over
    /// it. Tells the log's head.
    pub async fn resume(&self, caller: &Caller) -> Result<u64, KeyringError> {
        caller.is_unbound("going on with the log")?;
        let session = &self.guard.session;
        if session.status().lease != Leased::RolledBack {
            return Err(KeyringError::NotRolledBack);
        }
        self.store.resume(&self.note(caller, "Resume", "revocation".into())).await?;
        let head = self.store.find(&admin_realm(), &[]).await?.at.position;
        let _ = timeout(RENEWAL_PATIENCE, session.catch_up(head)).await;
        Ok(head)
    }
}

fn name(what: &What) -> String {
    match what.clone() {
        What::Key(realm, id) => Record::name(&Target { realm, id }),
        What::Owner(realm, id) => Owner::name(&Target { realm, id }),
    }
}
