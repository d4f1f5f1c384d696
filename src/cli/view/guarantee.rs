//! Why a revocation holds.

use serde::Serialize;

use super::{cell, fields, level, seconds, short};
use crate::proto::keyward::admin::v1 as wire;

/// Of `Guarantee`.
#[derive(Debug, Serialize)]
pub(super) struct Guarantee {
    level: Option<&'static str>,
    holders_acknowledged: u32,
    holders_expired: u32,
    waited: Option<String>,
    #[serde(skip)]
    time: Option<prost_types::Duration>,
}

/// The rows of a guarantee, below those of what it is for.
pub(super) fn rows(guarantee: Option<&Guarantee>) -> Vec<Vec<String>> {
    guarantee.map(Guarantee::fields).unwrap_or_default()
}

impl Guarantee {
    fn fields(&self) -> Vec<Vec<String>> {
        fields([
            ("level", cell(self.level)),
            ("acknowledged", format!("by {}", replicas(self.holders_acknowledged))),
            ("expired", format!("the leases of {}", replicas(self.holders_expired))),
            ("waited", self.time.map(short).unwrap_or_default()),
        ])
    }
}

fn replicas(count: u32) -> String {
    if count == 1 { "1 replica".to_owned() } else { format!("{count} replicas") }
}

impl From<wire::Guarantee> for Guarantee {
    fn from(guarantee: wire::Guarantee) -> Self {
        Self {
            level: level(guarantee.level),
            holders_acknowledged: guarantee.holders_acknowledged,
            holders_expired: guarantee.holders_expired,
            waited: seconds(guarantee.waited),
            time: guarantee.waited,
        }
    }
}
