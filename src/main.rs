//! The program: chooses what a library may not, and leaves the rest to the command line.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // fails only where one is chosen already, and then there is one
    let _chosen = rustls::crypto::ring::default_provider().install_default();
    keyward::cli::run()
}
