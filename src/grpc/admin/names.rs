//! Resource names (AIP-122): `realms/{realm}`, `realms/{realm}/keys/{key}`, `realms/{realm}/owners/{owner}`. What is none is not told again: a secret
//! may stand there by mistake.

use std::fmt::Display;

use crate::domain::name::{KeyId, NameError, OwnerId, RealmId};
use crate::keyring::Target;
use crate::store::What;

/// `realms/{realm}`.
pub(super) fn realm(name: &str) -> Result<RealmId, String> {
    let id = name.strip_prefix("realms/").filter(|id| !id.contains('/'));
    RealmId::parse(id.ok_or("must be `realms/{realm}`")?).map_err(sentence)
}

/// `realms/{realm}/keys/{key}`.
pub(super) fn key(name: &str) -> Result<Target<KeyId>, String> {
    child(name, "keys", KeyId::parse).ok_or("must be `realms/{realm}/keys/{key}`")?.map_err(sentence)
}

/// `realms/{realm}/owners/{owner}`.
pub(super) fn owner(name: &str) -> Result<Target<OwnerId>, String> {
    child(name, "owners", OwnerId::parse).ok_or("must be `realms/{realm}/owners/{owner}`")?.map_err(sentence)
}

/// Either of the two.
pub(super) fn key_or_owner(name: &str) -> Result<What, String> {
    match name.split('/').nth(2) {
        Some("keys") => key(name).map(|key| What::Key(key.realm, key.id)),
        Some("owners") => owner(name).map(|owner| What::Owner(owner.realm, owner.id)),
        _ => Err("must be `realms/{realm}/keys/{key}` or `realms/{realm}/owners/{owner}`".into()),
    }
}

pub(super) fn of_key(realm: &RealmId, id: &KeyId) -> String {
    format!("realms/{realm}/keys/{id}")
}

pub(super) fn of_owner(realm: &RealmId, id: &OwnerId) -> String {
    format!("realms/{realm}/owners/{id}")
}

fn child<Id>(name: &str, collection: &str, parse: fn(&str) -> Result<Id, NameError>) -> Option<Result<Target<Id>, NameError>> {
    let (realm, rest) = name.strip_prefix("realms/")?.split_once('/')?;
    let id = rest.strip_prefix(collection)?.strip_prefix('/').filter(|id| !id.contains('/'))?;
    Some(RealmId::parse(realm).and_then(|realm| Ok(Target { realm, id: parse(id)? })))
}

#[allow(clippy::needless_pass_by_value, reason = "what map_err hands on")]
fn sentence(error: impl Display) -> String {
    error.to_string()
}
