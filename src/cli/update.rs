//! What an update changes, as it is said on a command line: a flag with a value sets a field, `--clear` empties it, and what is not named
//! stays.

use std::collections::BTreeMap;
use std::str::FromStr;

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use prost_types::FieldMask;

use super::failure::Failure;
use super::output::Name;
use crate::proto::keyward::admin::v1::{Key, LimitOverride, Owner, UpdateKeyRequest, UpdateOwnerRequest};

#[derive(Debug, Args)]
pub(super) struct UpdateKey {
    #[command(flatten)]
    key: Name,
    /// For people.
    #[arg(long)]
    label: Option<String>,
    /// What the key may do, instead of all that it might; may be given more than once.
    #[arg(long = "scope", value_name = "SCOPE", value_delimiter = ',')]
    scopes: Vec<String>,
    /// Addresses that requests may come from, instead of all that there were; may be given more than once.
    #[arg(long = "address", value_name = "CIDR", value_delimiter = ',')]
    addresses: Vec<String>,
    /// A plan of the realm for the key's own limits, instead of its owner's, its format's or the default one. The owner's limits stay those of
    /// the owner's plan.
    #[arg(long)]
    plan: Option<String>,
    /// A number of the key's own for a limit per key, such as minute=100, instead of all that it had; may be given more than once.
    #[arg(long = "limit", value_name = "LIMIT=MOST", value_delimiter = ',')]
    limits: Vec<Number>,
    /// When the key stops working, such as 2027-01-31T12:00:00Z.
    #[arg(long, value_name = "RFC3339")]
    expire_time: Option<Timestamp>,
    /// Something to keep with the key, such as team=billing, instead of all that was kept; may be given more than once.
    #[arg(long, value_name = "NAME=VALUE")]
    metadata: Vec<Pair>,
    /// Empties a field; may be given more than once.
    #[arg(long, value_name = "FIELD", value_delimiter = ',')]
    clear: Vec<OfKey>,
    #[command(flatten)]
    terms: Terms,
}

#[derive(Debug, Args)]
pub(super) struct UpdateOwner {
    #[command(flatten)]
    owner: Name,
    /// For people.
    #[arg(long)]
    name: Option<String>,
    /// A plan of the realm, for keys that have none of their own and for the owner's limits.
    #[arg(long)]
    plan: Option<String>,
    /// A number of the owner's own for a limit, such as minute=100, instead of all that it had; may be given more than once.
    #[arg(long = "limit", value_name = "LIMIT=MOST", value_delimiter = ',')]
    limits: Vec<Number>,
    /// Empties a field; may be given more than once.
    #[arg(long, value_name = "FIELD", value_delimiter = ',')]
    clear: Vec<OfOwner>,
    #[command(flatten)]
    terms: Terms,
}

#[derive(Debug, Args)]
struct Terms {
    /// Only if this is still its etag.
    #[arg(long, default_value = "", hide_default_value = true)]
    etag: String,
    /// Makes a repetition within 24 hours harmless.
    #[arg(long, value_name = "UUID", default_value = "", hide_default_value = true)]
    request_id: String,
}

/// Another number for a limit.
#[derive(Debug, Clone)]
pub(super) struct Number(LimitOverride);

/// A name and its value.
#[derive(Debug, Clone)]
pub(super) struct Pair(String, String);

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum OfKey {
    Label,
    Scopes,
    Addresses,
    Plan,
    Limits,
    ExpireTime,
    Metadata,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum OfOwner {
    Name,
    Plan,
    Limits,
}

impl UpdateKey {
    pub(super) fn request(self) -> Result<UpdateKeyRequest, Failure> {
        let name = self.key.full("keys")?;
        let clears = |field| self.clear.contains(&field);
        let update_mask = mask([
            ("label", self.label.is_some(), clears(OfKey::Label)),
            ("scopes", !self.scopes.is_empty(), clears(OfKey::Scopes)),
            ("allowed_addresses", !self.addresses.is_empty(), clears(OfKey::Addresses)),
            ("plan", self.plan.is_some(), clears(OfKey::Plan)),
            ("limits", !self.limits.is_empty(), clears(OfKey::Limits)),
            ("expire_time", self.expire_time.is_some(), clears(OfKey::ExpireTime)),
            ("metadata", !self.metadata.is_empty(), clears(OfKey::Metadata)),
        ])?;
        let key = Key {
            name,
            label: self.label.unwrap_or_default(),
            scopes: self.scopes,
            allowed_addresses: self.addresses,
            plan: self.plan.unwrap_or_default(),
            limits: numbers(self.limits),
            expire_time: self.expire_time.map(instant),
            metadata: pairs(self.metadata),
            etag: self.terms.etag,
            ..Key::default()
        };
        Ok(UpdateKeyRequest { key: Some(key), update_mask, request_id: self.terms.request_id })
    }
}

impl UpdateOwner {
    pub(super) fn request(self) -> Result<UpdateOwnerRequest, Failure> {
        let name = self.owner.full("owners")?;
        let clears = |field| self.clear.contains(&field);
        let update_mask = mask([
            ("display_name", self.name.is_some(), clears(OfOwner::Name)),
            ("plan", self.plan.is_some(), clears(OfOwner::Plan)),
            ("limits", !self.limits.is_empty(), clears(OfOwner::Limits)),
        ])?;
        let owner = Owner {
            name,
            display_name: self.name.unwrap_or_default(),
            plan: self.plan.unwrap_or_default(),
            limits: numbers(self.limits),
            etag: self.terms.etag,
            ..Owner::default()
        };
        Ok(UpdateOwnerRequest { owner: Some(owner), update_mask, request_id: self.terms.request_id })
    }
}

/// The overrides of a command line.
pub(super) fn numbers(given: Vec<Number>) -> Vec<LimitOverride> {
    given.into_iter().map(|Number(number)| number).collect()
}

/// The metadata of a command line; the last of a name counts.
pub(super) fn pairs(given: Vec<Pair>) -> BTreeMap<String, String> {
    given.into_iter().map(|Pair(name, value)| (name, value)).collect()
}

/// An instant of a command line.
pub(super) fn instant(at: Timestamp) -> prost_types::Timestamp {
    prost_types::Timestamp { seconds: at.as_second(), nanos: at.subsec_nanosecond() }
}

impl FromStr for Number {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (limit, most) = text.split_once('=').ok_or("must be a limit and its number, such as minute=100")?;
        let most = most.parse().map_err(|_| format!("must have a number up to {}", u32::MAX))?;
        Ok(Self(LimitOverride { limit: limit.into(), most }))
    }
}

impl FromStr for Pair {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, value) = text.split_once('=').ok_or("must be a name and its value, such as team=billing")?;
        Ok(Self(name.into(), value.into()))
    }
}

/// The fields of the API that are set or emptied.
fn mask<const N: usize>(fields: [(&str, bool, bool); N]) -> Result<Option<FieldMask>, Failure> {
    if let Some((field, ..)) = fields.iter().find(|(_, is_set, is_cleared)| *is_set && *is_cleared) {
        return Err(Failure::usage(format_args!("{field}: either a value or --clear, not both")));
    }
    let named = fields.into_iter().filter(|(_, is_set, is_cleared)| *is_set || *is_cleared);
    let paths: Vec<String> = named.map(|(field, ..)| field.to_owned()).collect();
    if paths.is_empty() {
        Err(Failure::usage("nothing is to be changed: name a field, or --clear one"))
    } else {
        Ok(Some(FieldMask { paths }))
    }
}
