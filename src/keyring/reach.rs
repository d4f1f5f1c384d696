//! What a caller may touch. A caller that is bound to a realm, or to one owner of it, gets the same answer for what is beyond that as for what
//! is not there. Nobody who is bound reaches the realm of the admin tokens, or a bound token could make a wider one.
//!
//! Every verb of the keyring takes its caller, and comes by realms, keys and owners through the functions of [`read`](super::read), which ask
//! here.

use super::{Caller, KeyringError, Role};
use crate::domain::name::{OwnerId, RealmId, admin_realm};
use crate::domain::record::Binding;

/// What an owner must not decide of its own keys, as a refusal says it.
pub(super) const HOW_MUCH: &str = "the plan, the limits or the tenant of a key";

impl Caller {
    /// Whether the caller has a role, itself or as admin.
    pub fn has(&self, role: Role) -> Result<(), KeyringError> {
        let has = self.roles.contains(&role) || self.is_admin();
        has.then_some(()).ok_or(KeyringError::RoleMissing(role.scope()))
    }

    /// Whether the realm is there for the caller.
    pub(super) fn sees_realm(&self, realm: &RealmId) -> bool {
        self.binding.as_ref().is_none_or(|binding| binding.realm == *realm && *realm != admin_realm())
    }

    /// Whether an owner of the realm, and what belongs to it, is there for the caller.
    pub(super) fn sees(&self, realm: &RealmId, owner: &OwnerId) -> bool {
        self.sees_realm(realm) && self.only_owner().is_none_or(|own| own == owner)
    }

    /// The one realm that there is for the caller; `None`: every one.
    pub(super) fn only_realm(&self) -> Option<&RealmId> {
        self.binding.as_ref().map(|binding| &binding.realm)
    }

    /// The one owner that there is for the caller; `None`: every owner of the realms that it sees.
    pub(super) fn only_owner(&self) -> Option<&OwnerId> {
        self.binding.as_ref().and_then(|binding| binding.owner.as_ref())
    }

    /// Whether the caller may change what is in this realm: that of the admin tokens is for admins alone, or any issuer could become one.
    pub(super) fn may_change(&self, realm: &RealmId) -> Result<(), KeyringError> {
        if *realm != admin_realm() || self.is_admin() { Ok(()) } else { Err(KeyringError::AdminOnly) }
    }

    /// For what is not an owner's own affair: the owner itself, and what is there to bound it. `what`: for the refusal.
    pub(super) fn is_for_more_than_its_owner(&self, what: &'static str) -> Result<(), KeyringError> {
        self.unless_bound(what, |binding| binding.owner.is_some())
    }

    /// For what concerns everybody. `what`: for the refusal.
    pub(super) fn is_unbound(&self, what: &'static str) -> Result<(), KeyringError> {
        self.unless_bound(what, |_| true)
    }

    fn unless_bound(&self, what: &'static str, too_narrow: impl FnOnce(&Binding) -> bool) -> Result<(), KeyringError> {
        match self.binding.clone().filter(too_narrow) {
            Some(binding) => Err(KeyringError::Bound { binding, what }),
            None => Ok(()),
        }
    }

    fn is_admin(&self) -> bool {
        self.roles.contains(&Role::Admin)
    }
}
