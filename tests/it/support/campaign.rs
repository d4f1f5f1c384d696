//! What the campaigns have in common: how long they are, and where they write what they found.

use std::io::Write as _;

/// Whether a campaign runs at its full length.
pub fn is_full() -> bool {
    std::env::var_os("KEYWARD_SOAK").is_some()
}

/// So many trials in a bounded run, and so many in a full one.
pub fn share(bounded: usize, full: usize) -> usize {
    if is_full() { full } else { bounded }
}

/// A line of the table that `make revocation` and `make limits` print at their end, from the file that they name.
pub fn figure(row: &str, what: &str, found: &str) {
    let line = format!("| {row:<4} | {what:<76} | {found} |\n");
    print!("\n{line}");
    if let Some(file) = std::env::var_os("KEYWARD_FIGURES") {
        let mut table = std::fs::File::options().create(true).append(true).open(file).unwrap();
        table.write_all(line.as_bytes()).unwrap();
    }
}
