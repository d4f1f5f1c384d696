//! Servers that are under the same load by turns, and a table of what an answer costs each.

use crate::load::{Answers, Load};
use crate::process::cpu;
use crate::report::say;
use crate::{median, percentile};

/// After one to warm up.
pub(crate) const RUNS: usize = 7;
pub(crate) const IN_FLIGHT: usize = 32;

/// One server under load.
pub(crate) struct Server {
    pub(crate) name: String,
    pub(crate) pid: u32,
    load: Load,
    /// What it keeps its state in, and waits for: asked for its processor time too.
    stores: Vec<u32>,
    /// Of all runs.
    answers: Answers,
    /// Microseconds a check, of each run: the server's and its stores'.
    cost: Vec<(f64, f64)>,
}

impl Server {
    pub(crate) fn new(name: &str, pid: u32, load: Load, stores: Vec<u32>) -> Self {
        Self { name: name.into(), pid, load, stores, answers: Answers::default(), cost: Vec::new() }
    }

    fn spent(&self) -> (f64, f64) {
        (cpu(self.pid), self.stores.iter().map(|pid| cpu(*pid)).sum())
    }
}

/// Has each of them asked by turns. The first two are what the others are held against.
pub(crate) fn played(mut servers: Vec<Server>, run: impl Fn(&Load, usize) -> Answers) -> Vec<Server> {
    for nth in 0..=RUNS {
        for server in &mut servers {
            let before = server.spent();
            let answers = run(&server.load, nth);
            let (after, checks) = (server.spent(), answers.asked as f64);
            server.cost.push(((after.0 - before.0) / checks, (after.1 - before.1) / checks));
            server.answers.join(answers);
        }
    }
    servers
}

pub(crate) fn print(title: &str, servers: &[Server]) {
    say!("\n{title}");
    say!(
        "{:<40} {:>8} {:>10} {:>14} {:>9} {:>14} {:>9} {:>8} {:>8} {:>8}",
        "",
        "CPU µs",
        "÷ decodes",
        "spread",
        "÷ floor",
        "spread",
        "store µs",
        "p50 ms",
        "p99 ms",
        "refused"
    );
    let against = |server: &Server, other: &Server| {
        let ratios: Vec<f64> = (1..=RUNS).map(|run| server.cost[run].0 / other.cost[run].0).collect();
        let (low, high) = (ratios.iter().copied().fold(f64::MAX, f64::min), ratios.iter().copied().fold(0.0, f64::max));
        (median(ratios), format!("{low:.2} to {high:.2}"))
    };
    for server in servers {
        let own = median(server.cost[1..].iter().map(|cost| cost.0));
        let ((decodes, of_decodes), (floor, of_floor)) = (against(server, &servers[0]), against(server, &servers[1]));
        let stores =
            if server.stores.is_empty() { "-".into() } else { format!("{:.2}", median(server.cost[1..].iter().map(|cost| cost.1))) };
        let took = |share| percentile(&server.answers.took, share) * 1000.0;
        say!(
            "{:<40} {own:>8.2} {decodes:>10.2} {of_decodes:>14} {floor:>9.2} {of_floor:>14} {stores:>9} {:>8.2} {:>8.2} {:>8}",
            server.name,
            took(50),
            took(99),
            server.answers.asked - server.answers.admitted
        );
    }
    for server in servers {
        if let Some(first) = server.answers.errors.first() {
            let (errors, asked) = (server.answers.errors.len(), server.answers.asked);
            say!("{}: {errors} of {asked} answers were errors; the first: {:?}, {}", server.name, first.code(), first.message());
        }
    }
}
