//! `keyward check` asks the gate, as a client of the mesh would; `keyward keys explain` asks the admin API why.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;

use super::client::{ClientArgs, read};
use super::failure::Failure;
use super::keys::given;
use super::output::{self, Output};
use super::view::{Answered, Explained};
use crate::proto::keyward::admin::v1::ExplainCheckRequest;
use crate::proto::keyward::v1::VerifyRequest;

/// A request, as it is told of.
#[derive(Debug, Args)]
struct Told {
    /// The realm that it is in, as the proxy would name it.
    #[arg(long, default_value = "", hide_default_value = true)]
    realm: String,
    /// The host that it is sent to; without a realm it decides which one it is.
    #[arg(long, default_value = "", hide_default_value = true)]
    host: String,
    #[arg(long, default_value = "GET")]
    method: String,
    /// With its query.
    #[arg(long)]
    path: String,
    /// A header, such as `content-type: application/grpc`; may be given more than once. A key is not given so, but on standard input.
    #[arg(long = "header", value_name = "NAME: VALUE", value_parser = header)]
    headers: Vec<(String, String)>,
    /// Where the connection comes from.
    #[arg(long, default_value = "", hide_default_value = true)]
    address: String,
    #[arg(long, default_value = "https")]
    scheme: String,
    /// The tenant that it names.
    #[arg(long, default_value = "", hide_default_value = true)]
    tenant: String,
    /// What the proxy says of the route beside the realm; may be given more than once.
    #[arg(long = "extension", value_name = "NAME=VALUE", value_parser = extension)]
    extensions: Vec<(String, String)>,
    /// Takes the key's secret from standard input, and puts it where the realm looks for it.
    #[arg(long)]
    key_stdin: bool,
}

#[derive(Debug, Args)]
pub(super) struct Check {
    /// The server's Envoy port.
    #[arg(long, env = "KEYWARD_GATE", default_value = "http://127.0.0.1:50051", value_name = "URL")]
    gate: String,
    /// File that holds the secret which the Envoy port demands, where it does.
    #[arg(long, env = "KEYWARD_GATE_SECRET_FILE", value_name = "FILE")]
    gate_secret_file: Option<PathBuf>,
    #[command(flatten)]
    told: Told,
}

#[derive(Debug, Args)]
pub(super) struct Explain {
    /// The key's id, or its full name: the request is taken for this key's. Else it is whose secret it presents.
    #[arg(conflicts_with = "key_stdin")]
    key: Option<String>,
    #[command(flatten)]
    told: Told,
}

impl Check {
    /// Ends with 1 where the request is refused.
    pub(super) async fn run(self, client: &ClientArgs, output: Output) -> Result<(), Failure> {
        let Self { gate, gate_secret_file, told } = self;
        told.is_of_a_realm()?;
        let credential = told.secret()?;
        let secret = gate_secret_file.map(|file| read(&file)).transpose()?;
        let request = VerifyRequest {
            headers: told.headers(),
            context_extensions: told.extensions.into_iter().collect(),
            realm: told.realm,
            host: told.host,
            method: told.method,
            path: told.path,
            scheme: told.scheme,
            address: told.address,
            credential,
            tenant: told.tenant,
        };
        let mut service = client.verify(&gate, secret.as_deref()).await?;
        let response = service.verify(request).await.map_err(|status| Failure::of_call(&gate, &status))?.into_inner();
        let (allowed, reason) = (response.allowed, response.reason.clone());
        output.print(&Answered::from(response))?;
        if allowed { Ok(()) } else { Err(Failure::Refused(format!("refused: {reason}"))) }
    }
}

impl Explain {
    pub(super) async fn run(self, client: &ClientArgs, output: Output) -> Result<(), Failure> {
        let Self { key, mut told } = self;
        let key = match key {
            Some(name) if name.starts_with("realms/") => {
                told.realm = Some(told.realm).filter(|realm| !realm.is_empty()).unwrap_or_else(|| realm_of(&name));
                name
            }
            Some(id) if told.realm.is_empty() => return Err(Failure::usage(format_args!("which realm? --realm REALM {id}"))),
            Some(id) => format!("realms/{}/keys/{id}", told.realm),
            None => String::new(),
        };
        told.is_of_a_realm()?;
        let secret = told.secret()?;
        let realm = if told.realm.is_empty() { String::new() } else { format!("realms/{}", told.realm) };
        let request = ExplainCheckRequest {
            headers: told.headers(),
            context_extensions: told.extensions.into_iter().collect(),
            realm,
            host: told.host,
            method: told.method,
            path: told.path,
            address: told.address,
            scheme: told.scheme,
            secret,
            key,
            tenant: told.tenant,
        };
        let response = client.keys().await?.explain_check(request).await.map_err(client.failed())?;
        output.print(&Explained::from(response.into_inner()))
    }
}

impl Told {
    fn is_of_a_realm(&self) -> Result<(), Failure> {
        if self.realm.is_empty() && self.host.is_empty() {
            return Err(Failure::usage("which realm? --realm REALM, or --host HOST as the request has it"));
        }
        Ok(())
    }

    fn secret(&self) -> Result<String, Failure> {
        if self.key_stdin { given("--key-stdin", output::stdin()?) } else { Ok(String::new()) }
    }

    /// Of one that is given several times, the values joined.
    fn headers(&self) -> BTreeMap<String, String> {
        let mut all: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in &self.headers {
            let known = all.entry(name.to_ascii_lowercase()).or_default();
            *known = if known.is_empty() { value.clone() } else { format!("{known},{value}") };
        }
        all
    }
}

/// Of a key's full name.
fn realm_of(name: &str) -> String {
    name.split('/').nth(1).unwrap_or_default().to_owned()
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or_else(|| format!("must be such as `accept: text/plain`, and is {text:?}"))?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

fn extension(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("must be such as `route=orders`, and is {text:?}"))?;
    Ok((name.to_owned(), value.to_owned()))
}
