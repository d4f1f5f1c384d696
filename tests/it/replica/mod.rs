//! What a replica remembers of records, over a store whose every word the test chooses, and the tokens that it holds.

mod bound;
mod flights;
mod memory;
mod rehash;
mod secrets;
mod sources;
mod stage;
mod tokens;
mod unknown;
