//! The wire: the only place that names tonic.

pub mod access_log;
pub mod admin;
pub mod admin_auth;
pub mod admin_open;
pub mod admission;
pub mod answer;
pub mod check_request;
pub mod check_server;
pub mod counted;
mod described;
mod details;
pub mod envoy_secret;
pub mod ext_authz;
mod limits;
pub mod peer;
pub mod shortcut;
mod silent;
pub mod status;
pub mod trace_context;
pub mod unary;
mod undecided;
mod unread;
pub mod verify;
mod wire;
