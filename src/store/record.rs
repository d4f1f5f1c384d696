//! Stored bytes: domain values to protobuf and back. Every engine keeps these bytes, so that one can be copied into another.

use ipnet::IpNet;
use prost::Message;

use super::error::StoreError;
use crate::domain::address::AddressList;
use crate::domain::key::{Digest, Scheme};
use crate::domain::limit::Override;
use crate::domain::name::{KeyId, NameError, OwnerId, RealmId, Scope, Word};
use crate::domain::owner::Owner;
use crate::domain::record::{Binding, Cause, KeptSecret, Record};
use crate::domain::time::StoreTime;
use crate::proto::keyward::store::v1 as stored;

/// A key's record as bytes.
#[must_use]
pub fn encode_key(record: &Record) -> Vec<u8> {
    stored::Key {
        id: record.id.to_string(),
        realm: record.realm.to_string(),
        owner: record.owner.to_string(),
        label: record.label.clone(),
        environment: text(record.environment.as_ref()),
        kind: text(record.kind.as_ref()),
        plan: text(record.plan.as_ref()),
        tenant: record.tenant.clone().unwrap_or_default(),
        scopes: record.scopes.iter().map(ToString::to_string).collect(),
        addresses: record.addresses.0.iter().map(ToString::to_string).collect(),
        created_ms: record.created.0,
        expires_ms: record.expires.map_or(0, |at| at.0),
        revoked_ms: record.revoked.map_or(0, |at| at.0),
        cause: cause(record.cause).into(),
        metadata: record.metadata.clone(),
        binding: record.binding.as_ref().map(binding),
        secrets: record.secrets.iter().map(secret).collect(),
        revision: record.revision,
        generation: record.generation,
        limits: record.limits.iter().map(number).collect(),
    }
    .encode_to_vec()
}

/// A key's record from bytes.
pub fn decode_key(bytes: &[u8]) -> Result<Record, StoreError> {
    let key = stored::Key::decode(bytes).map_err(corrupt)?;
    Ok(Record {
        realm: RealmId::parse(&key.realm).map_err(corrupt)?,
        id: KeyId::parse(&key.id).map_err(corrupt)?,
        owner: OwnerId::parse(&key.owner).map_err(corrupt)?,
        label: key.label,
        environment: word(&key.environment)?,
        kind: word(&key.kind)?,
        plan: word(&key.plan)?,
        tenant: (!key.tenant.is_empty()).then_some(key.tenant),
        scopes: key.scopes.iter().map(|scope| Scope::parse(scope)).collect::<Result<_, NameError>>().map_err(corrupt)?,
        addresses: AddressList(key.addresses.iter().map(|block| block.parse::<IpNet>()).collect::<Result<_, _>>().map_err(corrupt)?),
        created: StoreTime(key.created_ms),
        expires: instant(key.expires_ms),
        revoked: instant(key.revoked_ms),
        cause: revoked_for(&key.cause),
        metadata: key.metadata,
        binding: key.binding.as_ref().map(bound_to).transpose()?,
        secrets: key.secrets.into_iter().map(kept).collect::<Result<_, _>>()?,
        revision: key.revision,
        generation: key.generation,
        limits: key.limits.iter().map(own_number).collect::<Result<_, _>>()?,
    })
}

/// An owner's record as bytes.
#[must_use]
pub fn encode_owner(owner: &Owner) -> Vec<u8> {
    stored::Owner {
        id: owner.id.to_string(),
        realm: owner.realm.to_string(),
        name: owner.name.clone(),
        plan: text(owner.plan.as_ref()),
        created_ms: owner.created.0,
        disabled_ms: owner.disabled.map_or(0, |at| at.0),
        revision: owner.revision,
        generation: owner.generation,
        limits: owner.limits.iter().map(number).collect(),
    }
    .encode_to_vec()
}

/// An owner's record from bytes.
pub fn decode_owner(bytes: &[u8]) -> Result<Owner, StoreError> {
    let owner = stored::Owner::decode(bytes).map_err(corrupt)?;
    Ok(Owner {
        realm: RealmId::parse(&owner.realm).map_err(corrupt)?,
        id: OwnerId::parse(&owner.id).map_err(corrupt)?,
        name: owner.name,
        plan: word(&owner.plan)?,
        created: StoreTime(owner.created_ms),
        disabled: instant(owner.disabled_ms),
        revision: owner.revision,
        generation: owner.generation,
        limits: owner.limits.iter().map(own_number).collect::<Result<_, _>>()?,
    })
}

fn secret(kept: &KeptSecret) -> stored::Secret {
    stored::Secret {
        digest: kept.digest.0.to_vec(),
        pepper: kept.pepper.to_string(),
        prefix: kept.prefix.clone(),
        last_four: kept.last_four.clone(),
        created_ms: kept.created.0,
        number: kept.number,
        ends_ms: kept.ends.map_or(0, |at| at.0),
        scheme: kept.scheme.name().into(),
    }
}

fn kept(secret: stored::Secret) -> Result<KeptSecret, StoreError> {
    Ok(KeptSecret {
        digest: Digest(secret.digest.try_into().map_err(|_| corrupt("a digest that is not 32 bytes long"))?),
        pepper: Word::parse(&secret.pepper).map_err(corrupt)?,
        prefix: secret.prefix,
        last_four: secret.last_four,
        created: StoreTime(secret.created_ms),
        number: secret.number,
        ends: instant(secret.ends_ms),
        scheme: Scheme::of(&secret.scheme)
            .ok_or_else(|| corrupt(format!("a digest of the scheme {:?}, which is unknown", secret.scheme)))?,
    })
}

fn cause(cause: Cause) -> &'static str {
    match cause {
        Cause::Asked => "",
        Cause::Leaked => "leaked",
    }
}

/// A cause that a newer version writes is none that may be undone.
fn revoked_for(cause: &str) -> Cause {
    if cause.is_empty() { Cause::Asked } else { Cause::Leaked }
}

fn binding(binding: &Binding) -> stored::Binding {
    stored::Binding { realm: binding.realm.to_string(), owner: binding.owner.as_ref().map(ToString::to_string).unwrap_or_default() }
}

fn bound_to(binding: &stored::Binding) -> Result<Binding, StoreError> {
    let owner = (!binding.owner.is_empty()).then(|| OwnerId::parse(&binding.owner)).transpose().map_err(corrupt)?;
    Ok(Binding { realm: RealmId::parse(&binding.realm).map_err(corrupt)?, owner })
}

fn number(number: &Override) -> stored::Override {
    stored::Override { limit: number.limit.to_string(), most: number.most }
}

fn own_number(number: &stored::Override) -> Result<Override, StoreError> {
    Ok(Override { limit: Word::parse(&number.limit).map_err(corrupt)?, most: number.most })
}

fn text(word: Option<&Word>) -> String {
    word.map(ToString::to_string).unwrap_or_default()
}

fn word(text: &str) -> Result<Option<Word>, StoreError> {
    if text.is_empty() { Ok(None) } else { Word::parse(text).map(Some).map_err(corrupt) }
}

fn instant(ms: i64) -> Option<StoreTime> {
    (ms != 0).then_some(StoreTime(ms))
}

#[allow(clippy::needless_pass_by_value, reason = "what map_err hands on")]
fn corrupt(why: impl ToString) -> StoreError {
    StoreError::Corrupt(why.to_string())
}
