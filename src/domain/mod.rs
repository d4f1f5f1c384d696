//! The rules: no async, no clock, no I/O, no wire types, no randomness. What is true of a key is decided here, from arguments alone.

pub mod name;
pub mod time;

pub mod actor;
pub mod address;
pub mod allowance;
pub mod audit;
pub mod bearer;
pub mod calendar;
pub mod credential;
pub mod denial;
pub mod foreign;
pub mod format;
pub mod identity;
pub mod key;
pub mod life;
pub mod limit;
pub mod lowered;
pub mod outcome;
pub mod owner;
pub mod path;
pub mod realm;
pub mod realms;
pub mod reason;
pub mod record;
pub mod request;
pub mod retention;
pub mod route;
pub mod rung;
pub mod template;
pub mod ticket;
pub mod usage;
pub mod verdict;
pub mod window;

#[cfg(test)]
mod window_tests;
