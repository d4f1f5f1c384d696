//! From the wire: requests to what the keyring is asked.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use prost::Message;
use sha2::{Digest as _, Sha256};

use super::fields::{self, Fields};
use super::{names, page::Question};
use crate::domain::address::AddressList;
use crate::domain::key::Secret;
use crate::domain::limit::Override;
use crate::domain::name::{KeyId, OwnerId, RealmId, Scope, Word};
use crate::domain::record::{Binding, Cause};
use crate::keyring::{KeyDraft, KeyringError, NewKey, NewOwner, Once, OwnerDraft, Target, Terms};
use crate::proto::keyward::admin::v1 as wire;

/// A key to make.
pub(super) fn new_key(mut request: wire::CreateKeyRequest) -> Result<NewKey, KeyringError> {
    let mut fields = Fields::default();
    let secret = std::mem::take(&mut request.secret);
    let id = std::mem::take(&mut request.request_id);
    let once = once_of(&mut fields, &id, hash(&[b"CreateKey", &request.encode_to_vec()]));
    let realm = fields.take("parent", names::realm(&request.parent));
    let key = fields.take("key", request.key.as_ref().ok_or("must be set"));
    let draft = key.zip(realm.as_ref()).and_then(|(key, realm)| draft(&mut fields, realm, key));
    let secret = (!secret.is_empty()).then(|| Secret::new(secret.into_bytes()));
    let made = realm.zip(draft).map(|(realm, key)| NewKey { realm, key, secret, once });
    fields.all(made)
}

/// An owner to make.
pub(super) fn new_owner(mut request: wire::CreateOwnerRequest) -> Result<NewOwner, KeyringError> {
    let mut fields = Fields::default();
    let id = std::mem::take(&mut request.request_id);
    let once = once_of(&mut fields, &id, hash(&[b"CreateOwner", &request.encode_to_vec()]));
    let realm = fields.take("parent", names::realm(&request.parent));
    let id = fields.take("owner_id", OwnerId::parse(&request.owner_id));
    let owner = request.owner.unwrap_or_default();
    let plan = fields.unless_empty("owner.plan", &owner.plan, Word::parse);
    let limits = numbers(&mut fields, "owner.limits", &owner.limits).into();
    let draft = OwnerDraft { name: owner.display_name, plan, limits };
    let made = realm.zip(id).map(|(realm, id)| NewOwner { realm, id, owner: draft, once });
    fields.all(made)
}

/// One thing, and the terms on which it is to be changed.
pub(super) struct Change<'a> {
    pub(super) name: &'a str,
    pub(super) etag: &'a str,
    pub(super) request_id: &'a str,
    /// Whatever else is asked.
    pub(super) more: &'a [u8],
}

/// What is to be changed, and on which terms.
pub(super) fn change<Id>(
    action: &str,
    asked: &Change<'_>,
    name: fn(&str) -> Result<Target<Id>, String>,
) -> Result<(Target<Id>, Terms), KeyringError> {
    let mut fields = Fields::default();
    let content = hash(&[action.as_bytes(), asked.name.as_bytes(), asked.etag.as_bytes(), asked.more]);
    let target = fields.take("name", name(asked.name));
    let seen = fields.unless_empty("etag", asked.etag, fields::revision);
    let once = once_of(&mut fields, asked.request_id, content);
    fields.all(target.map(|target| (target, Terms { seen, once })))
}

/// Which key is to have another secret, for how long the others stay, and on which terms.
pub(super) fn rotation(request: wire::RotateKeyRequest) -> Result<(Target<KeyId>, Duration, Terms), KeyringError> {
    let wire::RotateKeyRequest { name, grace, etag, request_id } = request;
    let mut fields = Fields::default();
    let grace = grace.unwrap_or_default();
    let asked = Change { name: &name, etag: &etag, request_id: &request_id, more: &grace.encode_to_vec() };
    let (target, terms) = change("RotateKey", &asked, names::key)?;
    let grace = fields.take("grace", Duration::try_from(grace).map_err(|_| "must be 0 or more"));
    fields.all(grace.map(|grace| (target, grace, terms)))
}

/// Why a key is to be revoked.
pub(super) fn cause(cause: i32) -> Result<Cause, KeyringError> {
    let known = match wire::RevokeCause::try_from(cause) {
        Ok(wire::RevokeCause::Unspecified) => Ok(Cause::Asked),
        Ok(wire::RevokeCause::Leaked) => Ok(Cause::Leaked),
        Err(_) => Err("must be one that this server knows"),
    };
    let mut fields = Fields::default();
    let cause = fields.take("cause", known);
    fields.all(cause)
}

/// A secret that was found, and where it is to be looked for.
pub(super) fn leak(request: wire::ReportLeakRequest) -> Result<(Secret, Option<RealmId>), KeyringError> {
    let mut fields = Fields::default();
    let realm = fields.unless_empty("parent", &request.parent, names::realm);
    let secret = (!request.secret.is_empty()).then(|| Secret::new(request.secret.into_bytes()));
    let secret = fields.take("secret", secret.ok_or("must be set"));
    fields.all(secret.map(|secret| (secret, realm)))
}

/// The question of a list: its RPC, and its request without page size and token.
pub(super) fn question(rpc: &str, request: &impl Message) -> Question {
    let mut question = Question::default();
    question.copy_from_slice(&hash(&[rpc.as_bytes(), &request.encode_to_vec()])[..16]);
    question
}

fn draft(fields: &mut Fields, realm: &RealmId, key: &wire::Key) -> Option<KeyDraft> {
    let owner = fields.take("key.owner", names::owner(&key.owner).and_then(|owner| of_realm(realm, owner)));
    let environment = fields.unless_empty("key.environment", &key.environment, Word::parse);
    let kind = fields.unless_empty("key.kind", &key.kind, Word::parse);
    let plan = fields.unless_empty("key.plan", &key.plan, Word::parse);
    let limits = numbers(fields, "key.limits", &key.limits);
    let scopes = fields.each("key.scopes", &key.scopes, Scope::parse);
    let addresses = AddressList(fields.each("key.allowed_addresses", &key.allowed_addresses, block));
    let expires = key.expire_time.as_ref().and_then(|at| fields.take("key.expire_time", fields::instant(at)));
    let binding = fields.unless_empty("key.binding", &key.binding, Binding::parse);
    let tenant = (!key.tenant.is_empty()).then(|| key.tenant.clone());
    let (label, metadata) = (key.label.clone(), key.metadata.clone());
    Some(KeyDraft { owner: owner?, label, environment, kind, plan, limits, tenant, scopes, addresses, expires, metadata, binding })
}

pub(super) fn of_realm(realm: &RealmId, owner: Target<OwnerId>) -> Result<OwnerId, String> {
    if owner.realm == *realm { Ok(owner.id) } else { Err("must be an owner of the realm that the key is of".into()) }
}

/// Numbers for limits.
pub(super) fn numbers(fields: &mut Fields, field: &str, given: &[wire::LimitOverride]) -> Vec<Override> {
    let given = fields.not_too_many(field, given);
    let read = |(at, given): (usize, &wire::LimitOverride)| {
        let limit = fields.take(&format!("{field}[{at}].limit"), Word::parse(&given.limit))?;
        Some(Override { limit, most: given.most })
    };
    given.iter().enumerate().filter_map(read).collect()
}

/// A block of addresses; a bare address stands for itself. A block of IPv4 addresses written as IPv6 would never match a request's.
pub(super) fn block(text: &str) -> Result<IpNet, String> {
    let block = match text.parse::<IpAddr>() {
        Ok(address) => IpNet::from(address.to_canonical()),
        Err(_) => text.parse::<IpNet>().map_err(|_| "must be an address or a CIDR block such as 192.0.2.0/24")?,
    };
    if let IpAddr::V6(address) = block.network()
        && address.to_ipv4_mapped().is_some()
    {
        return Err("must be written as IPv4".into());
    }
    if block.addr() == block.network() { Ok(block) } else { Err(format!("must be {} if the block is meant", block.trunc())) }
}

pub(super) fn once_of(fields: &mut Fields, id: &str, content: [u8; 32]) -> Option<Once> {
    let id = fields.unless_empty("request_id", id, |id| uuid::Uuid::try_parse(id).map_err(|_| "must be a UUID"))?;
    Some(Once { id: id.hyphenated().to_string(), content })
}

/// SHA-256 of parts, each with its length before it.
pub(super) fn hash(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}
