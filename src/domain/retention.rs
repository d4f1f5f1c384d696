//! For how long what has ended is kept.

use std::time::Duration;

/// `None`: for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retention {
    pub audit: Option<Duration>,
    pub revoked_keys: Option<Duration>,
}
