//! What operators see: logs, traces, metrics, and whether the process lives and is ready.

pub mod http;
pub mod metrics;
mod overload;
mod settling;
pub mod traces;
