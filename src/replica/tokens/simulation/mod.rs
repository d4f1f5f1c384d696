//! Purses in a world of their own: several replicas, one store that is [`window::take`](crate::domain::window::take), and everything that can
//! go wrong between them, in simulated time. The purses are those of production.
//!
//! Replies are late, calls and replies are lost, replicas crash and strand what they hold, checks are cancelled, outcomes that a limit does not
//! count are refunded, limits are lowered, days end; the replicas' clocks start anywhere and run at rates of their own, within a thousandth.
//! The checker ([`truth`]) keeps the true instant of each spending on one clock.
//!
//! ```text
//! cargo test --lib tokens::simulation                                        a bounded share, every mutant, and the figures
//! KEYWARD_SOAK=1 cargo test --release --lib tokens::simulation -- --nocapture     at full length
//! KEYWARD_SEED=17 cargo test --lib no_window_is_ever_above_its_limit         one of them
//! ```
#![allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, clippy::cast_possible_wrap, reason = "numbers are small here")]
#![allow(clippy::cast_sign_loss, clippy::print_stdout, reason = "times are after the start, and figures are for people")]

mod campaign;
mod central;
mod event;
mod figures;
mod load;
pub(super) mod mix;
mod mutants;
mod node;
mod store;
mod truth;
mod world;
