//! A control group that gives its processes so much of a processor and no more, of either version. Needs root, and a tree of groups that may be
//! written; where there is none, a test says so and is skipped.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where version 1 has its groups for processors.
const FIRST: [&str; 2] = ["/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct"];
const SECOND: &str = "/sys/fs/cgroup";

/// Gone when dropped; whoever is still in it is let out.
pub struct Capped {
    root: PathBuf,
    group: PathBuf,
}

impl Capped {
    /// A group whose processes together run for `quota` in every `period`. `None`, and the reason printed, where this machine does not let us.
    pub fn try_new(quota: Duration, period: Duration) -> Option<Self> {
        match Self::set_up(quota, period) {
            Ok(group) => Some(group),
            Err(why) => {
                println!("SKIPPED: no control groups here ({why})");
                None
            }
        }
    }

    fn set_up(quota: Duration, period: Duration) -> io::Result<Self> {
        let (quota, period) = (quota.as_micros().to_string(), period.as_micros().to_string());
        let named = |root: &Path| Self { root: root.to_owned(), group: root.join(format!("keyward-{:08x}", getrandom::u32().unwrap())) };
        if let Some(root) = FIRST.iter().map(Path::new).find(|root| root.join("cpu.cfs_quota_us").exists()) {
            let group = named(root).made()?;
            fs::write(group.group.join("cpu.cfs_period_us"), period)?;
            fs::write(group.group.join("cpu.cfs_quota_us"), quota)?;
            return Ok(group);
        }
        let root = Path::new(SECOND);
        let has = fs::read_to_string(root.join("cgroup.controllers"))?;
        if !has.split_whitespace().any(|controller| controller == "cpu") {
            return Err(io::Error::other(format!("of processors no group of {SECOND} has a say")));
        }
        fs::write(root.join("cgroup.subtree_control"), "+cpu")?;
        let group = named(root).made()?;
        fs::write(group.group.join("cpu.max"), format!("{quota} {period}"))?;
        Ok(group)
    }

    fn made(self) -> io::Result<Self> {
        fs::create_dir(&self.group)?;
        Ok(self)
    }

    /// Puts a process into it, with all its threads.
    pub fn hold(&self, process: u32) {
        fs::write(self.group.join("cgroup.procs"), process.to_string()).unwrap();
    }

    /// In how many periods its processes wanted more than they were given.
    pub fn throttled(&self) -> u64 {
        let stat = fs::read_to_string(self.group.join("cpu.stat")).unwrap();
        stat.lines().find_map(|line| line.strip_prefix("nr_throttled ")).unwrap().parse().unwrap()
    }
}

impl Drop for Capped {
    fn drop(&mut self) {
        for process in fs::read_to_string(self.group.join("cgroup.procs")).unwrap_or_default().lines() {
            let _ = fs::write(self.root.join("cgroup.procs"), process);
        }
        let _ = fs::remove_dir(&self.group);
    }
}
