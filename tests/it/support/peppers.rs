//! Peppers as replicas claim them.

use keyward::domain::name::Word;
use keyward::store::PepperClaim;

/// One pepper: its version, and a check value of one byte over and over.
pub fn claim(version: &str, byte: u8) -> PepperClaim {
    PepperClaim { version: Word::parse(version).unwrap(), check_value: [byte; 32] }
}
