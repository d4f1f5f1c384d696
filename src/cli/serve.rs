//! `keyward serve`.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use super::failure::Failure;
use crate::clock::SystemClock;
use crate::{config, server};

/// Runs the server until it is told to stop, by SIGTERM or SIGINT.
#[derive(Debug, Args)]
pub(super) struct Serve {
    /// The server's file.
    #[arg(long, env = "KEYWARD_CONFIG", value_name = "FILE")]
    config: PathBuf,
    /// Is written when all ports are bound, and says which they are: for port 0.
    #[arg(long, value_name = "FILE")]
    addresses_file: Option<PathBuf>,
}

impl Serve {
    pub(super) fn run(self) -> Result<(), Failure> {
        let config = config::load(&self.config).map_err(|problems| Failure::Usage(problems.to_string()))?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(failed)?;
        runtime.block_on(async {
            let told = told_to_stop().map_err(failed)?;
            server::serve(config, Arc::new(SystemClock), self.addresses_file, told)
                .await
                .map_err(|error| Failure::Refused(format!("error: {error:#}")))
        })
    }
}

fn told_to_stop() -> std::io::Result<impl Future<Output = ()>> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

#[allow(clippy::needless_pass_by_value, reason = "what map_err hands on")]
fn failed(error: std::io::Error) -> Failure {
    Failure::Refused(format!("error: {error}"))
}
