//! What a check costs: CPU time of the server per check, beside tonic servers that always say OK in the same run; what limits cost Redis; and how
//! long a decision takes while Redis is stopped. `make bench` runs it. Times are this machine's; ratios are what to compare.

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
mod limits;
mod load;
mod outage;
mod report;
mod yardstick;

#[path = "../../tests/it/support/mod.rs"]
mod support;

use support::keyward::{Keyward, NewKey};
use yardstick::Yardstick;

const REALM: &str = "
realm: bench
hosts: [bench.test]
credentials: [{header: authorization, scheme: Bearer}]
keys: [{prefix: bench_, alphabet: base62, length: 40}]
routes: [{prefix: /}]
plans:
  ample:
    - {limit: minute, per: key, most: 1000000000, window: 1m}
    - {limit: hour, per: owner, most: 4000000000, window: 1h}
default_plan: ample
identity: {x-owner: \"${owner.id}\"}
";

fn main() {
    if let Some(yardstick) = Yardstick::asked_for() {
        return yardstick.serve();
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    if is_asked_for("checks") {
        costs::measure(&runtime);
    }
    if is_asked_for("limits") {
        limits::measure(&runtime);
    }
    if is_asked_for("outage") {
        outage::measure(&runtime);
    }
    if std::env::var_os("KEYWARD_WRITE_BENCHMARKS").is_some() {
        report::write(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/benchmarks.md"));
    }
}

/// Arguments may name the parts to measure: `cargo bench --bench check -- limits`.
fn is_asked_for(part: &str) -> bool {
    let parts: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    parts.is_empty() || parts.iter().any(|asked| asked == part)
}

/// Makes an owner with a key, of this secret where one is given; its secret.
fn key(keyward: &Keyward, secret: Option<&str>) -> String {
    keyward.create_owner("bench", "acme", None);
    keyward.create_key("bench", &NewKey { owner: "acme", label: "hot", secret, ..NewKey::default() }).secret
}

fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
