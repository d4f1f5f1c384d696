//! The specification, through the public surface: one test binary.

mod contracts;
mod layers;
mod support;
