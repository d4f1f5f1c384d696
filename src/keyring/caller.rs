//! Who asks: an admin token is a key of the realm `keyward`, and its scopes are its roles.

use std::borrow::Cow;
use std::time::Duration;

use tokio::time::timeout;

use super::{Keyring, KeyringError};
use crate::domain::audit::Who;
use crate::domain::bearer::{Asked, Bearer};
use crate::domain::credential::Presented;
use crate::domain::key::Digest;
use crate::domain::name::{KeyId, RealmId, Scope, admin_realm};
use crate::domain::route::Demands;
use crate::domain::time::{BootTime, StoreTime};
use crate::replica::session::Leased;
use crate::revocation::{Fill, Read};
use crate::store::{Finding, StoreError};

/// How often a token is looked for before the store is taken to be away, or what it says to be old.
const SEARCHES: usize = 3;

/// How long the log is waited for, where a token was read ahead of it.
const LOG_PATIENCE: Duration = Duration::from_secs(1);

/// What a token must be seen by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// A replica that holds a lease: a token that was revoked is refused, whatever the replica is cut off from.
    Leased,
    /// The same, but while the log is rolled back and nobody holds a lease, the store as it is. For what is needed to get out of that, and
    /// gives nobody anything.
    EvenRolledBack,
}

/// What an admin token may do. None implies another, but admin implies all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Reads keys and owners.
    Viewer,
    /// Makes keys and owners.
    Issuer,
    /// Revokes keys and disables owners.
    Revoker,
    /// Does everything, and alone changes what is in the realm of the admin tokens.
    Admin,
}

/// Whoever holds an admin token that was valid a moment ago.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The token's key.
    pub key: KeyId,
    roles: Vec<Role>,
}

impl Keyring {
    /// Who presents this token. Unknown, revoked, expired and disabled look the same.
    pub async fn caller(&self, token: &[u8], sight: Sight) -> Result<Caller, KeyringError> {
        let realm = self.realm(&admin_realm())?;
        realm.format(&Presented(Cow::Borrowed(token))).map_err(|_| KeyringError::TokenRefused)?;
        let digests = self.peppers.digests(&realm.id, token);
        let finding = self.found(&realm.id, &digests, self.view(sight)?).await?;
        let holder = finding.holder.ok_or(KeyringError::TokenRefused)?;
        let bearer = Bearer::presenting(&digests, holder).ok_or(KeyringError::TokenRefused)?;
        opens(&bearer, finding.now)?;
        Ok(Caller { key: bearer.key, roles: Role::of(&bearer.scopes) })
    }

    /// The lease, before anything is read.
    fn view(&self, sight: Sight) -> Result<View, KeyringError> {
        if self.guard.session.admits() {
            return Ok(View::Judged);
        }
        match (self.guard.session.status().lease, sight) {
            (Leased::RolledBack, Sight::EvenRolledBack) => Ok(View::AsItIs),
            (Leased::RolledBack, Sight::Leased) => Err(KeyringError::RolledBack),
            _ => Err(KeyringError::NoLease),
        }
    }

    /// A store gives a search up as early as a check must be answered. Whoever calls here has more time than that.
    async fn found(&self, realm: &RealmId, digests: &[Digest], view: View) -> Result<Finding, KeyringError> {
        let mut why = KeyringError::NoLease;
        for _ in 0..SEARCHES {
            let asked = self.guard.clock.boot();
            match self.store.find(realm, digests).await {
                Ok(finding) if view == View::AsItIs || self.stands(realm, digests, &finding, asked).await => return Ok(finding),
                Ok(_) => why = KeyringError::NoLease,
                Err(error @ StoreError::Unavailable(_)) => why = error.into(),
                Err(error) => return Err(error.into()),
            }
        }
        Err(why)
    }

    /// Whether what was found is what the log says: it may come from a node that lags.
    async fn stands(&self, realm: &RealmId, digests: &[Digest], finding: &Finding, asked: BootTime) -> bool {
        let holder = finding.holder.as_ref();
        let own = holder.into_iter().flat_map(|holder| holder.record.secrets.iter().map(|secret| secret.digest));
        let digests: Vec<Digest> = digests.iter().copied().chain(own).collect();
        let read = Read { at: finding.at, asked, realm, digests: &digests, owner: holder.map(|holder| &holder.record.owner) };
        let session = &self.guard.session;
        let judged = async {
            loop {
                match session.judge(&read, || ()) {
                    Fill::Sound => return true,
                    Fill::Stale => return false,
                    Fill::Ahead => session.catch_up(read.at.position).await,
                }
            }
        };
        timeout(LOG_PATIENCE, judged).await.unwrap_or(false)
    }
}

/// How what is read is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum View {
    Judged,
    AsItIs,
}

impl Caller {
    /// For the audit log.
    pub(super) fn who(&self) -> Who {
        Who::Key(self.key.clone())
    }

    /// Whether the caller has a role, itself or as admin.
    pub fn has(&self, role: Role) -> Result<(), KeyringError> {
        let has = self.roles.contains(&role) || self.roles.contains(&Role::Admin);
        has.then_some(()).ok_or(KeyringError::RoleMissing(role.scope()))
    }

    /// Whether the caller may change what is in this realm: that of the admin tokens is for admins alone, or any issuer could become one.
    pub(super) fn may_change(&self, realm: &RealmId) -> Result<(), KeyringError> {
        if *realm != admin_realm() || self.roles.contains(&Role::Admin) { Ok(()) } else { Err(KeyringError::AdminOnly) }
    }
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Issuer, Self::Revoker, Self::Admin];

    /// The scope of the realm `keyward` that gives it.
    #[must_use]
    pub fn scope(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Issuer => "issuer",
            Self::Revoker => "revoker",
            Self::Admin => "admin",
        }
    }

    fn of(scopes: &[Scope]) -> Vec<Self> {
        Self::ALL.into_iter().filter(|role| scopes.iter().any(|scope| scope.as_str() == role.scope())).collect()
    }
}

/// The RPCs have no routes, tenants or address lists: the token's own state alone decides.
fn opens(bearer: &Bearer, now: StoreTime) -> Result<(), KeyringError> {
    let asked = Asked { now, demands: Some(&Demands::default()), tenant: None, address: None };
    bearer.opens(&asked).map_err(|_| KeyringError::TokenRefused)
}
