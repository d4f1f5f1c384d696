//! Processor time a check: hot keys and cold ones on all cores, and hot ones on one core.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use tokio::runtime::Runtime;

use crate::keys::secret;
use crate::load::Load;
use crate::report::say;
use crate::stage::Stage;
use crate::turns::{IN_FLIGHT, RUNS, played, print};

const CHECKS: usize = 40_000;
/// Of a run in which every key is seen for the first time.
const COLD: usize = 10_000;

/// One hot key, over few connections and over many.
pub(crate) fn hot(runtime: &Runtime) {
    let stage = Stage::set(runtime, 1);
    say_how();
    for connections in [1, 2, 8] {
        let title = format!("P1: one hot key, {CHECKS} checks a run over {connections} connections");
        print(&title, &played(stage.servers(runtime, connections), |load, _| runtime.block_on(load.run(CHECKS, IN_FLIGHT))));
    }
}

/// Keys that are seen for the first time.
pub(crate) fn cold(runtime: &Runtime) {
    let stage = Stage::set(runtime, (RUNS + 1) * COLD);
    let once_each = |load: &Load, run| runtime.block_on(load.run_once_each(run * COLD..(run + 1) * COLD, IN_FLIGHT, secret));
    say_how();
    print(
        &format!("P2: {COLD} keys a run over 2 connections, each seen for the first time"),
        &played(stage.servers(runtime, 2), once_each),
    );
}

/// One hot key, with a core for each server.
pub(crate) fn on_one_core(runtime: &Runtime) {
    let stage = with_one_core(|| Stage::set(runtime, 1));
    say_how();
    let title = format!("P5: one hot key, {CHECKS} checks a run over 2 connections, servers on one core");
    print(&title, &played(stage.servers(runtime, 2), |load, _| runtime.block_on(load.run(CHECKS, IN_FLIGHT))));
}

fn say_how() {
    say!("\nCPU time a check; {IN_FLIGHT} in flight, two limits; median of {RUNS} runs by turns, after one to warm up");
}

/// Whatever is started meanwhile has one core.
fn with_one_core<T>(start: impl FnOnce() -> T) -> T {
    let all = sched_getaffinity(None).unwrap();
    let mut one = CpuSet::new();
    one.set((0..CpuSet::MAX_CPU).find(|cpu| all.is_set(*cpu)).unwrap());
    sched_setaffinity(None, &one).unwrap();
    let started = start();
    sched_setaffinity(None, &all).unwrap();
    started
}
