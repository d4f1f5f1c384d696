//! keyward answers one question for a mesh: *may this request, with this API key, pass?*
//!
//! Read it from the top: [`domain`] has the rules, [`revocation`] those that replicas keep among one another; [`gate`], [`keyring`], [`settlement`] and
//! [`usage`] are what is done with them; [`replica`] is what one process remembers; [`store`] is where state is kept; [`grpc`] is the wire; [`config`] reads files; [`telemetry`] tells operators;
//! [`server`] puts it together; [`cli`] is the command line.

pub mod domain;
pub mod revocation;

#[cfg(test)]
mod furnished;
pub mod gate;
pub mod keyring;
pub mod settlement;
pub mod usage;

pub mod clock;
pub mod replica;
pub mod store;

pub mod config;
pub mod grpc;
pub mod telemetry;

pub mod cli;
pub mod server;

/// Generated from `proto/`.
#[allow(clippy::all, clippy::pedantic, missing_docs)]
pub mod proto {
    include!(concat!(env!("OUT_DIR"), "/proto.rs"));

    /// The encoded `FileDescriptorSet`, for reflection.
    pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
}
