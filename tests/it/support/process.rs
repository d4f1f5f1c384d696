//! A process that a test started: its output in a file, waited for with a deadline, killed by its id when the test ends.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test's own parts fail loudly")]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// A running process.
pub(crate) struct Process {
    what: &'static str,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts the command with its output in `log`.
    pub(crate) fn start(what: &'static str, command: &mut Command, log: &Path) -> Self {
        let file = File::create(log).unwrap();
        let command = command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
        let child = command.spawn().unwrap_or_else(|error| panic!("{what} does not start: {error}"));
        Self { what, child, log: log.to_owned() }
    }

    /// Asks until there is an answer. Panics with the process's own words where it ends first, or says nothing within a minute.
    pub(crate) fn wait_for<T>(&mut self, sign: &str, mut ask: impl FnMut() -> Option<T>) -> T {
        let deadline = Instant::now() + Duration::from_mins(1);
        loop {
            if let Some(answer) = ask() {
                return answer;
            }
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("{} ended ({status}) before {sign}:\n{}", self.what, self.said());
            }
            assert!(Instant::now() < deadline, "{} has no {sign} after a minute:\n{}", self.what, self.said());
            sleep(Duration::from_millis(10));
        }
    }

    /// What it has written so far.
    pub(crate) fn said(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
