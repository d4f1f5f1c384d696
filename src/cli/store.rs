//! `keyward store ...`: what is done to a store while no server runs on it.

use std::path::{Path, PathBuf};

use clap::Subcommand;

use super::client::block_on;
use super::failure::Failure;
use super::output;
use crate::config::{self, Config};
use crate::domain::audit::Head;
use crate::server::moving::{self, Copied, Restored};

#[derive(Debug, Subcommand)]
pub(super) enum Store {
    /// Copies everything from an embedded store into an empty Redis: keys, owners, the audit log, peppers' check values and request ids. Windows are
    /// not copied: limits count anew. No server may run on either.
    Copy {
        /// The file of a server with the embedded store.
        #[arg(long, value_name = "CONFIG")]
        from: PathBuf,
        /// The file of a server with the Redis, and the same peppers.
        #[arg(long, value_name = "CONFIG")]
        to: PathBuf,
    },
    /// Copies the file of an embedded store, whose server must have been stopped, into a folder. The pepper is not copied: keep it elsewhere.
    Backup {
        /// The server's file.
        #[arg(long, env = "KEYWARD_CONFIG", value_name = "CONFIG")]
        config: PathBuf,
        /// Where the copy is to be.
        folder: PathBuf,
    },
    /// Looks whether a store that was restored has all that it had: to be called before a server runs on it. If something is lost, nobody is
    /// admitted until the lost revocations are made again and `keyward revocation resume` says so.
    Restored {
        /// The server's file.
        #[arg(long, env = "KEYWARD_CONFIG", value_name = "CONFIG")]
        config: PathBuf,
        /// Where the audit log was last seen to end, number/hash: the server's log has it after every change ("the audit log goes on").
        #[arg(long, value_name = "ANCHOR")]
        anchor: Head,
    },
}

impl Store {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Copy { from, to } => {
                let (from, to) = (read(&from)?, read(&to)?);
                let Copied { keys, owners, audit } = block_on(async { moving::copy(&from, &to).await.map_err(failed) })?;
                output::line(&format!("copied {keys} keys, {owners} owners and {audit} entries of the audit log"))
            }
            Self::Backup { config, folder } => {
                moving::backup(&read(&config)?, &folder).map_err(failed)?;
                output::line(&format!("copied to {}", folder.display()))
            }
            Self::Restored { config, anchor } => {
                let config = read(&config)?;
                match block_on(async { moving::restored(&config, anchor).await.map_err(failed) })? {
                    Restored::Whole(ends) => {
                        output::line(&format!("nothing is lost up to entry {} of the audit log, which ends at {ends}", anchor.sequence))
                    }
                    Restored::Lacks(ends) => Err(Failure::Refused(format!(
                        "error: the store lacks entry {} of the audit log, or has another in its place; it ends at {ends}\n\
                         hint: nobody is admitted now: start the server, make again what was revoked since, then keyward revocation resume",
                        anchor.sequence
                    ))),
                }
            }
        }
    }
}

fn read(file: &Path) -> Result<Config, Failure> {
    config::load(file).map_err(|problems| Failure::Usage(problems.to_string()))
}

#[allow(clippy::needless_pass_by_value, reason = "what map_err hands on")]
fn failed(error: anyhow::Error) -> Failure {
    Failure::Refused(format!("error: {error:#}"))
}
