//! What a maker of keys and owners chooses. What a realm makes of it is in [`contract`](super::contract).

use std::collections::BTreeMap;

use crate::domain::address::AddressList;
use crate::domain::limit::Override;
use crate::domain::name::{OwnerId, Scope, Word};
use crate::domain::record::Binding;
use crate::domain::time::StoreTime;

/// What a key's maker chooses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyDraft {
    pub owner: OwnerId,
    pub label: String,
    /// With the kind, chooses among the realm's formats.
    pub environment: Option<Word>,
    pub kind: Option<Word>,
    pub plan: Option<Word>,
    pub limits: Vec<Override>,
    pub tenant: Option<String>,
    pub scopes: Vec<Scope>,
    pub addresses: AddressList,
    /// `None`: as late as the realm lets a key end.
    pub expires: Option<StoreTime>,
    pub metadata: BTreeMap<String, String>,
    /// Of an admin token: all that it may touch.
    pub binding: Option<Binding>,
}

/// What an owner's maker chooses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnerDraft {
    /// For people.
    pub name: String,
    pub plan: Option<Word>,
    pub limits: Box<[Override]>,
}
