//! `keyward keys rotate | retire | enable | delete | revoke-many`, and `keyward report-leak`.

use std::path::PathBuf;

use clap::Args;

use super::client::{self, ClientArgs};
use super::failure::Failure;
use super::list::KeysOf;
use super::output::{Name, Output};
use super::view::{ChangedKey, Deleted, EnabledKey, Leak, Many, Rotated};
use crate::config::duration_of;
use crate::proto::keyward::admin::v1::key::State;
use crate::proto::keyward::admin::v1::{
    DeleteKeyRequest, EnableKeyRequest, ListKeysRequest, ReportLeakRequest, RetireSecretsRequest, RevokeCause, RevokeKeysRequest,
    RotateKeyRequest,
};

/// Makes a repetition harmless, and a change of what was seen.
#[derive(Debug, Args)]
pub(super) struct Terms {
    /// Only if this is still its etag.
    #[arg(long, default_value = "", hide_default_value = true)]
    etag: String,
    /// Makes a repetition within 24 hours harmless.
    #[arg(long, value_name = "UUID", default_value = "", hide_default_value = true)]
    request_id: String,
}

#[derive(Debug, Args)]
pub(super) struct Rotate {
    #[command(flatten)]
    key: Name,
    /// How much longer the secrets that there are open the key, such as 7d or 12h; 0s: not at all.
    #[arg(long, value_name = "DURATION")]
    grace: String,
    #[command(flatten)]
    terms: Terms,
}

#[derive(Debug, Args)]
pub(super) struct Retire {
    #[command(flatten)]
    key: Name,
    /// The number of a secret, as `keys get` tells it; may be given more than once. All but the newest by default.
    #[arg(long = "secret", value_name = "NUMBER", value_delimiter = ',')]
    numbers: Vec<u32>,
    #[command(flatten)]
    terms: Terms,
}

#[derive(Debug, Args)]
pub(super) struct One {
    #[command(flatten)]
    key: Name,
    #[command(flatten)]
    terms: Terms,
}

#[derive(Debug, Args)]
pub(super) struct RevokeMany {
    /// File with the ids of keys, or their full names, one a line; `-`: standard input. Without it the filters say which keys.
    #[arg(long, value_name = "FILE", conflicts_with = "every_key")]
    from: Option<PathBuf>,
    /// Every key of the realm is meant, or every one that works with --state active.
    #[arg(long)]
    every_key: bool,
    /// Their secrets were seen where they should not be: they can never be enabled again.
    #[arg(long)]
    leaked: bool,
    /// Only tells which keys would be revoked.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    filter: KeysOf,
}

/// Ends a secret that was seen where it should not be. Needs no admin token.
#[derive(Debug, Args)]
pub(super) struct ReportLeak {
    /// File that holds the secret; `-`: standard input.
    #[arg(long, value_name = "FILE", default_value = "-")]
    secret_file: PathBuf,
    /// The realm that it is of; by default every one is looked at.
    #[arg(long)]
    realm: Option<String>,
}

impl Rotate {
    pub(super) async fn run(self, client: &ClientArgs, output: Output) -> Result<(), Failure> {
        output.can_show_a_secret()?;
        let grace = duration_of(&self.grace).map_err(|wrong| Failure::usage(format_args!("--grace {wrong}")))?;
        let grace = prost_types::Duration::try_from(grace).map_err(|_| Failure::usage("--grace is too long"))?;
        let Terms { etag, request_id } = self.terms;
        let request = RotateKeyRequest { name: self.key.full("keys")?, grace: Some(grace), etag, request_id };
        let response = client.keys().await?.rotate_key(request).await.map_err(client.failed())?.into_inner();
        let replayed = response.replayed;
        output.print(&Rotated::from(response))?;
        eprintln!("{}", if replayed { REPLAYED } else { "The secret is not shown again: keep it now." });
        Ok(())
    }
}

const REPLAYED: &str = "This request was done before, and the secret was shown then. Was it lost? Rotate again, without this request id.";

impl Retire {
    pub(super) async fn run(self, client: &ClientArgs, output: Output) -> Result<(), Failure> {
        let Terms { etag, request_id } = self.terms;
        let request = RetireSecretsRequest { name: self.key.full("keys")?, numbers: self.numbers, etag, request_id };
        let response = client.keys().await?.retire_secrets(request).await.map_err(client.failed())?.into_inner();
        output.print(&ChangedKey::from(response))
    }
}

impl One {
    pub(super) async fn enable(self, client: &ClientArgs, output: Output) -> Result<(), Failure> {
        let Terms { etag, request_id } = self.terms;
        let request = EnableKeyRequest { name: self.key.full("keys")?, etag, request_id };
        let response = client.keys().await?.enable_key(request).await.map_err(client.failed())?.into_inner();
        output.print(&EnabledKey::from(response))
    }

    pub(super) async fn delete(self, client: &ClientArgs, output: Output) -> Result<(), Failure> {
        let Terms { etag, request_id } = self.terms;
        let name = self.key.full("keys")?;
        let request = DeleteKeyRequest { name: name.clone(), etag, request_id };
        let response = client.keys().await?.delete_key(request).await.map_err(client.failed())?.into_inner();
        output.print(&Deleted::of(name, response))
    }
}

impl RevokeMany {
    pub(super) async fn run(self, client: &ClientArgs, output: Output) -> Result<(), Failure> {
        let cause = if self.leaked { RevokeCause::Leaked } else { RevokeCause::Unspecified }.into();
        let (parent, every_key, dry_run) = (self.filter.parent(), self.every_key, self.dry_run);
        let listed = self.from.as_deref().map(|file| named(file, &parent)).transpose()?;
        let filter = self.filter.request();
        let any = ListKeysRequest { parent: parent.clone(), ..ListKeysRequest::default() };
        let working = ListKeysRequest { state: State::Active.into(), ..any.clone() };
        let mut filter = match &listed {
            Some(_) if filter != any => return Err(Failure::usage("--from names the keys, and no filter goes with it")),
            None if !every_key && (filter == any || filter == working) => return Err(Failure::usage(WHICH)),
            None => Some(filter),
            Some(_) => None,
        };
        let mut parts = listed.unwrap_or_default().chunks(1000).map(<[String]>::to_vec).collect::<Vec<_>>().into_iter();
        let mut service = client.keys().await?;
        let (mut all, mut left, mut ended) = (Many::new(dry_run), Some(String::new()), 0);
        while let Some(page_token) = left.take() {
            let page = filter.clone().map(|filter| ListKeysRequest { page_size: 1000, page_token, ..filter });
            let names = if page.is_some() { Vec::new() } else { parts.next().unwrap_or_default() };
            if page.is_none() && names.is_empty() {
                break;
            }
            let request = RevokeKeysRequest { parent: parent.clone(), names, filter: page, every_key, cause, dry_run };
            let response = service.revoke_keys(request).await.map_err(client.failed())?.into_inner();
            let next = response.next_page_token.clone();
            ended += response.names.len();
            all.add(response);
            left = if filter_is_left(&next, parts.len()) { Some(next) } else { None };
            // keys that were made meanwhile may stand before where the walk was: where working ones are meant it ends when it finds none
            let of_working = filter.as_mut().filter(|filter| matches!(filter.state(), State::Unspecified | State::Active));
            if let (None, Some(filter), false, true) = (&left, of_working, dry_run, ended > 0) {
                (filter.state, ended, left) = (State::Active.into(), 0, Some(String::new()));
            }
        }
        output.print(&all)?;
        if dry_run {
            eprintln!("Nothing was revoked: leave --dry-run out to revoke them.");
        }
        Ok(())
    }
}

const WHICH: &str = "which keys? Name them in a file with --from, or say which with --owner, --label-prefix, --unused-since or other filters, of which \
    --state active alone is none; --every-key means all of the realm";

/// Whether there is another part: a page of what a filter finds, or names.
fn filter_is_left(next: &str, parts: usize) -> bool {
    !next.is_empty() || parts > 0
}

/// Full names, of ids or full names, one a line.
fn named(file: &std::path::Path, parent: &str) -> Result<Vec<String>, Failure> {
    let text = String::from_utf8(client::read(file)?).map_err(|_| Failure::usage("--from: it is not text"))?;
    let full = |line: &str| if line.starts_with("realms/") { line.to_owned() } else { format!("{parent}/keys/{line}") };
    let names: Vec<String> = text.lines().map(str::trim).filter(|line| !line.is_empty()).map(full).collect();
    if names.is_empty() { Err(Failure::usage("--from: it names no key")) } else { Ok(names) }
}

impl ReportLeak {
    pub(super) async fn run(self, client: &ClientArgs, output: Output) -> Result<(), Failure> {
        let bytes = client::read(&self.secret_file)?;
        let secret = String::from_utf8(bytes).map_err(|_| Failure::usage("the secret is not text"))?.trim().to_owned();
        let parent = self.realm.map(|realm| format!("realms/{realm}")).unwrap_or_default();
        let request = ReportLeakRequest { secret, parent };
        let response = client.leak().await?.report_leak(request).await.map_err(client.failed())?;
        output.print(&Leak::from(response.into_inner()))
    }
}
