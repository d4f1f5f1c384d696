//! Keys that another system made: imported with their secrets or with what it kept of them, from a file, by a real server on both stores.

mod files;
mod foreign;
mod rows;
