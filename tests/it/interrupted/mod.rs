//! Mutations that are cut off: after every byte of what is said, or by a kill. No mutation stands without its audit entry, no entry without its
//! mutation, and no key is half rotated.

mod book;
mod calls;
mod controls;
mod cuts;
mod judge;
mod kills;
mod operators;
mod replay;
mod state;
mod store_cuts;
mod sweep;
mod world;
