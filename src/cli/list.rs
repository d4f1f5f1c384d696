//! `keyward keys list` and `keyward owners list`: options are named as the API's fields.

use clap::{Args, ValueEnum};
use jiff::Timestamp;

use super::client::ClientArgs;
use super::failure::Failure;
use super::output::{Output, Pages};
use super::update;
use super::view;
use crate::proto::keyward::admin::v1::{ListKeysRequest, ListOwnersRequest, key, owner};

/// Which keys.
#[derive(Debug, Args)]
pub(super) struct KeysOf {
    /// The realm that they are in.
    #[arg(long)]
    realm: String,
    /// Only keys of this owner.
    #[arg(long, default_value = "", hide_default_value = true)]
    owner: String,
    /// Only keys with this label.
    #[arg(long, default_value = "", hide_default_value = true)]
    label: String,
    /// Only keys whose label begins so.
    #[arg(long, default_value = "", hide_default_value = true)]
    label_prefix: String,
    /// Only keys of this environment.
    #[arg(long, default_value = "", hide_default_value = true)]
    environment: String,
    /// Only keys that are so now.
    #[arg(long)]
    state: Option<KeyState>,
    /// Only keys that end before, or have ended.
    #[arg(long, value_name = "RFC3339")]
    expiring_before: Option<Timestamp>,
    /// Only keys that were made before and that nobody has presented since; at most 400 days ago.
    #[arg(long, value_name = "RFC3339")]
    unused_since: Option<Timestamp>,
    /// Only keys that another secret should have taken over by now.
    #[arg(long)]
    rotation_due: bool,
    /// Only keys that have this scope.
    #[arg(long, default_value = "", hide_default_value = true)]
    scope: String,
    /// Only keys with this plan of their own.
    #[arg(long, default_value = "", hide_default_value = true)]
    plan: String,
}

#[derive(Debug, Args)]
pub(super) struct ListKeys {
    #[command(flatten)]
    keys: KeysOf,
    /// The order: owner by owner, and each one's keys oldest first, or all of it the other way round.
    #[arg(long, value_name = "ORDER", value_parser = ["owner", "owner desc"], default_value = "owner", hide_default_value = true)]
    order_by: String,
    /// Shows more columns.
    #[arg(long)]
    wide: bool,
    #[command(flatten)]
    pages: Pages,
}

#[derive(Debug, Args)]
pub(super) struct ListOwners {
    /// The realm that they are in.
    #[arg(long)]
    realm: String,
    /// Only owners that are so now.
    #[arg(long)]
    state: Option<OwnerState>,
    /// The order: by name, or the other way round.
    #[arg(long, value_name = "ORDER", value_parser = ["name", "name desc"], default_value = "name", hide_default_value = true)]
    order_by: String,
    #[command(flatten)]
    pages: Pages,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum KeyState {
    Active,
    Revoked,
    Expired,
    OwnerDisabled,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum OwnerState {
    Active,
    Disabled,
}

impl ListKeys {
    pub(super) async fn run(self, client: &ClientArgs, output: Output) -> Result<(), Failure> {
        let (mut keys, mut walk, wide) = (Vec::new(), self.pages.walk(), self.wide);
        let question = ListKeysRequest { order_by: self.order_by, ..self.keys.request() };
        let mut service = client.keys().await?;
        while let Some((page_size, page_token)) = walk.ask() {
            let request = ListKeysRequest { page_size, page_token, ..question.clone() };
            let page = service.list_keys(request).await.map_err(client.failed())?.into_inner();
            walk.got(page.keys.len(), page.next_page_token);
            keys.extend(page.keys);
        }
        if wide { output.print(&view::WideKeys::from(keys)) } else { output.print(&view::Keys::from(keys)) }
    }
}

impl KeysOf {
    /// `realms/{realm}`.
    pub(super) fn parent(&self) -> String {
        format!("realms/{}", self.realm)
    }

    pub(super) fn request(self) -> ListKeysRequest {
        let parent = format!("realms/{}", self.realm);
        ListKeysRequest {
            owner: if self.owner.is_empty() { self.owner } else { format!("{parent}/owners/{}", self.owner) },
            parent,
            label: self.label,
            label_prefix: self.label_prefix,
            environment: self.environment,
            state: self.state.map_or(key::State::Unspecified, key::State::from).into(),
            expiring_before: self.expiring_before.map(update::instant),
            unused_since: self.unused_since.map(update::instant),
            rotation_due: self.rotation_due,
            scope: self.scope,
            plan: self.plan,
            ..ListKeysRequest::default()
        }
    }
}

impl ListOwners {
    pub(super) async fn run(self, client: &ClientArgs, output: Output) -> Result<(), Failure> {
        let (mut owners, mut walk) = (Vec::new(), self.pages.walk());
        let state = self.state.map_or(owner::State::Unspecified, owner::State::from).into();
        let question =
            ListOwnersRequest { parent: format!("realms/{}", self.realm), state, order_by: self.order_by, ..ListOwnersRequest::default() };
        let mut service = client.owners().await?;
        while let Some((page_size, page_token)) = walk.ask() {
            let request = ListOwnersRequest { page_size, page_token, ..question.clone() };
            let page = service.list_owners(request).await.map_err(client.failed())?.into_inner();
            walk.got(page.owners.len(), page.next_page_token);
            owners.extend(page.owners);
        }
        output.print(&view::Owners::from(owners))
    }
}

impl From<KeyState> for key::State {
    fn from(state: KeyState) -> Self {
        match state {
            KeyState::Active => Self::Active,
            KeyState::Revoked => Self::Revoked,
            KeyState::Expired => Self::Expired,
            KeyState::OwnerDisabled => Self::OwnerDisabled,
        }
    }
}

impl From<OwnerState> for owner::State {
    fn from(state: OwnerState) -> Self {
        match state {
            OwnerState::Active => Self::Active,
            OwnerState::Disabled => Self::Disabled,
        }
    }
}
