//! What a list is narrowed to, and its order.

use super::asked;
use super::fields::{self, Fields};
use super::names;
use crate::domain::life::State;
use crate::domain::name::{Scope, Word};
use crate::keyring::{KeyFilter, KeysOf, OwnerFilter};
use crate::proto::keyward::admin::v1 as wire;
use crate::store::Order;

/// Which keys a list is of.
pub(super) fn keys(fields: &mut Fields, request: &wire::ListKeysRequest) -> Option<KeysOf> {
    let realm = fields.take("parent", names::realm(&request.parent));
    let owner = fields.unless_empty("owner", &request.owner, |name| {
        let owner = names::owner(name)?;
        realm.as_ref().map_or(Ok(owner.id.clone()), |realm| asked::of_realm(realm, owner))
    });
    let filter = KeyFilter {
        label: some(&request.label),
        label_prefix: some(&request.label_prefix),
        environment: fields.unless_empty("environment", &request.environment, Word::parse),
        plan: fields.unless_empty("plan", &request.plan, Word::parse),
        scope: fields.unless_empty("scope", &request.scope, Scope::parse),
        state: fields.take("state", key_state(request.state)).flatten(),
        expiring_before: request.expiring_before.as_ref().and_then(|at| fields.take("expiring_before", fields::instant(at))),
        unused_since: request.unused_since.as_ref().and_then(|at| fields.take("unused_since", fields::instant(at))),
        rotation_due: request.rotation_due,
    };
    Some(KeysOf { realm: realm?, owner, filter })
}

/// Which owners.
pub(super) fn owners(fields: &mut Fields, state: i32) -> Option<OwnerFilter> {
    use wire::owner::State;
    let filter = match State::try_from(state) {
        Ok(State::Unspecified) => Ok(OwnerFilter::Any),
        Ok(State::Active) => Ok(OwnerFilter::Active),
        Ok(State::Disabled) => Ok(OwnerFilter::Disabled),
        Err(_) => Err("must be a state of an owner"),
    };
    fields.take("state", filter)
}

/// The order of a list (AIP-132): by this field alone.
pub(super) fn order(fields: &mut Fields, by: &str, order_by: &str) -> Option<Order> {
    let words: Vec<&str> = order_by.split_ascii_whitespace().collect();
    let order = match words[..] {
        [] => Ok(Order::Ascending),
        [field] | [field, "asc"] if field == by => Ok(Order::Ascending),
        [field, "desc"] if field == by => Ok(Order::Descending),
        _ => Err(format!("must be `{by}` or `{by} desc`")),
    };
    fields.take("order_by", order)
}

fn key_state(state: i32) -> Result<Option<State>, &'static str> {
    use wire::key::State as Wire;
    match Wire::try_from(state) {
        Ok(Wire::Unspecified) => Ok(None),
        Ok(Wire::Active) => Ok(Some(State::Active)),
        Ok(Wire::Revoked) => Ok(Some(State::Revoked)),
        Ok(Wire::Expired) => Ok(Some(State::Expired)),
        Ok(Wire::OwnerDisabled) => Ok(Some(State::OwnerDisabled)),
        Err(_) => Err("must be a state of a key"),
    }
}

fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}
