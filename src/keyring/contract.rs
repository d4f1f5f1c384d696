//! What a realm's contract lets a key or an owner be. Everything that is wrong is said at once, each with its field.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::draft::{KeyDraft, OwnerDraft};
use super::shapes::{choices, shapes};
use super::{KeyringError, Wrong};
use crate::domain::address::AddressList;
use crate::domain::credential::Presented;
use crate::domain::format::Format;
use crate::domain::key::Secret;
use crate::domain::limit::{Override, Per};
use crate::domain::name::{Scope, Word, admin_realm};
use crate::domain::realm::Realm;
use crate::domain::realms::Realms;
use crate::domain::record::{Binding, Record};
use crate::domain::time::StoreTime;

/// Of labels, display names and tenants, in characters; of lists, in entries.
const LONGEST: usize = 128;
const MOST: usize = 64;

/// Of a value of metadata, in characters.
const LONGEST_VALUE: usize = 512;

/// A secret that is given must not be shorter: the last four characters are shown.
const SHORTEST_SECRET: usize = 8;

/// The format that the key's secret has or is to be minted to, where the contract takes the key.
pub(super) fn of_key<'a>(
    realms: &Realms,
    realm: &'a Realm,
    key: &KeyDraft,
    given: Option<&Secret>,
    now: StoreTime,
) -> Result<&'a Format, KeyringError> {
    fitted(realms, realm, key, given, &Ages { now, newest: now })
}

/// The same of a key of any age.
pub(super) fn fitted<'a>(
    realms: &Realms,
    realm: &'a Realm,
    key: &KeyDraft,
    given: Option<&Secret>,
    ages: &Ages,
) -> Result<&'a Format, KeyringError> {
    let mut wrong = Vec::new();
    wrong.extend(text("key.label", &key.label));
    wrong.extend(plan("key.plan", realm, key.plan.as_ref()));
    wrong.extend(limits("key.limits", realm, &key.limits, &[Per::Key]));
    wrong.extend(tenant(realm, key.tenant.as_deref()));
    wrong.extend(scopes(realm, &key.scopes));
    wrong.extend(addresses(realm, &key.addresses));
    wrong.extend(expires(realm, key.expires, ages));
    wrong.extend(metadata("key.metadata", &key.metadata));
    wrong.extend(binding(realms, realm, key.binding.as_ref()));
    let format = match given {
        Some(secret) => fitting(realm, key, secret),
        None => chosen(realm, key),
    };
    match format {
        Ok(format) if wrong.is_empty() => Ok(format),
        Ok(_) => Err(KeyringError::Invalid(wrong)),
        Err(first) => Err(KeyringError::Invalid([first].into_iter().chain(wrong).collect())),
    }
}

/// Whether the contract takes the owner.
pub(super) fn of_owner(realm: &Realm, owner: &OwnerDraft) -> Result<(), KeyringError> {
    let mut wrong = text("owner.display_name", &owner.name);
    wrong.extend(plan("owner.plan", realm, owner.plan.as_ref()));
    wrong.extend(limits("owner.limits", realm, &owner.limits, &[Per::Key, Per::Owner]));
    of_fields(wrong)
}

/// Nothing is wrong with the fields.
pub(super) fn of_fields(wrong: impl IntoIterator<Item = Wrong>) -> Result<(), KeyringError> {
    let wrong: Vec<Wrong> = wrong.into_iter().collect();
    if wrong.is_empty() { Ok(()) } else { Err(KeyringError::Invalid(wrong)) }
}

/// The one format that environment and kind leave; where several are alike in both, the first, as for checks.
fn chosen<'a>(realm: &'a Realm, key: &KeyDraft) -> Result<&'a Format, Wrong> {
    let fits = |asked: &Option<Word>, own: &Option<Word>| asked.is_none() || asked == own;
    let of_environment = || realm.formats.iter().filter(|format| fits(&key.environment, &format.environment));
    let mut left = of_environment().filter(|format| fits(&key.kind, &format.kind));
    let field = if key.environment.is_some() && of_environment().next().is_some() { "key.kind" } else { "key.environment" };
    let undecided = || Wrong::new(field, format!("must choose one of the realm's formats: {}", choices(&realm.formats)));
    let first = left.next().ok_or_else(undecided)?;
    let alike = |other: &Format| other.environment == first.environment && other.kind == first.kind;
    if left.all(alike) { Ok(first) } else { Err(undecided()) }
}

/// The format that another secret of a key is minted to: that of its environment and kind.
pub(super) fn of_another_secret<'a>(realm: &'a Realm, record: &Record) -> Result<&'a Format, KeyringError> {
    let fits = |format: &&Format| format.environment == record.environment && format.kind == record.kind;
    realm.formats.iter().find(fits).ok_or_else(|| {
        let says = format!("must be those of one of the realm's formats ({}), for another secret to be made", choices(&realm.formats));
        KeyringError::Invalid(vec![Wrong::new("key.environment and key.kind", says)])
    })
}

/// The format of a given secret, which says the environment and the kind.
fn fitting<'a>(realm: &'a Realm, key: &KeyDraft, secret: &Secret) -> Result<&'a Format, Wrong> {
    if secret.expose().len() < SHORTEST_SECRET {
        return Err(Wrong::new("secret", format!("must have at least {SHORTEST_SECRET} bytes")));
    }
    let presented = Presented(Cow::Borrowed(secret.expose()));
    let format =
        realm.format(&presented).map_err(|_| Wrong::new("secret", format!("must have one of the realm's formats: {}", shapes(realm))))?;
    agrees("key.environment", key.environment.as_ref(), format.environment.as_ref())?;
    agrees("key.kind", key.kind.as_ref(), format.kind.as_ref())?;
    Ok(format)
}

fn agrees(field: &str, asked: Option<&Word>, own: Option<&Word>) -> Result<(), Wrong> {
    match (asked, own) {
        (None, _) => Ok(()),
        (asked, own) if asked == own => Ok(()),
        (_, Some(own)) => Err(Wrong::new(field, format!("must be {own}, as the secret's format says, or empty"))),
        (_, None) => Err(Wrong::new(field, "must be empty: the secret's format says nothing of it")),
    }
}

pub(super) fn text(field: &str, text: &str) -> Vec<Wrong> {
    let fits = text.chars().count() <= LONGEST && !text.chars().any(char::is_control);
    let wrong = (!fits).then(|| Wrong::new(field, format!("must have at most {LONGEST} characters, none of them a control character")));
    wrong.into_iter().collect()
}

pub(super) fn plan(field: &str, realm: &Realm, plan: Option<&Word>) -> Vec<Wrong> {
    let plan = plan.filter(|plan| !realm.plans.iter().any(|known| known.name == **plan));
    let known = || listed(realm.plans.iter().map(|known| known.name.as_str()));
    let wrong = plan.map(|_| Wrong::new(field, format!("must be a plan of the realm ({})", known())));
    wrong.into_iter().collect()
}

/// Each names a limit of this kind in some plan of the realm, whichever plan is in force: that may change, and the number waits.
pub(super) fn limits(field: &str, realm: &Realm, limits: &[Override], per: &[Per]) -> Vec<Wrong> {
    let mut known: Vec<&str> = realm
        .plans
        .iter()
        .flat_map(|plan| &plan.limits)
        .filter(|limit| per.contains(&limit.per))
        .map(|limit| limit.name.as_str())
        .collect();
    known.sort_unstable();
    known.dedup();
    if let Some(wrong) = too_many(field, limits.len()) {
        return vec![wrong];
    }
    let mut wrong = Vec::new();
    for (at, Override { limit, most }) in limits.iter().enumerate() {
        let mut say = |part: &str, says: String| wrong.push(Wrong::new(format!("{field}[{at}].{part}"), says));
        if !known.contains(&limit.as_str()) {
            let whose = if per.contains(&Per::Owner) { "limit" } else { "limit per key" };
            say("limit", format!("must be a {whose} of some plan of the realm ({})", listed(known.iter().copied())));
        } else if limits[..at].iter().any(|other| other.limit == *limit) {
            say("limit", format!("must not stand twice, and {limit} does"));
        }
        if *most == 0 {
            say("most", "must be at least 1: to let nobody pass, revoke the key or disable the owner".into());
        }
    }
    wrong
}

fn tenant(realm: &Realm, tenant: Option<&str>) -> Option<Wrong> {
    let required = realm.tenant.as_ref().is_some_and(|header| header.required);
    match tenant {
        None => required.then(|| Wrong::new("key.tenant", "must be set: requests of this realm must name their key's tenant")),
        Some(tenant) => {
            let fits = tenant.len() <= LONGEST && tenant.bytes().all(|byte| byte.is_ascii_graphic());
            (!fits).then(|| Wrong::new("key.tenant", format!("must have at most {LONGEST} characters, all visible ASCII")))
        }
    }
}

pub(super) fn scopes(realm: &Realm, scopes: &[Scope]) -> Vec<Wrong> {
    if let Some(wrong) = too_many("key.scopes", scopes.len()) {
        return vec![wrong];
    }
    let mut wrong = Vec::new();
    for (at, scope) in scopes.iter().enumerate() {
        let field = || format!("key.scopes[{at}]");
        if !realm.scopes.contains(scope) {
            let known = listed(realm.scopes.iter().map(Scope::as_str));
            wrong.push(Wrong::new(field(), format!("must be a scope of the realm ({known})")));
        } else if scopes[..at].contains(scope) {
            wrong.push(Wrong::new(field(), format!("must not stand twice, and {scope} does")));
        }
    }
    wrong
}

pub(super) fn addresses(realm: &Realm, addresses: &AddressList) -> Vec<Wrong> {
    if realm.id == admin_realm() && !addresses.0.is_empty() {
        return vec![Wrong::new("key.allowed_addresses", "must be empty: admin tokens are not bound to addresses")];
    }
    too_many("key.allowed_addresses", addresses.0.len()).into_iter().collect()
}

/// What the end of a key is measured by.
pub(super) struct Ages {
    pub(super) now: StoreTime,
    /// When its newest secret was made.
    pub(super) newest: StoreTime,
}

pub(super) fn expires(realm: &Realm, expires: Option<StoreTime>, ages: &Ages) -> Vec<Wrong> {
    let latest = realm.life.latest_end(ages.newest);
    let says = match (expires, latest) {
        (None, _) if realm.id == admin_realm() => "must be set: every admin token ends some day".into(),
        (None, Some(latest)) => format!("must be set, and no later than {}{LIFE}", rfc3339(latest)),
        (Some(expires), Some(latest)) if expires > latest => format!("must be no later than {}{LIFE}", rfc3339(latest)),
        (Some(expires), _) if expires <= ages.now => "must be in the future".into(),
        _ => return Vec::new(),
    };
    vec![Wrong::new("key.expire_time", says)]
}

const LIFE: &str = ": so long after its newest secret was made a key of this realm may live, and only another secret buys it more";

/// Names are words for programs, values are anything for people.
pub(super) fn metadata(field: &str, metadata: &BTreeMap<String, String>) -> Vec<Wrong> {
    if let Some(wrong) = too_many(field, metadata.len()) {
        return vec![wrong];
    }
    let mut wrong = Vec::new();
    let named = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte);
    for (name, value) in metadata {
        let mut say = |says: String| {
            let shown: String = name.chars().take(MOST).flat_map(char::escape_debug).collect();
            wrong.push(Wrong::new(format!("{field}[{shown}]"), says));
        };
        if !(1..=MOST).contains(&name.len()) || !name.bytes().all(named) {
            say(format!("must be named with 1 to {MOST} of A-Z a-z 0-9 . _ - /"));
        } else if value.chars().count() > LONGEST_VALUE || value.chars().any(char::is_control) {
            say(format!("must have at most {LONGEST_VALUE} characters, none of them a control character"));
        }
    }
    wrong
}

fn rfc3339(at: StoreTime) -> String {
    jiff::Timestamp::from_millisecond(at.0).map_or_else(|_| "the end of time".into(), |at| at.to_string())
}

/// Admin tokens alone are bound, and to what is no admin token: whoever can make those can make one that is not bound.
fn binding(realms: &Realms, realm: &Realm, binding: Option<&Binding>) -> Option<Wrong> {
    let Binding { realm: bound_to, .. } = binding?;
    let says = if realm.id != admin_realm() {
        "must be empty: only keys of the realm keyward are bound".to_owned()
    } else if *bound_to == admin_realm() {
        "must not be the realm keyward: whoever may make admin tokens may do everything".to_owned()
    } else if realms.get(bound_to).is_none() {
        "must be a realm that the server has, or an owner of one".to_owned()
    } else {
        return None;
    };
    Some(Wrong::new("key.binding", says))
}

/// A list of so many entries is not looked at any further: they are compared with one another.
#[must_use]
pub fn too_many(field: &str, count: usize) -> Option<Wrong> {
    (count > MOST).then(|| Wrong::new(field, format!("must have at most {MOST} entries, and has {count}")))
}

fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    if names.is_empty() { "it has none".into() } else { names.join(", ") }
}
