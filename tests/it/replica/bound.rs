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
    let (keys, bound) = if soak { (10_000_000, 256 * MIB) } else { (300_000, 32 * MIB) };
    let (grown, remembered) = filled(keys, bound);
    let each = grown / remembered;
    println!(
        "{keys} distinct keys under a bound of {} MiB take {} MiB: {remembered} are remembered, {each} bytes each",
        bound / MIB,
        grown / MIB
    );
    assert!(grown <= bound, "{grown} bytes");
    // a small memory bears the same fixed costs as a large one
    assert!(each <= if soak { 400 } else { 600 }, "{each} bytes");
    let (control, _) = filled(keys, 16 * bound);
    assert!(control > bound, "control: without the bound they take {} MiB", control / MIB);
}

/// How much a process grows that sees so many keys under this bound, and how many of them it remembers.
fn filled(keys: u64, bound: u64) -> (u64, u64) {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "replica::bound::a_memory_that_another_test_fills", "--nocapture"])
        .env("KEYWARD_FILL", format!("{keys} {bound}"))
        // huge pages are in use as a whole as soon as a byte of them is
        .env("MIMALLOC_ALLOW_THP", "0")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout).into_owned();
    let number = |word: &str| said.split(word).nth(1)?.split_whitespace().next()?.parse().ok();
    number("grown by ").zip(number("remembers ")).unwrap_or_else(|| panic!("{said}"))
}

/// Does nothing unless [`filled`] started it.
#[test]
fn a_memory_that_another_test_fills() {
    let Ok(said) = std::env::var("KEYWARD_FILL") else { return };
    let (keys, bytes) = said.split_once(' ').unwrap();
    let before = resident();
    let memory = Memory::new(Bounds { bytes: bytes.parse().unwrap(), unknown: 1000, max_age: Duration::from_mins(10) });
    for number in 0..keys.parse().unwrap() {
        let bearer = memory.condense(&[digest(number)], usual_key(number)).unwrap();
        memory.keep(&[digest(number)], &bearer, StoreTime(0));
    }
    println!("grown by {} and remembers {}", resident().saturating_sub(before), memory.fullness().records);
}

/// The memory of this process that is in use, its code not counted.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}
