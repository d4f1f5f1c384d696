//! `keyward bootstrap`.

use std::path::PathBuf;

use clap::Args;

use super::client::{self, ClientArgs};
use super::failure::Failure;
use super::output::Output;
use super::view::Redeemed;
use crate::proto::keyward::admin::v1::BootstrapRequest;

/// Redeems the server's one-time secret for the first admin token, valid for 30 days.
#[derive(Debug, Args)]
pub(super) struct Bootstrap {
    /// The file that the server's `bootstrap` setting names, or a copy of it; `-`: standard input.
    #[arg(long, value_name = "FILE")]
    secret_file: PathBuf,
}

impl Bootstrap {
    pub(super) async fn run(self, client: &ClientArgs, output: Output) -> Result<(), Failure> {
        output.can_show_a_secret()?;
        let bytes = client::read(&self.secret_file)?;
        let secret = String::from_utf8(bytes).map_err(|_| Failure::usage("the one-time secret is not text"))?;
        let request = BootstrapRequest { secret: secret.trim().to_owned() };
        let response = client.bootstrap().await?.bootstrap(request).await.map_err(client.failed())?.into_inner();
        output.print(&Redeemed::from(response))?;
        eprintln!("The token is not shown again. Keep it in a file that only you can read, and name that with --token-file.");
        Ok(())
    }
}
