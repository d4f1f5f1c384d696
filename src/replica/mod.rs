//! What one replica remembers between checks.

pub mod tokens;
