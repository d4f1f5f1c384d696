//! What one replica remembers between checks, and the session with the store that keeps it honest.

mod lease;
pub mod session;
mod store_clock;
pub mod tokens;
