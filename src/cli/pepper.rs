//! `keyward pepper ...`.

use clap::{Args, Subcommand};
use data_encoding::BASE64;
use zeroize::Zeroizing;

use super::client::ClientArgs;
use super::failure::Failure;
use super::output::{self, Output};
use super::view::{Peppers, Withdrawn};
use crate::domain::name::Word;
use crate::proto::keyward::admin::v1::{GetPepperStatusRequest, WithdrawPepperRequest};

#[derive(Debug, Subcommand)]
pub(super) enum Pepper {
    /// Prints a line for a pepper file, with a pepper that was drawn now. The newest stands first in the file.
    New(New),
    /// Shows how many secrets are under which pepper.
    Status,
    /// Removes what is still under a pepper, and ends its use. Where keys would stop working for it, it has to be forced.
    Withdraw(Withdraw),
}

#[derive(Debug, Args)]
pub(super) struct New {
    /// What it is called, such as 2: another name than all before it. 1 to 64 of A-Z a-z 0-9 . _ -
    version: String,
}

#[derive(Debug, Args)]
pub(super) struct Withdraw {
    /// What it is called in the pepper file.
    version: String,
    /// Shows what would go, and does nothing.
    #[arg(long)]
    dry_run: bool,
    /// Does it though keys stop working for it, at once or when the graces of their other secrets are over.
    #[arg(long)]
    force: bool,
}

impl Pepper {
    pub(super) fn run(self, client: &ClientArgs, output: Output) -> Result<(), Failure> {
        match self {
            Self::New(new) => new.run(),
            Self::Status => super::client::block_on(status(client, output)),
            Self::Withdraw(withdraw) => super::client::block_on(withdraw.run(client, output)),
        }
    }
}

impl New {
    fn run(&self) -> Result<(), Failure> {
        let version = Word::parse(&self.version).map_err(|error| Failure::usage(format_args!("the version {error}")))?;
        let mut bytes = Zeroizing::new([0; 32]);
        getrandom::fill(&mut bytes[..])
            .map_err(|error| Failure::Refused(format!("error: the operating system gives no randomness: {error}")))?;
        let line = Zeroizing::new(format!("{version}:{}", BASE64.encode(&bytes[..])));
        output::line(&line)
    }
}

async fn status(client: &ClientArgs, output: Output) -> Result<(), Failure> {
    let response = client.peppers().await?.get_pepper_status(GetPepperStatusRequest {}).await.map_err(client.failed())?;
    let peppers = Peppers::from(response.into_inner());
    output.print(&peppers)?;
    if let Some(first) = peppers.still_waits_for() {
        eprintln!("New secrets are not put under {first} yet: some replica that holds a lease does not have it.");
    }
    Ok(())
}

impl Withdraw {
    async fn run(self, client: &ClientArgs, output: Output) -> Result<(), Failure> {
        let request = WithdrawPepperRequest { version: self.version.clone(), dry_run: self.dry_run, force: self.force };
        let response = client.peppers().await?.withdraw_pepper(request).await.map_err(client.failed())?.into_inner();
        let stopped = response.stopped_key_count;
        output.print(&Withdrawn::from(response))?;
        match (self.dry_run, stopped) {
            (true, 0) => eprintln!("No key would stop working. Nothing was done."),
            (true, _) => eprintln!(
                "These keys would stop working, at once or when the graces of their other secrets are over: their newest secrets have not been used for \
                 long. Nothing was done: have these used once, or rotate the keys and give their holders the fresh secrets, and ask again; with --force \
                 they stop."
            ),
            (false, _) => eprintln!("The line of {} can be removed from the pepper file now.", self.version),
        }
        Ok(())
    }
}
