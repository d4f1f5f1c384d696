//! The specification, through the public surface: one test binary.
#![allow(unreachable_pub, reason = "rooms of a binary are open to one another")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "a test's own parts fail loudly")]
#![allow(clippy::similar_names, clippy::needless_raw_string_hashes, reason = "of no use in a test")]

/// The one that the binary has: what a test measures of memory is so there too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[macro_use]
mod admin;
mod alike;
mod audit;
mod cli;
mod config;
mod contracts;
mod demo;
mod documents;
mod embedded_durability;
mod faults;
mod hostility;
mod import;
mod interrupted;
mod layers;
mod lean;
mod lease_scripts;
mod limits;
mod limits_told;
mod marked;
mod moving;
mod overload;
mod peers;
mod peppers;
mod reference;
mod replica;
mod revocation;
mod server;
mod settlement;
mod stances;
mod store_contract;
mod support;
mod traps;
mod usage;
mod verify;
mod window_script;
mod wire;
