//! The specification, through the public surface: one test binary.

mod contracts;
mod documents;
mod layers;
mod server;
mod support;
mod traps;
mod windows_over_processes;
mod wire;
