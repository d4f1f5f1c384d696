//! Revocation that holds when the call returns: once `RevokeKey` has said OK, no replica admits the key for a request that arrives afterwards,
//! whatever replicas do; and yet a check asks the store nothing about its key.
//!
//! The protocol is here as pure state machines, without clock, network or async; production and the simulation run the same ones. A replica
//! ([`follower`]) may use what it remembers of records while it holds a lease, and a lease is renewed only by applying the store's whole log.
//! Whoever restricts a key ([`wait`]) waits until every holder of a lease ([`registry`]) has applied the log's new entry, or until its lease
//! must have ended. What a store's answer is worth, and whether its registry can be believed, is [`footing`]'s to say.
//!
//! It rests on cache leases (Gray and Cheriton, 1989) and an ordered log, with the store as the one that puts things in order. What it needs to
//! hold is listed in [`obligation`]: each item has a mutant in the simulation that drops it, and is caught.
//!
//! Not covered: requests that have passed the gate already, and streams that they opened.

pub mod entry;
pub mod follower;
pub mod footing;
pub mod obligation;
pub mod registry;
pub mod renewal;
pub mod terms;
pub mod wait;

#[cfg(test)]
mod follower_tests;
mod recent;
#[cfg(test)]
pub(crate) mod simulation;

pub use entry::{At, Entry, Illegible, Mark, Touched};
pub use follower::{Asked, Fill, Follower, Memory, Read};
pub use footing::{Firmness, Footing, Ground, Level, Whole, is_everywhere};
pub use obligation::{Keeps, Obligation};
pub use registry::{Holder, Registration, Registry};
pub use renewal::{Log, Pushed, Renewal, Renewed};
pub use terms::Terms;
pub use wait::{Standing, Tally, Verdict, Wait};
