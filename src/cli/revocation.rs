//! `keyward revocation ...`.

use clap::{Args, Subcommand};

use super::client::ClientArgs;
use super::failure::Failure;
use super::output::Output;
use super::view::{Resumed, Stands, Waited};
use crate::proto::keyward::admin::v1::{GetRevocationStatusRequest, ResumeRequest, WaitRevocationRequest};

#[derive(Debug, Subcommand)]
pub(super) enum Revocation {
    /// Shows the level that revocations reach, the log, and who holds a lease.
    Status,
    /// Waits until a revocation that is recorded holds on every replica.
    Wait(Wait),
    /// Goes on after the log was rolled back. Make the revocations that were lost again before.
    Resume,
}

#[derive(Debug, Args)]
pub(super) struct Wait {
    /// The full name of a key or an owner: `realms/REALM/keys/KEY` or `realms/REALM/owners/OWNER`.
    name: String,
    /// Where the revocation stands in the log, as its answer or its error told; whatever is recorded by default.
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    position: u64,
}

impl Revocation {
    pub(super) async fn run(self, client: &ClientArgs, output: Output) -> Result<(), Failure> {
        match self {
            Self::Status => status(client, output).await,
            Self::Wait(wait) => wait.run(client, output).await,
            Self::Resume => resume(client, output).await,
        }
    }
}

async fn status(client: &ClientArgs, output: Output) -> Result<(), Failure> {
    let request = GetRevocationStatusRequest {};
    let response = client.revocation().await?.get_revocation_status(request).await.map_err(client.failed())?;
    let stands = Stands::from(response.into_inner());
    output.print(&stands)?;
    if stands.is_rolled_back() {
        eprintln!("The log was rolled back. Make the revocations that were lost again, then run `keyward revocation resume`.");
    }
    Ok(())
}

impl Wait {
    async fn run(self, client: &ClientArgs, output: Output) -> Result<(), Failure> {
        let request = WaitRevocationRequest { name: self.name.clone(), position: self.position };
        let response = client.revocation().await?.wait_revocation(request).await.map_err(client.failed())?;
        output.print(&Waited::new(self.name, response.into_inner()))
    }
}

async fn resume(client: &ClientArgs, output: Output) -> Result<(), Failure> {
    let response = client.revocation().await?.resume(ResumeRequest {}).await.map_err(client.failed())?;
    output.print(&Resumed::from(response.into_inner()))
}
