//! `keyward owners ...`.

use clap::{Args, Subcommand};

use super::client::ClientArgs;
use super::failure::Failure;
use super::list::ListOwners;
use super::output::{Name, Output};
use super::update::{self, Number, UpdateOwner};
use super::usage::Usage;
use super::view::{ChangedOwner, Enabled, OneOwner};
use crate::proto::keyward::admin::v1::{CreateOwnerRequest, DisableOwnerRequest, EnableOwnerRequest, GetOwnerRequest, Owner};

#[derive(Debug, Subcommand)]
pub(super) enum Owners {
    /// Makes an owner.
    Create(Create),
    /// Shows one owner.
    Get(Name),
    /// Shows how often the keys of an owner were let in and refused.
    Usage(Usage),
    /// Lists the owners of a realm.
    List(ListOwners),
    /// Changes fields of an owner; ends when no replica goes by what it took away.
    Update(UpdateOwner),
    /// Refuses every key of an owner from now on; ends when no replica admits any of them.
    Disable(Change),
    /// Lets the keys of an owner in again.
    Enable(Change),
}

#[derive(Debug, Args)]
pub(super) struct Create {
    #[command(flatten)]
    owner: Name,
    /// For people.
    #[arg(long, default_value = "", hide_default_value = true)]
    name: String,
    /// A plan of the realm, for keys that have none of their own and for the owner's limits.
    #[arg(long, default_value = "", hide_default_value = true)]
    plan: String,
    /// A number of the owner's own for a limit, such as minute=100; may be given more than once.
    #[arg(long = "limit", value_name = "LIMIT=MOST", value_delimiter = ',')]
    limits: Vec<Number>,
    /// Makes a repetition within 24 hours harmless.
    #[arg(long, value_name = "UUID", default_value = "", hide_default_value = true)]
    request_id: String,
}

#[derive(Debug, Args)]
pub(super) struct Change {
    #[command(flatten)]
    owner: Name,
    /// Only if this is still its etag.
    #[arg(long, default_value = "", hide_default_value = true)]
    etag: String,
    /// Makes a repetition within 24 hours harmless.
    #[arg(long, value_name = "UUID", default_value = "", hide_default_value = true)]
    request_id: String,
}

impl Owners {
    pub(super) async fn run(self, client: &ClientArgs, output: Output) -> Result<(), Failure> {
        match self {
            Self::Create(create) => create.run(client, output).await,
            Self::Get(name) => get(&name, client, output).await,
            Self::Usage(usage) => usage.run("owners", client, output).await,
            Self::List(list) => list.run(client, output).await,
            Self::Update(change) => change_owner(change, client, output).await,
            Self::Disable(change) => change.disable(client, output).await,
            Self::Enable(change) => change.enable(client, output).await,
        }
    }
}

impl Create {
    async fn run(self, client: &ClientArgs, output: Output) -> Result<(), Failure> {
        let (parent, owner_id) = self.owner.parts("owners")?;
        let owner = Some(Owner { display_name: self.name, plan: self.plan, limits: update::numbers(self.limits), ..Owner::default() });
        let request = CreateOwnerRequest { parent, owner_id, owner, request_id: self.request_id };
        let response = client.owners().await?.create_owner(request).await.map_err(client.failed())?;
        output.print(&OneOwner::from(response.into_inner().owner))
    }
}

async fn get(name: &Name, client: &ClientArgs, output: Output) -> Result<(), Failure> {
    let request = GetOwnerRequest { name: name.full("owners")?, read_mask: None };
    let response = client.owners().await?.get_owner(request).await.map_err(client.failed())?;
    output.print(&OneOwner::from(response.into_inner().owner))
}

async fn change_owner(change: UpdateOwner, client: &ClientArgs, output: Output) -> Result<(), Failure> {
    let request = change.request()?;
    let response = client.owners().await?.update_owner(request).await.map_err(client.failed())?.into_inner();
    output.print(&ChangedOwner::from(response))
}

impl Change {
    async fn disable(self, client: &ClientArgs, output: Output) -> Result<(), Failure> {
        let request = DisableOwnerRequest { name: self.owner.full("owners")?, etag: self.etag, request_id: self.request_id };
        let response = client.owners().await?.disable_owner(request).await.map_err(client.failed())?;
        output.print(&ChangedOwner::from(response.into_inner()))
    }

    async fn enable(self, client: &ClientArgs, output: Output) -> Result<(), Failure> {
        let request = EnableOwnerRequest { name: self.owner.full("owners")?, etag: self.etag, request_id: self.request_id };
        let response = client.owners().await?.enable_owner(request).await.map_err(client.failed())?;
        output.print(&Enabled::from(response.into_inner()))
    }
}
