//! The campaign that shows the promise of limits: over all replicas no true window holds more than its limit, whatever breaks. Each with its
//! control. `docs/limits.md` says how to run it at its full length.

mod attack;
mod clients;
mod over_processes;
mod records;
mod table;
mod world;
