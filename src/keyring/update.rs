//! Keys and owners are changed field by field, each to a value of its own. What a change means for those who remember the thing is not said by
//! its field but seen in what it makes of it: fewer scopes restrict, a limit that may be lower begins another generation.

use std::collections::BTreeMap;

use super::contract::{self, Ages};
use super::edit::{Edit, Effect};
use super::kept::Kept;
use super::reach::HOW_MUCH;
use super::{Caller, Changed, Keyring, KeyringError, Target, Terms, Wrong};
use crate::domain::address::AddressList;
use crate::domain::life::newest;
use crate::domain::limit::{Override, Per};
use crate::domain::name::{KeyId, OwnerId, Scope, Word};
use crate::domain::owner::Owner;
use crate::domain::realm::Realm;
use crate::domain::record::Record;
use crate::domain::time::StoreTime;

/// A field of a key, with what it is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyField {
    Label(String),
    Scopes(Vec<Scope>),
    Addresses(AddressList),
    Plan(Option<Word>),
    /// In place of all overrides that there were.
    Limits(Vec<Override>),
    Expires(Option<StoreTime>),
    /// In place of all that there was.
    Metadata(BTreeMap<String, String>),
}

/// A field of an owner, with what it is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnerField {
    Name(String),
    Plan(Option<Word>),
    /// In place of all overrides that there were.
    Limits(Vec<Override>),
}

impl Keyring {
    /// Changes a key. What may take something from it ends when no replica goes by what was before; what only gives is heard of within a
    /// lease's life.
    pub async fn update_key(
        &self,
        caller: &Caller,
        target: &Target<KeyId>,
        fields: &[KeyField],
        terms: &Terms,
    ) -> Result<Changed<Record>, KeyringError> {
        self.realm_to_change(caller, &target.realm)?;
        if fields.iter().any(KeyField::says_how_much) {
            caller.is_for_more_than_its_owner(HOW_MUCH)?;
        }
        // a key's end is measured by its newest secret, which only a rotation makes newer: what was lawful here is so when it is written
        let ends = fields.iter().any(|field| matches!(field, KeyField::Expires(_)));
        let newest = if ends { Some(newest(&self.key(caller, target).await?)) } else { None };
        self.update(caller, ("UpdateKey", target), (fields, newest), terms).await
    }

    /// Changes an owner, as a key is changed.
    pub async fn update_owner(
        &self,
        caller: &Caller,
        target: &Target<OwnerId>,
        fields: &[OwnerField],
        terms: &Terms,
    ) -> Result<Changed<Owner>, KeyringError> {
        self.update(caller, ("UpdateOwner", target), (fields, None), terms).await
    }

    async fn update<T: Kept>(
        &self,
        caller: &Caller,
        (action, target): (&'static str, &Target<T::Id>),
        (fields, newest): (&[impl Field<T>], Option<StoreTime>),
        terms: &Terms,
    ) -> Result<Changed<T>, KeyringError> {
        let realm = self.realm_to_change(caller, &target.realm)?;
        let now = self.store.now().await?;
        // of what was imported with a time to come, too, no life is measured by that
        let ages = Ages { now, newest: newest.unwrap_or(now).min(now) };
        contract::of_fields(fields.iter().flat_map(|field| field.wrong(realm, &ages)))?;
        let effect = if fields.iter().any(Field::may_restrict) { Effect::MayRestrict } else { Effect::Loosens };
        let change = |thing: &mut T, _: StoreTime| fields.iter().for_each(|field| field.put(thing));
        self.edit(Edit { caller, action, effect, target, change: &change }, terms).await
    }
}

/// A new value for a field of one kind of thing.
trait Field<T>: Send + Sync {
    /// What a realm's contract has against it.
    fn wrong(&self, realm: &Realm, ages: &Ages) -> Vec<Wrong>;
    fn put(&self, thing: &mut T);
    /// Whether it may take something away: one that cannot is for people alone.
    fn may_restrict(&self) -> bool;
}

impl KeyField {
    /// Whether it is one of those that bound a key's owner.
    fn says_how_much(&self) -> bool {
        matches!(self, Self::Plan(_) | Self::Limits(_))
    }
}

impl Field<Record> for KeyField {
    fn wrong(&self, realm: &Realm, ages: &Ages) -> Vec<Wrong> {
        match self {
            Self::Label(label) => contract::text("key.label", label),
            Self::Scopes(scopes) => contract::scopes(realm, scopes),
            Self::Addresses(addresses) => contract::addresses(realm, addresses),
            Self::Plan(plan) => contract::plan("key.plan", realm, plan.as_ref()),
            Self::Limits(limits) => contract::limits("key.limits", realm, limits, &[Per::Key]),
            Self::Expires(expires) => contract::expires(realm, *expires, ages),
            Self::Metadata(metadata) => contract::metadata("key.metadata", metadata),
        }
    }

    fn put(&self, key: &mut Record) {
        match self.clone() {
            Self::Label(label) => key.label = label,
            Self::Scopes(scopes) => key.scopes = scopes,
            Self::Addresses(addresses) => key.addresses = addresses,
            Self::Plan(plan) => key.plan = plan,
            Self::Limits(limits) => key.limits = limits,
            Self::Expires(expires) => key.expires = expires,
            Self::Metadata(metadata) => key.metadata = metadata,
        }
    }

    fn may_restrict(&self) -> bool {
        !matches!(self, Self::Label(_) | Self::Metadata(_))
    }
}

impl Field<Owner> for OwnerField {
    fn wrong(&self, realm: &Realm, _: &Ages) -> Vec<Wrong> {
        match self {
            Self::Name(name) => contract::text("owner.display_name", name),
            Self::Plan(plan) => contract::plan("owner.plan", realm, plan.as_ref()),
            Self::Limits(limits) => contract::limits("owner.limits", realm, limits, &[Per::Key, Per::Owner]),
        }
    }

    fn put(&self, owner: &mut Owner) {
        match self.clone() {
            Self::Name(name) => owner.name = name,
            Self::Plan(plan) => owner.plan = plan,
            Self::Limits(limits) => owner.limits = limits.into(),
        }
    }

    fn may_restrict(&self) -> bool {
        !matches!(self, Self::Name(_))
    }
}
