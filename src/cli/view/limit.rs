//! Numbers for limits, of a key or an owner, and how limits stand.

use serde::Serialize;

use super::{seconds, wait};
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

/// Of `LimitStanding`.
#[derive(Debug, Serialize)]
pub(super) struct LimitStanding {
    limit: String,
    per: String,
    most: u32,
    window: Option<String>,
    period: String,
    remaining: u32,
    held: u32,
    cost: u32,
    frees_in: Option<String>,
    shadow: bool,
}

impl LimitStanding {
    /// What it is, and how it stands.
    pub(super) fn row(&self) -> Vec<String> {
        let span = self.window.clone().unwrap_or_else(|| self.period.clone());
        let shadow = if self.shadow { " (shadow)" } else { "" };
        let more = self.frees_in.as_deref().filter(|time| self.remaining < self.most && *time != "0s");
        let more = more.map(|time| format!(", more in {}", wait(time))).unwrap_or_default();
        vec![format!("limit {} per {}, {span}{shadow}", self.limit, self.per), format!("{} of {} left{more}", self.remaining, self.most)]
    }
}

impl From<wire::LimitStanding> for LimitStanding {
    fn from(of: wire::LimitStanding) -> Self {
        Self {
            limit: of.limit,
            per: of.per,
            most: of.most,
            window: seconds(of.window),
            period: of.period,
            remaining: of.remaining,
            held: of.held,
            cost: of.cost,
            frees_in: seconds(of.frees_in),
            shadow: of.shadow,
        }
    }
}
