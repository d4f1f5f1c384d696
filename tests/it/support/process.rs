//! A process that a test started: its output in a file, waited for with a deadline, killed by its id when the test ends.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// A running process.
pub struct Process {
    what: &'static str,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts the command with its output in `log`.
    pub fn start(what: &'static str, command: &mut Command, log: &Path) -> Self {
        let file = File::create(log).unwrap();
        let command = command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
        let child = command.spawn().unwrap_or_else(|error| panic!("{what} does not start: {error}"));
        Self { what, child, log: log.to_owned() }
    }

    /// Asks until there is an answer. Panics with the process's own words where it ends first, or says nothing within a minute.
    pub fn wait_for<T>(&mut self, sign: &str, mut ask: impl FnMut() -> Option<T>) -> T {
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

    /// Its id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Tells it to stop, waits, and says with which code it ended; `None`: it had to be killed, or a signal ended it.
    pub fn stop(&mut self) -> Option<i32> {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        self.ended()
    }

    /// Ends it as a crash would.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits for its end, and says with which code it came.
    pub fn ended(&mut self) -> Option<i32> {
        let deadline = Instant::now() + Duration::from_mins(1);
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            sleep(Duration::from_millis(10));
        }
        None
    }

    /// What it has written so far.
    pub fn said(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
