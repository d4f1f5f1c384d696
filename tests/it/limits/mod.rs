//! The campaign that shows the promise of limits: over all replicas no true window holds more than its limit, whatever breaks. Each with its
//! control. `docs/faults.md` says how to run it at its full length.

mod attack;
mod beside_an_exact_log;
mod clients;
mod controls;
mod over_processes;
mod peers;
mod records;
mod stamped;
mod table;
mod world;
