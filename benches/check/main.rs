//! What a check costs: CPU time of the server per check, beside tonic servers that always say OK in the same run; what limits cost Redis; and how
//! long a decision takes while Redis is stopped. `make bench` runs it, and `make bench-peers` holds others' servers
//! beside. Times are this machine's; ratios are what to compare.

#![allow(unreachable_pub, reason = "rooms of a binary are open to one another")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a benchmark prints, and fails loudly"
)]

mod costs;
mod filled;
mod import;
mod keys;
mod late;
mod limits;
mod lists;
mod load;
mod outage;
mod peer;
mod peers;
mod process;
mod report;
mod sizes;
mod stage;
mod steady;
mod through;
mod turns;
mod yardstick;

#[path = "../../tests/it/support/mod.rs"]
mod support;

use tokio::runtime::Runtime;
use yardstick::Yardstick;

/// What can be measured by itself: its name, and how.
type Part = (&'static str, fn(&Runtime));

const PARTS: [Part; 10] = [
    ("hot", costs::hot),
    ("cold", costs::cold),
    ("one-core", costs::on_one_core),
    ("limits", limits::measure),
    ("lists", lists::measure),
    ("import", import::measure),
    ("through", through::measure),
    ("late", late::measure),
    ("outage", outage::measure),
    ("sizes", sizes::few_and_many),
];

/// What is measured only if it is named.
const BY_NAME: [Part; 1] = [("ten-million", sizes::ten_million)];

fn main() {
    if let Some(yardstick) = Yardstick::asked_for() {
        return yardstick.serve();
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let asked_for = PARTS.iter().filter(|(part, _)| is_asked_for(part));
    for (part, measure) in asked_for.chain(BY_NAME.iter().filter(|(part, _)| named().any(|named| named == *part))) {
        eprintln!("-- {part}");
        measure(&runtime);
    }
    // of others' servers, and so never but by name
    if named().any(|part| part == "peers")
        && let Err(wrong) = peers::measure(&runtime)
    {
        eprintln!("{wrong}");
        std::process::exit(2);
    }
    if std::env::var_os("KEYWARD_WRITE_BENCHMARKS").is_some() {
        report::write(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/benchmarks.md"));
    }
}

/// Arguments may name the parts to measure: `cargo bench --bench check -- limits`.
fn is_asked_for(part: &str) -> bool {
    named().next().is_none() || named().any(|named| named == part)
}

fn named() -> impl Iterator<Item = String> {
    std::env::args().skip(1).filter(|argument| !argument.starts_with('-'))
}

fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The value that this share of them, in hundredths, does not exceed.
fn percentile(values: &[f64], share: usize) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values[(values.len() - 1) * share / 100]
}
