//! Usage: what is counted of keys and owners, from the check to whoever asks. Each protection has its control beside it.

mod away;
mod counts;
mod processes;
