//! Servers that are asked at a steady rate, by turns: processor time a check, and how long answers take.

use std::time::Duration;

use tokio::runtime::Runtime;

use crate::load::Load;
use crate::process::cpu;
use crate::report::say;
use crate::support::dice::Dice;
use crate::{median, percentile};

const RUNS: usize = 7;
const RUN: Duration = Duration::from_secs(2);

/// Whose keys are asked for; a key is a number.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Keys {
    /// One of them.
    One(usize),
    /// All below this number, each as often as its place in the row says: the first twice as often as the second (Zipf's law).
    Zipf(usize),
    /// The next ones in each run, from this number on: each once.
    Once(usize),
}

/// A server under such a load.
pub(crate) struct Steady {
    name: String,
    pid: u32,
    load: Load,
    keys: Keys,
    /// Of each run.
    costs: Vec<Cost>,
    /// Of all runs.
    refused: usize,
}

/// Of one run, in microseconds.
#[derive(Debug, Clone, Copy)]
struct Cost {
    cpu: f64,
    p50: f64,
    p99: f64,
}

impl Steady {
    pub(crate) fn new(name: impl Into<String>, pid: u32, load: Load, keys: Keys) -> Self {
        Self { name: name.into(), pid, load, keys, costs: Vec::new(), refused: 0 }
    }

    fn run(&mut self, runtime: &Runtime, nth: usize, rate: usize, secret: fn(usize) -> String) {
        let keys = self.keys;
        let most = rate * usize::try_from(RUN.as_secs()).unwrap();
        let secret = move |ask: usize| secret(keys.of(nth * most + ask.min(most - 1)));
        let before = cpu(self.pid);
        let answers = runtime.block_on(self.load.offer_each(rate, RUN, secret));
        let spent = cpu(self.pid) - before;
        let took = |share| percentile(&answers.took, share) * 1e6;
        self.costs.push(Cost { cpu: spent / answers.asked as f64, p50: took(50), p99: took(99) });
        self.refused += answers.asked - answers.admitted;
    }
}

impl Keys {
    /// The key of this check, counted over all runs.
    fn of(self, check: usize) -> usize {
        match self {
            Self::One(key) => key,
            Self::Once(first) => first + check,
            // a power that is drawn evenly: close to Zipf's law, and drawn at once
            Self::Zipf(keys) => {
                let drawn = Dice::new(check as u64).below(1 << 30) as f64 / f64::from(1 << 30);
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at least 1, and at most the number of keys")]
                let place = (keys as f64).powf(drawn) as usize;
                place - 1
            }
        }
    }
}

/// Has each of them asked by turns, and prints a row for each; ratios are those of the same turn to the first of them.
pub(crate) fn compare(runtime: &Runtime, title: &str, rate: usize, mut servers: Vec<Steady>, secret: fn(usize) -> String) {
    for nth in 0..=RUNS {
        for server in &mut servers {
            server.run(runtime, nth, rate, secret);
        }
    }
    say!("\n{title}; {rate} checks/s offered, 2 connections; median of {RUNS} runs of {} s by turns, after one to warm up", RUN.as_secs());
    say!(
        "{:<44} {:>8} {:>8} {:>13} {:>8} {:>8} {:>8} {:>13} {:>8}",
        "",
        "CPU µs",
        "÷ first",
        "spread",
        "p50 µs",
        "p99 µs",
        "÷ first",
        "spread",
        "refused"
    );
    for server in &servers {
        let own = |of: fn(&Cost) -> f64| median(server.costs[1..].iter().map(of));
        let against = |of: fn(&Cost) -> f64| {
            let ratios: Vec<f64> = (1..=RUNS).map(|run| of(&server.costs[run]) / of(&servers[0].costs[run])).collect();
            let (low, high) = (ratios.iter().copied().fold(f64::MAX, f64::min), ratios.iter().copied().fold(0.0, f64::max));
            (median(ratios), format!("{low:.2} to {high:.2}"))
        };
        let ((cpu, of_cpu), (p99, of_p99)) = (against(|cost| cost.cpu), against(|cost| cost.p99));
        say!(
            "{:<44} {:>8.2} {cpu:>8.2} {of_cpu:>13} {:>8.0} {:>8.0} {p99:>8.2} {of_p99:>13} {:>8}",
            server.name,
            own(|cost| cost.cpu),
            own(|cost| cost.p50),
            own(|cost| cost.p99),
            server.refused
        );
    }
}
