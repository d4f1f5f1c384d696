//! What the embedded store promises beyond the contract of every store: nothing acknowledged is lost with the power, windows never
//! over-admit, and a disk that fails or hangs is an answer.

mod campaign;
mod failing;
mod records;
mod rolled_back;
