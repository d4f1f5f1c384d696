//! Numbers for limits, of a key or an owner.

use serde::Serialize;

use crate::proto::keyward::admin::v1 as wire;

/// Of `LimitOverride`.
#[derive(Debug, Serialize)]
pub(super) struct LimitOverride {
    limit: String,
    most: u32,
}

/// All that a key or an owner has.
pub(super) fn own(limits: Vec<wire::LimitOverride>) -> Vec<LimitOverride> {
    limits.into_iter().map(|own| LimitOverride { limit: own.limit, most: own.most }).collect()
}

/// As they are written on a command line.
pub(super) fn listed(limits: &[LimitOverride]) -> String {
    limits.iter().map(|own| format!("{}={}", own.limit, own.most)).collect::<Vec<_>>().join(" ")
}
