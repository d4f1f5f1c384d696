//! To the wire: what the keyring answers. No secret and no digest passes here; a minted secret is put into its one response by the RPC itself.

use std::time::Duration;

use prost_types::Timestamp;

use super::names;
use crate::domain::audit::Changed;
use crate::domain::life::State;
use crate::domain::limit::Override;
use crate::domain::name::Word;
use crate::domain::owner::Owner;
use crate::domain::record::{Cause, KeptSecret, Record};
use crate::domain::time::StoreTime;
use crate::domain::usage::LastUse;
use crate::keyring::{Guarantee, LastUses, Noted, Seen};
use crate::proto::keyward::admin::v1 as wire;
use crate::revocation::{Holder, Level, Registration};

pub(super) fn key(Seen { record, state, rotates }: Seen) -> wire::Key {
    wire::Key {
        name: names::of_key(&record.realm, &record.id),
        owner: names::of_owner(&record.realm, &record.owner),
        environment: text(record.environment.as_ref()),
        kind: text(record.kind.as_ref()),
        plan: text(record.plan.as_ref()),
        scopes: record.scopes.iter().map(ToString::to_string).collect(),
        allowed_addresses: record.addresses.0.iter().map(ToString::to_string).collect(),
        secrets: newest_first(&record).into_iter().map(secret).collect(),
        create_time: Some(instant(record.created)),
        expire_time: record.expires.map(instant),
        revoke_time: record.revoked.map(instant),
        revoke_cause: cause(record.cause).into(),
        etag: etag(record.revision),
        limits: record.limits.iter().map(number).collect(),
        state: key_state(state).into(),
        rotate_time: rotates.map(instant),
        metadata: record.metadata,
        label: record.label,
        binding: record.binding.as_ref().map(ToString::to_string).unwrap_or_default(),
        tenant: record.tenant.unwrap_or_default(),
    }
}

/// With when its secrets were used last.
pub(super) fn used_key(seen: Seen, uses: &LastUses) -> wire::Key {
    let last: Vec<Option<LastUse>> = newest_first(&seen.record).into_iter().map(|secret| uses.get(&secret.number).copied()).collect();
    let mut key = key(seen);
    for (secret, last) in key.secrets.iter_mut().zip(last) {
        secret.last_use_time = last.map(|last| instant(last.at));
        secret.last_use_address = last.and_then(|last| last.address).map(|address| address.to_string()).unwrap_or_default();
    }
    key
}

pub(super) fn owner(owner: Owner) -> wire::Owner {
    wire::Owner {
        name: names::of_owner(&owner.realm, &owner.id),
        plan: text(owner.plan.as_ref()),
        create_time: Some(instant(owner.created)),
        disable_time: owner.disabled.map(instant),
        etag: etag(owner.revision),
        limits: owner.limits.iter().map(number).collect(),
        state: if owner.disabled.is_some() { wire::owner::State::Disabled } else { wire::owner::State::Active }.into(),
        display_name: owner.name,
    }
}

pub(super) fn guarantee(guarantee: Guarantee) -> wire::Guarantee {
    wire::Guarantee {
        level: level(guarantee.level).into(),
        holders_acknowledged: guarantee.acknowledged,
        holders_expired: guarantee.expired,
        waited: duration(guarantee.waited),
    }
}

pub(super) fn level(level: Level) -> wire::Level {
    match level {
        Level::Volatile => wire::Level::Volatile,
        Level::Single => wire::Level::Single,
        Level::Replicated => wire::Level::Replicated,
    }
}

pub(super) fn lease((holder, registration): &(Holder, Registration)) -> wire::LeaseHolder {
    wire::LeaseHolder {
        replica: holder.replica.to_string(),
        incarnation: format!("{:016x}", holder.incarnation),
        applied_position: registration.applied,
        lease: duration(registration.lease),
    }
}

/// None is as long as a `Duration` of the wire cannot say.
pub(super) fn duration(duration: Duration) -> Option<prost_types::Duration> {
    prost_types::Duration::try_from(duration).ok()
}

fn key_state(state: Option<State>) -> wire::key::State {
    match state {
        None => wire::key::State::Unspecified,
        Some(State::Active) => wire::key::State::Active,
        Some(State::Revoked) => wire::key::State::Revoked,
        Some(State::Expired) => wire::key::State::Expired,
        Some(State::OwnerDisabled) => wire::key::State::OwnerDisabled,
    }
}

fn newest_first(record: &Record) -> Vec<&KeptSecret> {
    let mut secrets: Vec<&KeptSecret> = record.secrets.iter().collect();
    secrets.sort_by_key(|secret| std::cmp::Reverse((secret.created, secret.number)));
    secrets
}

fn secret(kept: &KeptSecret) -> wire::KeySecret {
    wire::KeySecret {
        prefix: kept.prefix.clone(),
        last_four: kept.last_four.clone(),
        create_time: Some(instant(kept.created)),
        number: kept.number,
        end_time: kept.ends.map(instant),
        last_use_time: None,
        last_use_address: String::new(),
    }
}

fn number(number: &Override) -> wire::LimitOverride {
    wire::LimitOverride { limit: number.limit.to_string(), most: number.most }
}

fn text(word: Option<&Word>) -> String {
    word.map(ToString::to_string).unwrap_or_default()
}

fn etag(revision: u64) -> String {
    format!("\"{revision}\"")
}

/// An entry of the audit log.
pub(super) fn entry(Noted { entry, at, .. }: Noted) -> wire::AuditEntry {
    let change = |changed: Changed| wire::AuditChange { field: changed.field, before: changed.before, after: changed.after };
    wire::AuditEntry {
        sequence: at.sequence,
        time: Some(instant(entry.at)),
        actor: entry.who,
        action: entry.action,
        address: entry.from,
        subjects: entry.subjects,
        request_id: entry.request_id,
        changes: entry.changed.into_iter().map(change).collect(),
        refused: entry.refused,
        refused_untold: entry.untold,
        position: entry.position,
        anchor: at.to_string(),
    }
}

fn cause(cause: Cause) -> wire::RevokeCause {
    match cause {
        Cause::Asked => wire::RevokeCause::Unspecified,
        Cause::Leaked => wire::RevokeCause::Leaked,
    }
}

pub(super) fn instant(at: StoreTime) -> Timestamp {
    let nanos = at.0.rem_euclid(1000) * 1_000_000;
    Timestamp { seconds: at.0.div_euclid(1000), nanos: i32::try_from(nanos).unwrap_or(0) }
}
