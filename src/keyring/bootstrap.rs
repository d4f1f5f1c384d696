//! The first admin token: whoever can read the server's one-time secret may redeem it, once. The same file access is the way back from a
//! lock-out.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::create::Created;
use super::draft::KeyDraft;
use super::edit::ATTEMPTS;
use super::kept::Kept as _;
use super::mint::Origin;
use super::{Keyring, KeyringError, Role, Target, contract};
use crate::domain::address::{AddressList, Source};
use crate::domain::audit::Who;
use crate::domain::key::Secret;
use crate::domain::name::{OwnerId, RealmId, Scope, admin_realm};
use crate::domain::owner::Owner;
use crate::domain::realm::FailureRate;
use crate::domain::record::Record;
use crate::domain::time::StoreTime;
use crate::replica::sources::Counted;
use crate::store::{Change, Commit, Expect, Needs, StoreError};

/// The owner that the first token belongs to.
pub const ADMINS: &str = "admins";

/// A shorter one could be guessed.
const SHORTEST: usize = 16;

/// Long enough to make tokens for people and machines in peace, short enough not to stay.
const LIFETIME_MS: i64 = 30 * 24 * 60 * 60 * 1000;

impl Keyring {
    /// Redeems the one-time secret for a token that may do everything, for 30 days. Who keeps showing another is told to wait, and whether the
    /// next is the right one is then not said.
    pub async fn bootstrap(&self, presented: &[u8], from: Option<IpAddr>) -> Result<Created, KeyringError> {
        let mark = self.guessed(presented, from)?;
        for _ in 0..ATTEMPTS {
            let now = self.store.now().await?;
            let (record, secret) = self.first_token(now)?;
            let changes = [self.admins(now).await?, Some(Change::Key { record: record.clone(), expect: Expect::Absent })];
            let target = Target { realm: record.realm.clone(), id: record.id.clone() };
            let audit = self.noted(Who::Bootstrap, "Bootstrap", vec![Record::name(&target)]);
            let commit = Commit {
                changes: changes.into_iter().flatten().collect(),
                audit,
                request: None,
                once: Some(mark),
                needs: Needs::default(),
            };
            match self.store.commit(&commit).await {
                Ok(_) => return Ok(Created { record, secret, replayed: false }),
                Err(StoreError::DoneBefore) => return Err(KeyringError::BootstrapDone),
                Err(StoreError::Conflict | StoreError::Exists(_)) => {}
                Err(other) => return Err(other.into()),
            }
        }
        Err(KeyringError::Busy)
    }

    fn guessed(&self, presented: &[u8], from: Option<IpAddr>) -> Result<[u8; 32], KeyringError> {
        let Some(source) = from.map(guesser) else { return self.redeemed(presented) };
        let now = self.guard.clock.boot();
        let what = "wrong one-time secrets";
        self.guessers.may(&source, now).map_err(|retry_in| KeyringError::Throttled { what, retry_in })?;
        let mark = self.redeemed(presented);
        if mark == Err(KeyringError::BootstrapRefused) {
            self.guessers.failed(&source, now);
        }
        mark
    }

    fn first_token(&self, now: StoreTime) -> Result<(Record, Option<Secret>), KeyringError> {
        let (realm, draft) = (self.tokens()?, draft(now)?);
        let format = contract::of_key(&self.realms, realm, &draft, None, now)?;
        self.minted(&Origin { realm: &realm.id, draft: &draft, format, now })
    }

    /// SHA-256 of the secret, where it is the one that the server holds: the mark that no second commit may carry.
    fn redeemed(&self, presented: &[u8]) -> Result<[u8; 32], KeyringError> {
        let file = self.bootstrap_file.as_ref().ok_or(KeyringError::BootstrapOff)?;
        let held = Secret::new(std::fs::read(file).map_err(|_| KeyringError::BootstrapOff)?);
        let held = held.expose().trim_ascii();
        if held.len() < SHORTEST {
            return Err(KeyringError::BootstrapOff);
        }
        let (held, presented) = (hash(held), hash(presented.trim_ascii()));
        if held.ct_eq(&presented).into() { Ok(held) } else { Err(KeyringError::BootstrapRefused) }
    }

    /// The change after which there is an owner for the token, one that is not disabled; `None`: there is.
    async fn admins(&self, now: StoreTime) -> Result<Option<Change>, KeyringError> {
        let (realm, id) = (admin_realm(), admins()?);
        Ok(match self.store.owner(&realm, &id).await? {
            None => Some(Change::Owner { owner: fresh(realm, id, now), expect: Expect::Absent }),
            Some(owner) if owner.disabled.is_some() => {
                let revision = owner.revision;
                Some(Owner { disabled: None, ..owner }.under(revision + 1).written(Expect::Revision(revision)))
            }
            Some(_) => None,
        })
    }
}

/// Ten in a minute: more than anybody mistypes.
fn guesser(from: IpAddr) -> Counted {
    let rate = FailureRate { look_ups: NonZeroU32::MIN.saturating_add(9), per: Duration::from_mins(1) };
    Counted::new(&admin_realm(), Source::from(from), rate)
}

fn hash(secret: &[u8]) -> [u8; 32] {
    Sha256::digest(secret).into()
}

fn admins() -> Result<OwnerId, KeyringError> {
    Ok(OwnerId::parse(ADMINS)?)
}

fn fresh(realm: RealmId, id: OwnerId, now: StoreTime) -> Owner {
    let name = "Administrators".into();
    Owner { realm, id, name, plan: None, limits: [].into(), created: now, disabled: None, revision: 1, generation: 0 }
}

fn draft(now: StoreTime) -> Result<KeyDraft, KeyringError> {
    Ok(KeyDraft {
        owner: admins()?,
        label: "bootstrap".into(),
        environment: None,
        kind: None,
        plan: None,
        limits: Vec::new(),
        tenant: None,
        scopes: vec![Scope::parse(Role::Admin.scope())?],
        addresses: AddressList::default(),
        expires: Some(StoreTime(now.0 + LIFETIME_MS)),
        metadata: BTreeMap::new(),
        binding: None,
    })
}
