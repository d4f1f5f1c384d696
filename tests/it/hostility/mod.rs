//! Clients that mean harm, on the real process: it lives, others are served, and its memory has a bound.

mod connections;
mod floods;
mod handshakes;
pub(crate) mod raw;
mod resets;
mod rows;

use std::time::Duration;

use crate::support::keyward::Keyward;

/// How long an attack lasts.
fn attack() -> Duration {
    if crate::support::campaign::is_full() { Duration::from_mins(1) } else { Duration::from_secs(3) }
}

/// What of its memory is there, in bytes.
pub(crate) fn resident(keyward: &Keyward) -> u64 {
    memory(keyward, "VmRSS:")
}

/// The most that ever was there, in bytes.
fn peak(keyward: &Keyward) -> u64 {
    memory(keyward, "VmHWM:")
}

fn memory(keyward: &Keyward, which: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", keyward.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(which)).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}
