//! What a change makes of a record, field by field, as the audit log tells it. Of a secret it tells what it is recognised by.

use jiff::Timestamp;

use super::Change;
use crate::domain::limit::Override;
use crate::domain::name::Word;
use crate::domain::owner::Owner;
use crate::domain::record::{Binding, Cause, KeptSecret, Record};
use crate::domain::time::StoreTime;
use crate::proto::keyward::store::v1::Changed;

type Fields = Vec<(&'static str, String)>;

/// The fields that are not what they were; of what was not there before, those that are set.
pub(super) fn changed(before: Option<&Change>, after: &Change) -> Vec<Changed> {
    let (was, is) = (before.map(fields).unwrap_or_default(), fields(after));
    let of = |all: &Fields, name: &str| all.iter().find(|(field, _)| *field == name).map(|(_, value)| value.clone()).unwrap_or_default();
    let names = if is.is_empty() { &was } else { &is };
    let change = |(field, _): &(&'static str, String)| Changed { field: (*field).into(), before: of(&was, field), after: of(&is, field) };
    names.iter().map(change).filter(|changed| changed.before != changed.after).collect()
}

fn fields(change: &Change) -> Fields {
    match change {
        Change::Key { record, .. } => of_key(record),
        Change::Owner { owner, .. } => of_owner(owner),
        Change::Removed { .. } => Vec::new(),
    }
}

fn of_key(key: &Record) -> Fields {
    vec![
        ("owner", key.owner.to_string()),
        ("label", key.label.clone()),
        ("environment", word(key.environment.as_ref())),
        ("kind", word(key.kind.as_ref())),
        ("plan", word(key.plan.as_ref())),
        ("limits", limits(&key.limits)),
        ("tenant", key.tenant.clone().unwrap_or_default()),
        ("scopes", list(key.scopes.iter())),
        ("allowed_addresses", list(key.addresses.0.iter())),
        ("metadata", list(key.metadata.iter().map(|(name, value)| format!("{name}={value}")))),
        ("binding", key.binding.as_ref().map(binding).unwrap_or_default()),
        ("expire_time", time(key.expires)),
        ("revoke_time", time(key.revoked)),
        ("revoke_cause", if key.cause == Cause::Leaked { "leaked".into() } else { String::new() }),
        ("secrets", list(key.secrets.iter().map(secret))),
    ]
}

fn of_owner(owner: &Owner) -> Fields {
    vec![
        ("display_name", owner.name.clone()),
        ("plan", word(owner.plan.as_ref())),
        ("limits", limits(&owner.limits)),
        ("disable_time", time(owner.disabled)),
    ]
}

/// Its number, what it is recognised by, and its pepper; and when it ends.
fn secret(kept: &KeptSecret) -> String {
    let ends = kept.ends.map(|ends| format!(" until {}", time(Some(ends)))).unwrap_or_default();
    format!("{} {}...{} pepper {}{ends}", kept.number, kept.prefix, kept.last_four, kept.pepper)
}

fn binding(binding: &Binding) -> String {
    match &binding.owner {
        Some(owner) => format!("realms/{}/owners/{owner}", binding.realm),
        None => format!("realms/{}", binding.realm),
    }
}

fn limits(limits: &[Override]) -> String {
    list(limits.iter().map(|limit| format!("{}={}", limit.limit, limit.most)))
}

fn word(word: Option<&Word>) -> String {
    word.map(ToString::to_string).unwrap_or_default()
}

fn list(items: impl Iterator<Item = impl ToString>) -> String {
    items.map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}

fn time(at: Option<StoreTime>) -> String {
    at.and_then(|at| Timestamp::from_millisecond(at.0).ok()).map(|at| at.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::name::{OwnerId, RealmId};
    use crate::store::Expect;

    fn owner() -> Owner {
        Owner {
            realm: RealmId::parse("otesse").unwrap(),
            id: OwnerId::parse("acme").unwrap(),
            name: "Acme".into(),
            plan: None,
            limits: [].into(),
            created: StoreTime(1),
            disabled: None,
            revision: 1,
            generation: 0,
        }
    }

    #[test]
    fn what_changed_is_told_with_what_it_was() {
        let change = |owner| Change::Owner { owner, expect: Expect::Absent };
        let after = Owner { disabled: Some(StoreTime(1_800_000_000_000)), ..owner() };
        let told = |field: &str, before: &str, after: &str| Changed { field: field.into(), before: before.into(), after: after.into() };
        assert_eq!(changed(Some(&change(owner())), &change(after)), [told("disable_time", "", "2027-01-15T08:00:00Z")]);
        assert_eq!(changed(None, &change(owner())), [told("display_name", "", "Acme")]);
        assert_eq!(changed(Some(&change(owner())), &change(owner())), []);
    }
}
