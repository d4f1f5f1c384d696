//! Who asks: an admin token is a key of the realm `keyward`, and its scopes are its roles.

use std::borrow::Cow;

use super::{Keyring, KeyringError};
use crate::domain::credential::Presented;
use crate::domain::name::{KeyId, RealmId, Scope, admin_realm};
use crate::domain::record::{Asked, Holder};
use crate::domain::route::Demands;
use crate::domain::time::StoreTime;
use crate::store::{Finding, StoreError};

/// How often a token is looked for before the store is taken to be away.
const SEARCHES: usize = 3;

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
    pub async fn caller(&self, token: &[u8]) -> Result<Caller, KeyringError> {
        let realm = self.realm(&admin_realm())?;
        realm.format(&Presented(Cow::Borrowed(token))).map_err(|_| KeyringError::TokenRefused)?;
        let finding = self.found(&realm.id, token).await?;
        let holder = finding.holder.ok_or(KeyringError::TokenRefused)?;
        opens(&holder, finding.now)?;
        Ok(Caller { key: holder.record.id, roles: Role::of(&holder.record.scopes) })
    }

    /// A store gives a search up as early as a check must be answered. Whoever calls here has more time than that.
    async fn found(&self, realm: &RealmId, token: &[u8]) -> Result<Finding, StoreError> {
        let digests = self.peppers.digests(realm, token);
        for _ in 1..SEARCHES {
            match self.store.find(realm, &digests).await {
                Err(StoreError::Unavailable(_)) => {}
                answer => return answer,
            }
        }
        self.store.find(realm, &digests).await
    }
}

impl Caller {
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
fn opens(holder: &Holder, now: StoreTime) -> Result<(), KeyringError> {
    let asked = Asked { now, demands: Some(&Demands::default()), tenant: None, address: None };
    holder.record.opens(&holder.owner, &asked).map_err(|_| KeyringError::TokenRefused)
}
