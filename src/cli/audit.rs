//! `keyward audit ...`.

use clap::{Args, Subcommand};

use super::client::ClientArgs;
use super::failure::Failure;
use super::output::{self, Output, Pages};
use super::view::{AuditEntries, Exported, Verified};
use crate::proto::keyward::admin::v1::{ExportAuditRequest, ListAuditRequest, VerifyAuditRequest, WatchAuditRequest};

#[derive(Debug, Subcommand)]
pub(super) enum Audit {
    /// Lists entries, newest first.
    List(List),
    /// Prints entries as they come, until it is interrupted.
    Watch(Watch),
    /// Prints all entries, oldest first, with their bytes and seals: a line of JSON each, to be kept elsewhere.
    Export(Export),
    /// Finds whether the log was tampered with.
    Verify(Verify),
}

/// Which entries.
#[derive(Debug, Args)]
struct Sought {
    /// Only of this key, owner or realm: realms/REALM, realms/REALM/keys/KEY, realms/REALM/owners/OWNER.
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    subject: String,
    /// Only by this actor: the id of an admin token's key, a certificate's name, bootstrap, keyward or unknown.
    #[arg(long, default_value = "", hide_default_value = true)]
    actor: String,
    /// Only of this RPC, such as `RevokeKey`.
    #[arg(long, value_name = "RPC", default_value = "", hide_default_value = true)]
    action: String,
}

#[derive(Debug, Args)]
pub(super) struct List {
    #[command(flatten)]
    sought: Sought,
    #[command(flatten)]
    pages: Pages,
}

#[derive(Debug, Args)]
pub(super) struct Watch {
    #[command(flatten)]
    sought: Sought,
    /// Those that there are already, from this number on, come first.
    #[arg(long, value_name = "NUMBER")]
    after: Option<u64>,
}

#[derive(Debug, Args)]
pub(super) struct Export {
    /// Only entries with higher numbers.
    #[arg(long, value_name = "NUMBER", default_value_t = 0, hide_default_value = true)]
    after: u64,
}

#[derive(Debug, Args)]
pub(super) struct Verify {
    /// Where the log was seen to end at another time, NUMBER/HASH: without it, nobody can tell whether its end was cut off.
    #[arg(long, value_name = "NUMBER/HASH", default_value = "", hide_default_value = true)]
    anchor: String,
}

impl Audit {
    pub(super) async fn run(self, client: &ClientArgs, output: Output) -> Result<(), Failure> {
        match self {
            Self::List(list) => list.run(client, output).await,
            Self::Watch(watch) => watch.run(client, output).await,
            Self::Export(export) => export.run(client).await,
            Self::Verify(verify) => verify.run(client, output).await,
        }
    }
}

impl List {
    async fn run(self, client: &ClientArgs, output: Output) -> Result<(), Failure> {
        let (mut entries, mut walk, mut service) = (Vec::new(), self.pages.walk(), client.audit().await?);
        let Sought { subject, actor, action } = self.sought;
        let question = ListAuditRequest { subject, actor, action, ..ListAuditRequest::default() };
        while let Some((page_size, page_token)) = walk.ask() {
            let request = ListAuditRequest { page_size, page_token, ..question.clone() };
            let page = service.list_audit(request).await.map_err(client.failed())?.into_inner();
            walk.got(page.entries.len(), page.next_page_token);
            entries.extend(page.entries);
        }
        output.print(&AuditEntries::from(entries))
    }
}

impl Watch {
    async fn run(self, client: &ClientArgs, output: Output) -> Result<(), Failure> {
        let Sought { subject, actor, action } = self.sought;
        let request = WatchAuditRequest { after_sequence: self.after, subject, actor, action };
        let mut entries = client.audit().await?.watch_audit(request).await.map_err(client.failed())?.into_inner();
        while let Some(response) = entries.message().await.map_err(client.failed())? {
            output.print(&AuditEntries::from(Vec::from_iter(response.entry)))?;
        }
        Ok(())
    }
}

impl Export {
    async fn run(self, client: &ClientArgs) -> Result<(), Failure> {
        let request = ExportAuditRequest { after_sequence: self.after };
        let mut entries = client.audit().await?.export_audit(request).await.map_err(client.failed())?.into_inner();
        while let Some(response) = entries.message().await.map_err(client.failed())? {
            output::line(&output::one_line(&Exported::from(response))?)?;
        }
        Ok(())
    }
}

impl Verify {
    async fn run(self, client: &ClientArgs, output: Output) -> Result<(), Failure> {
        let request = VerifyAuditRequest { anchor: self.anchor };
        let response = client.audit().await?.verify_audit(request).await.map_err(client.failed())?.into_inner();
        let problem = response.problem.clone();
        output.print(&Verified::from(response))?;
        if problem.is_empty() {
            return Ok(());
        }
        Err(Failure::Refused(format!(
            "error: the audit log was tampered with: {problem}\nhint: keep the store as it is, and compare it with what `keyward audit export` gave before"
        )))
    }
}
