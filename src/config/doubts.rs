//! What realm files may say and may not mean.

use crate::domain::limit::{Length, Limit, Per, Plan};
use crate::domain::realm::Realm;
use crate::domain::realms::Realms;
use crate::domain::window::{Force, slot_ms};

/// What is allowed and may not be meant, a sentence each.
#[must_use]
pub fn doubts(realms: &Realms) -> Vec<String> {
    realms.iter().flat_map(|realm| of_realm(realm)).collect()
}

fn of_realm(realm: &Realm) -> Vec<String> {
    let mut doubts: Vec<String> = realm.plans.iter().flat_map(|plan| of_plan(realm, plan)).collect();
    let is_named = realm.default_plan.is_some() || realm.formats.iter().any(|format| format.plan.is_some());
    if !realm.plans.is_empty() && !is_named {
        doubts.push(format!(
            "realm {}: plans: neither `default_plan` nor a format names one: only keys and owners that are given one have limits",
            realm.id
        ));
    }
    doubts
}

fn of_plan(realm: &Realm, plan: &Plan) -> Vec<String> {
    let at = |limit: &Limit| format!("realm {}: plans.{}: the limit {}", realm.id, plan.name, limit.name);
    let farmed = plan.farmed().map(|limit| {
        let per = if limit.per == Per::Key { "key" } else { "owner" };
        format!(
            "{} does not count everything, and no limit per {per} beside it counts `all`: what it does not count, such as failures, a caller \
             may have without end",
            at(limit)
        )
    });
    let dear = plan.limits.iter().filter(|limit| is_exact_log(limit)).map(|limit| {
        format!("{} allows so few that each of them is remembered by itself: every check that it is for is a call of the store", at(limit))
    });
    let is_of_a_format = realm.formats.iter().any(|format| format.plan.as_ref() == Some(&plan.name));
    let never_applies = is_of_a_format && realm.default_plan.as_ref() != Some(&plan.name);
    let of_owners = plan.limits.iter().filter(|limit| never_applies && limit.per == Per::Owner);
    let void = of_owners.map(|limit| {
        format!(
            "{} is per owner, which a format's plan says nothing of: an owner's limits are of its own plan, or of `default_plan`",
            at(limit)
        )
    });
    farmed.chain(dear).chain(void).collect()
}

/// Tokens of such a limit are never held in advance.
fn is_exact_log(limit: &Limit) -> bool {
    let Length::Sliding(length_ms) = limit.length else { return false };
    limit.force == Force::Enforced && slot_ms(length_ms, limit.most) == 0
}
