//! What a replica remembers of records, over a store whose every word the test chooses.

mod bound;
mod flights;
mod memory;
mod sources;
mod stage;
mod unknown;
