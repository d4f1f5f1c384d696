//! Usage of a key or an owner.

use std::collections::BTreeMap;

use serde::Serialize;

use super::super::output::Shown;
use super::limit::LimitStanding;
use super::{cell, fields, time};
use crate::proto::keyward::admin::v1 as wire;

/// Of `GetUsageResponse`.
#[derive(Debug, Serialize)]
pub(in super::super) struct Used {
    name: String,
    start_time: Option<String>,
    end_time: Option<String>,
    total: Counts,
    points: Vec<Point>,
    last_use: Option<LastUse>,
    secrets: Vec<Secret>,
    limits: Vec<LimitStanding>,
}

#[derive(Debug, Serialize)]
struct Point {
    start_time: Option<String>,
    counts: Counts,
}

#[derive(Debug, Serialize)]
struct Counts {
    allowed: u64,
    refused: u64,
    refused_by_reason: BTreeMap<String, u64>,
    answered: BTreeMap<String, u64>,
}

#[derive(Debug, Serialize)]
struct LastUse {
    time: Option<String>,
    address: String,
}

#[derive(Debug, Serialize)]
struct Secret {
    number: u32,
    prefix: String,
    last_four: String,
    create_time: Option<String>,
    end_time: Option<String>,
    last_use: Option<LastUse>,
}

/// When and from where, in a table.
pub(super) fn used(time: Option<&str>, address: &str) -> String {
    match (time, address) {
        (None, _) => "never".to_owned(),
        (Some(time), "") => time.to_owned(),
        (Some(time), address) => format!("{time} from {address}"),
    }
}

impl LastUse {
    fn cell(last: Option<&Self>) -> String {
        last.map_or_else(|| used(None, ""), |last| used(last.time.as_deref(), &last.address))
    }
}

impl Counts {
    fn refusals(&self) -> String {
        listed(&self.refused_by_reason)
    }

    /// `12 allowed, 3 refused: limited=3`.
    fn cell(&self) -> String {
        let refused = if self.refused > 0 { format!(", {} refused: {}", self.refused, self.refusals()) } else { String::new() };
        let answered = if self.answered.is_empty() { String::new() } else { format!("; answered {}", listed(&self.answered)) };
        format!("{} allowed{refused}{answered}", self.allowed)
    }
}

impl Secret {
    fn row(&self) -> Vec<String> {
        let ends = self.end_time.as_ref().map(|end| format!(", ends {end}")).unwrap_or_default();
        let looks = format!("secret {} {}...{}", self.number, self.prefix, self.last_four);
        vec![looks, format!("last used {}{ends}", LastUse::cell(self.last_use.as_ref()))]
    }
}

impl Shown for Used {
    fn rows(&self) -> Vec<Vec<String>> {
        let heads = fields([
            ("name", self.name.clone()),
            ("from", cell(self.start_time.as_deref())),
            ("to", cell(self.end_time.as_deref())),
            ("allowed", self.total.allowed.to_string()),
            ("refused", self.total.refused.to_string()),
            ("reasons", self.total.refusals()),
            ("answered", listed(&self.total.answered)),
            ("last used", LastUse::cell(self.last_use.as_ref())),
        ]);
        let secrets = self.secrets.iter().map(Secret::row);
        let points = self.points.iter().map(|point| vec![cell(point.start_time.as_deref()), point.counts.cell()]);
        heads.into_iter().chain(secrets).chain(self.limits.iter().map(LimitStanding::row)).chain(points).collect()
    }

    fn names(&self) -> Vec<&str> {
        vec![&self.name]
    }
}

fn listed(counts: &BTreeMap<String, u64>) -> String {
    counts.iter().map(|(name, count)| format!("{name}={count}")).collect::<Vec<_>>().join(" ")
}

impl From<wire::GetUsageResponse> for Used {
    fn from(response: wire::GetUsageResponse) -> Self {
        let point = |point: wire::UsagePoint| Point { start_time: time(point.start_time), counts: point.counts.unwrap_or_default().into() };
        Self {
            name: response.name,
            start_time: time(response.start_time),
            end_time: time(response.end_time),
            total: response.total.unwrap_or_default().into(),
            points: response.points.into_iter().map(point).collect(),
            last_use: response.last_use.map(LastUse::from),
            secrets: response.secrets.into_iter().map(Secret::from).collect(),
            limits: response.limits.into_iter().map(LimitStanding::from).collect(),
        }
    }
}

impl From<wire::UsageCounts> for Counts {
    fn from(counts: wire::UsageCounts) -> Self {
        let wire::UsageCounts { allowed, refused, refused_by_reason, answered } = counts;
        Self { allowed, refused, refused_by_reason, answered }
    }
}

impl From<wire::LastUse> for LastUse {
    fn from(last: wire::LastUse) -> Self {
        Self { time: time(last.time), address: last.address }
    }
}

impl From<wire::SecretUse> for Secret {
    fn from(secret: wire::SecretUse) -> Self {
        Self {
            number: secret.number,
            prefix: secret.prefix,
            last_four: secret.last_four,
            create_time: time(secret.create_time),
            end_time: time(secret.end_time),
            last_use: secret.last_use.map(LastUse::from),
        }
    }
}
