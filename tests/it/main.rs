//! The specification, through the public surface: one test binary.
