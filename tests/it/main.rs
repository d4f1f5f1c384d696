//! The specification, through the public surface: one test binary.

mod layers;
