//! When calls must have ended.

use tokio::time::Instant;

use super::RedisStore;

impl RedisStore {
    /// When a check's call must have ended.
    pub(super) fn for_a_check(&self) -> Instant {
        Instant::now() + self.timeout
    }

    /// When any other call must have ended: it may have to make its connection first.
    pub(super) fn for_admin(&self) -> Instant {
        Instant::now() + self.connect_timeout + self.timeout
    }
}
