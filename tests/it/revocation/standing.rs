//! The control of the campaigns that cut a replica off: a server whose boot clock stands still, so that its lease never ends. It is this test
//! binary, run again.

use std::path::PathBuf;
use std::sync::Arc;

use keyward::clock::{Clock, SystemClock};
use keyward::domain::time::{BootTime, StoreTime};

use crate::support::member::{ADDRESSES, CONFIG, Launch};

/// Such a server.
pub const LAUNCH: Launch = Launch::Test("revocation::standing::a_server_that_another_test_started");

/// Does nothing unless [`LAUNCH`] started it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_another_test_started() {
    let (Some(config), Some(addresses)) = (std::env::var_os(CONFIG), std::env::var_os(ADDRESSES)) else { return };
    let config = keyward::config::load(&PathBuf::from(config)).unwrap();
    keyward::server::serve(config, Arc::new(Standing), Some(addresses.into()), std::future::pending()).await.unwrap();
}

/// On this clock no lease ever ends.
struct Standing;

impl Clock for Standing {
    fn boot(&self) -> BootTime {
        super::world::STANDING
    }

    fn wall(&self) -> StoreTime {
        SystemClock.wall()
    }
}
