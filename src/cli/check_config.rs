//! `keyward check-config`.

use std::path::{Path, PathBuf};

use clap::Args;

use super::failure::Failure;
use super::output;
use crate::config::{self, Problems};
use crate::domain::name::admin_realm;
use crate::domain::realms::Realms;

/// Reads configuration as `serve` would, and prints every problem of every file, one a line. What is allowed and may not be meant is printed as
/// a warning, and is no problem.
#[derive(Debug, Args)]
pub(super) struct CheckConfig {
    /// The server's file, and with it the realm files that it names.
    #[arg(long, value_name = "FILE", required_unless_present = "paths")]
    config: Option<PathBuf>,
    /// Realm files, or folders of them; `-`: standard input.
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
}

impl CheckConfig {
    pub(super) fn run(self) -> Result<(), Failure> {
        let of_file = self.config.as_deref().map(|file| config::load(file).map(|config| config.realms));
        let of_paths = (!self.paths.is_empty()).then(|| config::realms(&self.paths.iter().map(|path| place(path)).collect::<Vec<_>>()));
        let (mut realms, mut problems, mut doubts) = (0, Vec::new(), Vec::new());
        for read in [of_file, of_paths].into_iter().flatten() {
            match read {
                Ok(read) => {
                    realms += count(&read);
                    doubts.extend(config::doubts(&read));
                }
                Err(Problems(found)) => problems.extend(found),
            }
        }
        doubts.dedup();
        for doubt in doubts {
            eprintln!("warning: {doubt}");
        }
        if problems.is_empty() {
            output::line(&format!("ok: {realms} realms"))
        } else {
            Err(Failure::Usage(Problems(problems).to_string()))
        }
    }
}

/// Where a path is read.
fn place(path: &Path) -> PathBuf {
    if path.as_os_str() == "-" { PathBuf::from("/dev/stdin") } else { path.to_owned() }
}

/// The built-in realm is in no file.
fn count(realms: &Realms) -> usize {
    realms.iter().filter(|realm| realm.id != admin_realm()).count()
}
