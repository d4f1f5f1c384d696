//! Updates (AIP-134): which fields of a resource can be changed, and how each is read. A field is a row here, and a variant of what the
//! keyring takes.

use prost::Message as _;
use prost_types::FieldMask;

use super::asked::{block, hash, numbers, once_of};
use super::fields::{self, Fields};
use super::names;
use crate::domain::address::AddressList;
use crate::domain::name::{KeyId, OwnerId, Scope, Word};
use crate::keyring::{KeyField, KeyringError, OwnerField, Target, Terms, Wrong};
use crate::proto::keyward::admin::v1 as wire;

/// More than any resource has fields.
const MOST_PATHS: usize = 64;

/// A field that can be changed.
struct Row<Message, Field> {
    path: &'static str,
    /// Whether it is named by a mask that names nothing.
    is_set: fn(&Message) -> bool,
    read: fn(&mut Fields, &Message) -> Option<Field>,
}

const KEY: [Row<wire::Key, KeyField>; 7] = [
    Row { path: "label", is_set: |key| !key.label.is_empty(), read: |_, key| Some(KeyField::Label(key.label.clone())) },
    Row {
        path: "scopes",
        is_set: |key| !key.scopes.is_empty(),
        read: |fields, key| Some(KeyField::Scopes(fields.each("key.scopes", &key.scopes, Scope::parse))),
    },
    Row {
        path: "allowed_addresses",
        is_set: |key| !key.allowed_addresses.is_empty(),
        read: |fields, key| {
            let blocks = fields.each("key.allowed_addresses", &key.allowed_addresses, block);
            Some(KeyField::Addresses(AddressList(blocks)))
        },
    },
    Row {
        path: "plan",
        is_set: |key| !key.plan.is_empty(),
        read: |fields, key| Some(KeyField::Plan(fields.unless_empty("key.plan", &key.plan, Word::parse))),
    },
    Row {
        path: "limits",
        is_set: |key| !key.limits.is_empty(),
        read: |fields, key| Some(KeyField::Limits(numbers(fields, "key.limits", &key.limits))),
    },
    Row {
        path: "expire_time",
        is_set: |key| key.expire_time.is_some(),
        read: |fields, key| {
            let Some(at) = &key.expire_time else { return Some(KeyField::Expires(None)) };
            fields.take("key.expire_time", fields::instant(at)).map(|at| KeyField::Expires(Some(at)))
        },
    },
    Row { path: "metadata", is_set: |key| !key.metadata.is_empty(), read: |_, key| Some(KeyField::Metadata(key.metadata.clone())) },
];

const OWNER: [Row<wire::Owner, OwnerField>; 3] = [
    Row {
        path: "display_name",
        is_set: |owner| !owner.display_name.is_empty(),
        read: |_, owner| Some(OwnerField::Name(owner.display_name.clone())),
    },
    Row {
        path: "plan",
        is_set: |owner| !owner.plan.is_empty(),
        read: |fields, owner| Some(OwnerField::Plan(fields.unless_empty("owner.plan", &owner.plan, Word::parse))),
    },
    Row {
        path: "limits",
        is_set: |owner| !owner.limits.is_empty(),
        read: |fields, owner| Some(OwnerField::Limits(numbers(fields, "owner.limits", &owner.limits))),
    },
];

/// What is to be changed, to what, and on which terms.
pub(super) struct Update<Id, Field> {
    pub(super) target: Target<Id>,
    pub(super) fields: Vec<Field>,
    pub(super) terms: Terms,
}

/// A change of a key.
pub(super) fn key(mut request: wire::UpdateKeyRequest) -> Result<Update<KeyId, KeyField>, KeyringError> {
    let mut fields = Fields::default();
    let id = std::mem::take(&mut request.request_id);
    let once = once_of(&mut fields, &id, hash(&[b"UpdateKey", &request.encode_to_vec()]));
    let Some(key) = fields.take("key", request.key.as_ref().ok_or("must be set")) else { return fields.all(None) };
    let target = fields.take("key.name", names::key(&key.name));
    let seen = fields.unless_empty("key.etag", &key.etag, fields::revision);
    let changed = read(&mut fields, &KEY, key, request.update_mask.as_ref());
    fields.all(target.map(|target| Update { target, fields: changed, terms: Terms { seen, once } }))
}

/// A change of an owner.
pub(super) fn owner(mut request: wire::UpdateOwnerRequest) -> Result<Update<OwnerId, OwnerField>, KeyringError> {
    let mut fields = Fields::default();
    let id = std::mem::take(&mut request.request_id);
    let once = once_of(&mut fields, &id, hash(&[b"UpdateOwner", &request.encode_to_vec()]));
    let Some(owner) = fields.take("owner", request.owner.as_ref().ok_or("must be set")) else { return fields.all(None) };
    let target = fields.take("owner.name", names::owner(&owner.name));
    let seen = fields.unless_empty("owner.etag", &owner.etag, fields::revision);
    let changed = read(&mut fields, &OWNER, owner, request.update_mask.as_ref());
    fields.all(target.map(|target| Update { target, fields: changed, terms: Terms { seen, once } }))
}

/// The fields that the mask names, with their values; a mask that names none stands for those that have one.
fn read<Message, Field>(fields: &mut Fields, rows: &[Row<Message, Field>], message: &Message, mask: Option<&FieldMask>) -> Vec<Field> {
    let paths = mask.map_or(&[][..], |mask| &mask.paths);
    if paths.len() > MOST_PATHS {
        fields.refuse(Wrong::new("update_mask", format!("must have at most {MOST_PATHS} paths")));
        return Vec::new();
    }
    for (at, path) in paths.iter().enumerate() {
        if path != "*" && !rows.iter().any(|row| row.path == path) {
            let known: Vec<&str> = rows.iter().map(|row| row.path).collect();
            let says = format!("must name a field that can be changed ({})", known.join(", "));
            fields.refuse(Wrong::new(format!("update_mask.paths[{at}]"), says));
        }
    }
    let named = |row: &&Row<Message, Field>| {
        let wanted = |path: &String| path == row.path || path == "*";
        if paths.is_empty() { (row.is_set)(message) } else { paths.iter().any(wanted) }
    };
    rows.iter().filter(named).filter_map(|row| (row.read)(fields, message)).collect()
}
