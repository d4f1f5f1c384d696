//! What a shell and a reader of manuals are given of this command line.

use std::path::PathBuf;

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::failure::Failure;
use super::output;

/// Prints a script that completes this command line, for a shell to read at its start.
#[derive(Debug, Args)]
pub(super) struct Completions {
    /// Which shell.
    shell: Shell,
}

/// Writes the manual's pages, one a command.
#[derive(Debug, Args)]
pub(super) struct Man {
    /// A folder that is there, such as /usr/local/share/man/man1.
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
}

impl Completions {
    pub(super) fn run(self) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut super::Cli::command(), "keyward", &mut script);
        output::line(String::from_utf8_lossy(&script).trim_end())
    }
}

impl Man {
    pub(super) fn run(self) -> Result<(), Failure> {
        let failed = |error| Failure::usage(format_args!("{} cannot be written to: {error}", self.folder.display()));
        clap_mangen::generate_to(super::Cli::command(), &self.folder).map_err(failed)
    }
}
