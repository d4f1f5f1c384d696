//! The wire: the only place that names tonic.

pub mod access_log;
pub mod admin;
pub mod admin_auth;
pub mod admission;
pub mod answer;
pub mod check_request;
pub mod codec;
pub mod envoy_secret;
pub mod ext_authz;
mod limits;
mod silent;
pub mod status;
pub mod trace_context;
mod undecided;
mod wire;

/// The server of `envoy.service.auth.v3.Authorization`, with keyward's codec.
#[allow(clippy::all, clippy::pedantic, missing_docs)]
pub mod authorization {
    include!(concat!(env!("OUT_DIR"), "/envoy.service.auth.v3.Authorization.rs"));
}
