//! How much memory remembered keys take, as the kernel sees it, in a process that does nothing else: this test binary, started again.

use std::process::Command;
use std::time::Duration;

use keyward::domain::time::StoreTime;
use keyward::replica::memory::{Bounds, Memory};

use super::stage::{digest, usual_key};

const MIB: u64 = 1 << 20;

#[test]
fn a_key_takes_few_bytes_and_any_number_of_keys_stays_within_the_bound() {
    let soak = std::env::var_os("KEYWARD_SOAK").is_some();
    let (some, many, bound) = if soak { (1_000_000, 10_000_000, 256 * MIB) } else { (60_000, 300_000, 32 * MIB) };
    let each = filled(some, 4096 * MIB) / some;
    println!("a remembered key takes {each} bytes, over {some} keys, ten an owner");
    assert!(each <= 400, "{each} bytes");
    let all = filled(many, bound);
    println!("{many} distinct keys under a bound of {} MiB take {} MiB", bound / MIB, all / MIB);
    assert!(all <= bound, "{all} bytes");
    let control = filled(many, 4096 * MIB);
    assert!(control > bound, "control: without the bound they take {} MiB", control / MIB);
}

/// How much a process grows that remembers so many keys under this bound.
fn filled(keys: u64, bound: u64) -> u64 {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "replica::bound::a_memory_that_another_test_fills", "--nocapture"])
        .env("KEYWARD_FILL", format!("{keys} {bound}"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout).into_owned();
    let grown = said.lines().find_map(|line| line.split("grown by ").nth(1)?.parse().ok());
    grown.unwrap_or_else(|| panic!("{said}"))
}

/// Does nothing unless [`filled`] started it.
#[test]
fn a_memory_that_another_test_fills() {
    let Ok(said) = std::env::var("KEYWARD_FILL") else { return };
    let (keys, bytes) = said.split_once(' ').unwrap();
    let before = resident();
    let memory = Memory::new(Bounds { bytes: bytes.parse().unwrap(), unknown: 1000, max_age: Duration::from_mins(10) });
    for number in 0..keys.parse().unwrap() {
        let bearer = memory.condense(usual_key(number));
        memory.keep(&[digest(number)], &bearer, StoreTime(0));
    }
    println!("grown by {}", resident().saturating_sub(before));
    assert!(memory.fullness().records > 0);
}

/// The memory of this process that is in use.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}
