//! Peppers as replicas claim them.

use std::time::Duration;

use keyward::domain::name::Word;
use keyward::revocation::Holder;
use keyward::store::{Knows, PepperClaim};

/// One pepper: its version, and a check value of one byte over and over.
pub fn claim(version: &str, byte: u8) -> PepperClaim {
    PepperClaim { version: Word::parse(version).unwrap(), check_value: [byte; 32] }
}

/// A replica of this name, whose lease lasts five seconds, and the versions of its peppers.
pub fn knows(replica: &str, versions: &[&str]) -> Knows {
    let replica = Holder { replica: replica.into(), incarnation: 1 };
    let versions = versions.iter().map(|version| Word::parse(version).unwrap()).collect();
    Knows { replica, lease: Duration::from_secs(5), versions }
}
