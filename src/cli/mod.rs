//! The command line: `serve` and `check-config` for the server, `check` for the gate, the rest for the admin API.

mod audit;
mod bootstrap;
mod check;
mod check_config;
mod client;
mod failure;
mod import;
mod keys;
mod life;
mod list;
mod output;
mod owners;
mod pepper;
mod revocation;
mod rows;
mod serve;
mod shell;
mod store;
mod update;
mod usage;
mod view;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use client::ClientArgs;
use failure::Failure;
use output::Output;

const EXIT_CODES: &str = "\
Results go to standard output, everything else to standard error. Secrets are never arguments: they are read from files or standard input; `-` is
standard input wherever a file is read. NO_COLOR leaves colours out.

Exit codes:
  0  done
  1  refused, or failed
  2  wrong usage, or wrong configuration
  3  the server cannot be reached, or cannot answer now: worth another try
  4  not found
  5  in the way of what is there: it exists, it has changed, or something must come before
  6  the token is refused, or must not do this
  7  recorded, and not yet guaranteed: wait for it";

/// Authorization of API keys for Envoy, Istio and Envoy Gateway.
#[derive(Debug, Parser)]
#[command(name = "keyward", version, after_help = EXIT_CODES)]
struct Cli {
    #[command(flatten)]
    client: ClientArgs,
    /// How results are printed.
    #[arg(long, global = true, value_enum, default_value_t = Output::Table)]
    output: Output,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the server.
    Serve(serve::Serve),
    /// Reads configuration and realm files, and prints every problem.
    CheckConfig(check_config::CheckConfig),
    /// Asks the gate whether a request may pass, and charges it; ends with 1 where it may not.
    Check(Box<check::Check>),
    /// Redeems the server's one-time secret for the first admin token.
    Bootstrap(bootstrap::Bootstrap),
    /// Makes, reads, updates, disables and enables owners.
    #[command(subcommand)]
    Owners(owners::Owners),
    /// Makes, reads, updates, rotates, revokes and deletes keys.
    #[command(subcommand)]
    Keys(keys::Keys),
    /// Tells what revocations stand on, waits for one, and goes on after the log was rolled back.
    #[command(subcommand)]
    Revocation(revocation::Revocation),
    /// Reads, follows, exports and verifies the audit log.
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Ends a secret that was seen where it should not be. Needs no admin token.
    ReportLeak(life::ReportLeak),
    /// Copies a store, backs it up, and looks at one that was restored.
    #[command(subcommand)]
    Store(store::Store),
    /// Makes a pepper, tells what is under which, and withdraws one.
    #[command(subcommand)]
    Pepper(pepper::Pepper),
    /// Prints a script that completes this command line.
    Completions(shell::Completions),
    /// Writes the manual's pages.
    Man(shell::Man),
}

/// Does what the arguments say.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let printed = error.print();
            return ExitCode::from(u8::from(error.use_stderr() || printed.is_err()) * failure::USAGE);
        }
    };
    match cli.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.print();
            ExitCode::from(failure.code())
        }
    }
}

impl Cli {
    fn run(self) -> Result<(), Failure> {
        match self.command {
            Command::Serve(serve) => serve.run(),
            Command::CheckConfig(check) => check.run(),
            Command::Check(check) => client::block_on(check.run(&self.client, self.output)),
            Command::Bootstrap(bootstrap) => client::block_on(bootstrap.run(&self.client, self.output)),
            Command::Owners(owners) => client::block_on(owners.run(&self.client, self.output)),
            Command::Keys(keys) => client::block_on(keys.run(&self.client, self.output)),
            Command::Audit(audit) => client::block_on(audit.run(&self.client, self.output)),
            Command::ReportLeak(leak) => client::block_on(leak.run(&self.client, self.output)),
            Command::Pepper(pepper) => pepper.run(&self.client, self.output),
            Command::Completions(completions) => completions.run(),
            Command::Man(man) => man.run(),
            Command::Store(store) => store.run(),
            Command::Revocation(revocation) => client::block_on(revocation.run(&self.client, self.output)),
        }
    }
}
