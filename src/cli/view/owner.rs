//! Owners.

use serde::Serialize;

use super::super::output::Shown;
use super::guarantee::{Guarantee, rows};
use super::limit::{LimitOverride, listed, own};
use super::{brief, cell, fields, id, time};
use crate::proto::keyward::admin::v1 as wire;

/// Of `GetOwnerResponse` and `CreateOwnerResponse`.
#[derive(Debug, Serialize)]
pub(in super::super) struct OneOwner {
    owner: Owner,
}

/// Of `ListOwnersResponse`, all pages together.
#[derive(Debug, Serialize)]
pub(in super::super) struct Owners {
    owners: Vec<Owner>,
}

/// Of `DisableOwnerResponse` and `UpdateOwnerResponse`.
#[derive(Debug, Serialize)]
pub(in super::super) struct ChangedOwner {
    owner: Owner,
    position: u64,
    guarantee: Option<Guarantee>,
}

/// Of `EnableOwnerResponse`.
#[derive(Debug, Serialize)]
pub(in super::super) struct Enabled {
    owner: Owner,
    position: u64,
}

#[derive(Debug, Serialize)]
struct Owner {
    name: String,
    display_name: String,
    state: Option<&'static str>,
    plan: String,
    create_time: Option<String>,
    disable_time: Option<String>,
    etag: String,
    limits: Vec<LimitOverride>,
}

impl Owner {
    fn fields(&self) -> Vec<Vec<String>> {
        fields([
            ("name", self.name.clone()),
            ("display name", self.display_name.clone()),
            ("plan", self.plan.clone()),
            ("limits", listed(&self.limits)),
            ("state", cell(self.state)),
            ("created", cell(self.create_time.as_deref())),
            ("disabled", cell(self.disable_time.as_deref())),
            ("etag", self.etag.clone()),
        ])
    }

    fn row(&self) -> Vec<String> {
        vec![
            id(&self.name),
            self.display_name.clone(),
            self.plan.clone(),
            listed(&self.limits),
            cell(self.state),
            brief(self.create_time.as_deref()),
        ]
    }
}

impl Shown for OneOwner {
    fn rows(&self) -> Vec<Vec<String>> {
        self.owner.fields()
    }

    fn names(&self) -> Vec<&str> {
        vec![&self.owner.name]
    }
}

impl Shown for Owners {
    const HEADS: &'static [&'static str] = &["OWNER", "DISPLAY NAME", "PLAN", "LIMITS", "STATE", "CREATED"];

    fn rows(&self) -> Vec<Vec<String>> {
        self.owners.iter().map(Owner::row).collect()
    }

    fn names(&self) -> Vec<&str> {
        self.owners.iter().map(|owner| owner.name.as_str()).collect()
    }
}

impl Shown for ChangedOwner {
    fn rows(&self) -> Vec<Vec<String>> {
        [self.owner.fields(), rows(self.guarantee.as_ref())].concat()
    }

    fn names(&self) -> Vec<&str> {
        vec![&self.owner.name]
    }
}

impl Shown for Enabled {
    fn rows(&self) -> Vec<Vec<String>> {
        self.owner.fields()
    }

    fn names(&self) -> Vec<&str> {
        vec![&self.owner.name]
    }
}

impl From<wire::DisableOwnerResponse> for ChangedOwner {
    fn from(response: wire::DisableOwnerResponse) -> Self {
        let guarantee = response.guarantee.map(Guarantee::from);
        Self { owner: response.owner.unwrap_or_default().into(), position: response.position, guarantee }
    }
}

impl From<wire::UpdateOwnerResponse> for ChangedOwner {
    fn from(response: wire::UpdateOwnerResponse) -> Self {
        let guarantee = response.guarantee.map(Guarantee::from);
        Self { owner: response.owner.unwrap_or_default().into(), position: response.position, guarantee }
    }
}

impl From<wire::EnableOwnerResponse> for Enabled {
    fn from(response: wire::EnableOwnerResponse) -> Self {
        Self { owner: response.owner.unwrap_or_default().into(), position: response.position }
    }
}

impl From<Option<wire::Owner>> for OneOwner {
    fn from(owner: Option<wire::Owner>) -> Self {
        Self { owner: owner.unwrap_or_default().into() }
    }
}

impl From<Vec<wire::Owner>> for Owners {
    fn from(owners: Vec<wire::Owner>) -> Self {
        Self { owners: owners.into_iter().map(Owner::from).collect() }
    }
}

impl From<wire::Owner> for Owner {
    fn from(owner: wire::Owner) -> Self {
        Self {
            name: owner.name,
            display_name: owner.display_name,
            state: state(owner.state),
            plan: owner.plan,
            create_time: time(owner.create_time),
            disable_time: time(owner.disable_time),
            etag: owner.etag,
            limits: own(owner.limits),
        }
    }
}

fn state(state: i32) -> Option<&'static str> {
    match wire::owner::State::try_from(state).unwrap_or_default() {
        wire::owner::State::Unspecified => None,
        wire::owner::State::Active => Some("active"),
        wire::owner::State::Disabled => Some("disabled"),
    }
}
