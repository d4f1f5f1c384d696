//! `keyward keys ...`.

use clap::{Args, Subcommand};
use jiff::Timestamp;

use super::check::Explain;
use super::client::ClientArgs;
use super::failure::Failure;
use super::import::{Export, Import};
use super::life::{One, Retire, RevokeMany, Rotate};
use super::list::ListKeys;
use super::output::{self, Name, Output};
use super::update::{self, Number, Pair, UpdateKey};
use super::usage::Usage;
use super::view::{ChangedKey, Made, OneKey};
use crate::proto::keyward::admin::v1::{CreateKeyRequest, GetKeyRequest, Key, RevokeCause, RevokeKeyRequest};

#[derive(Debug, Subcommand)]
pub(super) enum Keys {
    /// Makes a key, and shows its secret this once.
    Create(Box<Create>),
    /// Shows one key. Its secret is never shown.
    Get(Name),
    /// Shows how often a key was let in and refused, and when each of its secrets was used last.
    Usage(Usage),
    /// Lists the keys of a realm, owner by owner, or some of them.
    List(Box<ListKeys>),
    /// Changes fields of a key; ends when no replica goes by what it took away.
    Update(Box<UpdateKey>),
    /// Tells what a request would be answered, and what every rung of the gate saw of it; charges nothing.
    Explain(Box<Explain>),
    /// Mints another secret for a key, shows it this once, and lets the old one live on for a grace.
    Rotate(Rotate),
    /// Ends old secrets of a key now; ends when no replica admits them.
    Retire(Retire),
    /// Revokes a key; ends when no replica admits it.
    Revoke(Revoke),
    /// Revokes keys that are named in a file, or that a filter finds; ends when no replica admits any of them.
    RevokeMany(Box<RevokeMany>),
    /// Lets a revoked key in again.
    Enable(One),
    /// Removes a key; ends when no replica admits it.
    Delete(One),
    Import(Import),
    Export(Export),
}

#[derive(Debug, Args)]
pub(super) struct Create {
    /// The realm that it is to be in; `keyward` for an admin token.
    #[arg(long)]
    realm: String,
    /// The id of the owner that the key belongs to.
    #[arg(long)]
    owner: String,
    /// For people.
    #[arg(long, default_value = "", hide_default_value = true)]
    label: String,
    /// What the key may do; may be given more than once.
    #[arg(long = "scope", value_name = "SCOPE", value_delimiter = ',')]
    scopes: Vec<String>,
    /// With the kind, chooses among the realm's key formats.
    #[arg(long, default_value = "", hide_default_value = true)]
    environment: String,
    /// With the environment, chooses among the realm's key formats.
    #[arg(long, default_value = "", hide_default_value = true)]
    kind: String,
    /// A plan of the realm for the key's own limits, instead of its owner's, its format's or the default one. The owner's limits stay those of
    /// the owner's plan.
    #[arg(long, default_value = "", hide_default_value = true)]
    plan: String,
    /// A number of the key's own for a limit per key, such as minute=100; may be given more than once.
    #[arg(long = "limit", value_name = "LIMIT=MOST", value_delimiter = ',')]
    limits: Vec<Number>,
    /// The tenant that requests must name.
    #[arg(long, default_value = "", hide_default_value = true)]
    tenant: String,
    /// Addresses that requests may come from; may be given more than once.
    #[arg(long = "address", value_name = "CIDR", value_delimiter = ',')]
    addresses: Vec<String>,
    /// When the key stops working, such as 2027-01-31T12:00:00Z; by default as late as the realm lets it.
    #[arg(long, value_name = "RFC3339")]
    expire_time: Option<Timestamp>,
    /// Of an admin token: all that it may touch, realms/REALM or realms/REALM/owners/OWNER; everything unless it is given.
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    bound_to: String,
    /// Something to keep with the key, such as team=billing; may be given more than once.
    #[arg(long, value_name = "NAME=VALUE")]
    metadata: Vec<Pair>,
    /// Takes the secret from standard input, verbatim but for a closing line break, instead of minting one.
    #[arg(long)]
    secret_stdin: bool,
    /// Makes a repetition within 24 hours harmless.
    #[arg(long, value_name = "UUID", default_value = "", hide_default_value = true)]
    request_id: String,
}

#[derive(Debug, Args)]
pub(super) struct Revoke {
    #[command(flatten)]
    key: Name,
    /// Its secret was seen where it should not be: it can never be enabled again.
    #[arg(long)]
    leaked: bool,
    /// Only if this is still its etag.
    #[arg(long, default_value = "", hide_default_value = true)]
    etag: String,
    /// Makes a repetition within 24 hours harmless.
    #[arg(long, value_name = "UUID", default_value = "", hide_default_value = true)]
    request_id: String,
}

impl Keys {
    pub(super) async fn run(self, client: &ClientArgs, output: Output) -> Result<(), Failure> {
        match self {
            Self::Create(create) => create.run(client, output).await,
            Self::Get(name) => get(&name, client, output).await,
            Self::Usage(usage) => usage.run("keys", client, output).await,
            Self::List(list) => list.run(client, output).await,
            Self::Update(change) => change_key(*change, client, output).await,
            Self::Explain(explain) => explain.run(client, output).await,
            Self::Rotate(rotate) => rotate.run(client, output).await,
            Self::Retire(retire) => retire.run(client, output).await,
            Self::Revoke(revoke) => revoke.run(client, output).await,
            Self::RevokeMany(many) => many.run(client, output).await,
            Self::Enable(one) => one.enable(client, output).await,
            Self::Delete(one) => one.delete(client, output).await,
            Self::Import(import) => import.run(client, output).await,
            Self::Export(export) => export.run(client).await,
        }
    }
}

impl Create {
    async fn run(self, client: &ClientArgs, output: Output) -> Result<(), Failure> {
        let secret = if self.secret_stdin {
            given("--secret-stdin", output::stdin()?)?
        } else {
            output.can_show_a_secret().map(|()| String::new())?
        };
        let minted = secret.is_empty();
        let response = client.keys().await?.create_key(self.request(secret)).await.map_err(client.failed())?.into_inner();
        let replayed = response.replayed;
        output.print(&Made::from(response))?;
        if replayed {
            eprintln!("This request was done before, and the secret was shown then. Was it lost? Revoke the key and make another.");
        } else if minted {
            eprintln!("The secret is not shown again: keep it now.");
        }
        Ok(())
    }

    fn request(self, secret: String) -> CreateKeyRequest {
        let key = Key {
            owner: format!("realms/{}/owners/{}", self.realm, self.owner),
            label: self.label,
            environment: self.environment,
            kind: self.kind,
            plan: self.plan,
            tenant: self.tenant,
            scopes: self.scopes,
            allowed_addresses: self.addresses,
            expire_time: self.expire_time.map(update::instant),
            limits: update::numbers(self.limits),
            binding: self.bound_to,
            metadata: update::pairs(self.metadata),
            ..Key::default()
        };
        CreateKeyRequest { parent: format!("realms/{}", self.realm), key: Some(key), secret, request_id: self.request_id }
    }
}

async fn get(name: &Name, client: &ClientArgs, output: Output) -> Result<(), Failure> {
    let request = GetKeyRequest { name: name.full("keys")?, read_mask: None };
    let response = client.keys().await?.get_key(request).await.map_err(client.failed())?;
    output.print(&OneKey::from(response.into_inner().key))
}

async fn change_key(change: UpdateKey, client: &ClientArgs, output: Output) -> Result<(), Failure> {
    let request = change.request()?;
    let response = client.keys().await?.update_key(request).await.map_err(client.failed())?.into_inner();
    output.print(&ChangedKey::from(response))
}

impl Revoke {
    async fn run(self, client: &ClientArgs, output: Output) -> Result<(), Failure> {
        let request = RevokeKeyRequest {
            name: self.key.full("keys")?,
            etag: self.etag,
            request_id: self.request_id,
            cause: if self.leaked { RevokeCause::Leaked } else { RevokeCause::Unspecified }.into(),
        };
        let response = client.keys().await?.revoke_key(request).await.map_err(client.failed())?.into_inner();
        output.print(&ChangedKey::from(response))
    }
}

/// A secret as it came, without the line break that closes a line.
pub(super) fn given(flag: &str, mut bytes: Vec<u8>) -> Result<String, Failure> {
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        bytes.pop_if(|byte| *byte == b'\r');
    }
    match String::from_utf8(bytes) {
        Ok(secret) if !secret.is_empty() => Ok(secret),
        _ => Err(Failure::usage(format_args!("{flag}: standard input holds no secret"))),
    }
}
