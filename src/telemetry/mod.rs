//! What operators see: logs, traces, metrics, and whether the process lives and is ready.

mod audit;
pub mod http;
pub mod metrics;
mod overload;
pub mod replica;
mod secrets;
mod settling;
pub mod traces;
mod usage;
