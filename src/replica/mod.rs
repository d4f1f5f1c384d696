//! What one replica remembers between checks, and the session with the store that keeps it honest.

mod flights;
mod lease;
pub mod memory;
mod owners;
pub mod presented;
pub mod records;
pub mod rehash;
pub mod remembered;
pub mod session;
pub(crate) mod sources;
mod status;
mod store_clock;
pub mod tally;
pub mod tokens;
mod weight;
