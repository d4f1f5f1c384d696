//! The revocation protocol in a world of its own: seeded schedules of everything that can go wrong, in simulated time.
//!
//! Three replicas of keyward run the machines that production runs ([`Follower`](super::Follower), [`Ground`](super::Ground),
//! [`Wait`](super::Wait), [`Registry`](super::Registry)), each with a clock of its own rate, a small memory, renewals, pushes, fills and checks in two steps.
//! The store is one node, or a primary with two replicas that lag, are cut off, promoted, overruled and told to follow another one. Messages are
//! late, lost and repeated; processes crash, pause, are suspended, and overlap with their successors; a backup is restored. The checker
//! ([`promise`]) knows when each change returned with OK, and looks at every admit of a request that arrived later.
//!
//! A schedule is a campaign (which faults prevail, [`mix`]) and a seed. To run them:
//!
//! ```text
//! cargo test --lib simulation                                             a bounded share, and every mutant
//! KEYWARD_SOAK=1 cargo test --release --lib simulation -- --nocapture     more than a million schedules (`make soak`)
//! KEYWARD_SEED=Failovers:6143 cargo test --lib no_schedule_breaks -- --nocapture     one of them, told event by event
//! ```
//!
//! Each obligation has a mutant ([`mutants`]) that is caught by schedules that the protocol itself passes.
#![allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, clippy::cast_possible_wrap, reason = "numbers are small here")]

mod campaign;
mod checks;
mod counts;
mod data;
pub(crate) mod dice;
mod faults;
mod life;
mod mix;
mod mutant;
mod mutants;
mod names;
mod network;
mod nodes;
mod promise;
mod revoker;
mod schedules;
mod session;
mod world;
