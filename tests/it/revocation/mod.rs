//! The campaigns that show the promise of a revocation: whatever breaks, nobody is admitted for a request that was sent after `RevokeKey` had
//! returned OK. Each with its control. `docs/faults.md` says how to run them at their full length.

mod composed;
mod cut_calls;
mod failovers;
mod fills;
mod hammer;
mod healthy;
mod herd;
mod lowered;
mod outage;
mod owners;
mod partition;
mod pauses;
mod raised;
mod rollback;
mod rooms;
pub mod standing;
mod world;
