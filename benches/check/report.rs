//! What is measured is printed, and kept for `docs/benchmarks.md`.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

static SAID: Mutex<String> = Mutex::new(String::new());

/// Prints a line, and keeps it.
macro_rules! say {
    ($($line:tt)*) => { $crate::report::keep(&format!($($line)*)) };
}
pub(crate) use say;

pub(crate) fn keep(line: &str) {
    println!("{line}");
    let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    writeln!(said, "{line}").unwrap();
}

/// Puts all that was said in the place of what the document has between its marks.
pub(crate) fn write(document: &Path) {
    const MARKS: [&str; 2] = ["<!-- measured -->\n", "<!-- end of measured -->\n"];
    let before = std::fs::read_to_string(document).unwrap();
    let (head, rest) = before.split_once(MARKS[0]).expect("the document has its first mark");
    let (_, tail) = rest.split_once(MARKS[1]).expect("the document has its second mark");
    let said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    let measured = format!("{}\n```text\n{}\n```\n", machine(), said.trim());
    std::fs::write(document, [head, MARKS[0], &measured, MARKS[1], tail].concat()).unwrap();
    println!("\n{} has it now", document.display());
}

/// What it was measured on.
pub(crate) fn machine() -> String {
    let processor = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let processor = processor.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let redis = Command::new("redis-server").arg("--version").output().map(|said| String::from_utf8_lossy(&said.stdout).into_owned());
    let redis = redis.unwrap_or_default();
    let redis = redis.split_whitespace().find(|word| word.starts_with("v=")).unwrap_or("unknown").to_owned();
    format!(
        "keyward {}, {} ({cores} cores), Linux {}, redis-server {redis}.\n",
        env!("CARGO_PKG_VERSION"),
        processor.trim_start_matches([' ', '\t', ':']),
        kernel.trim(),
    )
}
