//! The specification, through the public surface: one test binary.
#![allow(unreachable_pub, reason = "rooms of a binary are open to one another")]

mod config;
mod contracts;
mod documents;
mod layers;
mod server;
mod store_contract;
mod support;
mod traps;
mod window_script;
mod windows_over_processes;
mod wire;
