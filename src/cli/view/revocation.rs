//! What revocations stand on.

use serde::Serialize;

use super::super::output::Shown;
use super::guarantee::{Guarantee, rows};
use super::{cell, fields, level, seconds};
use crate::proto::keyward::admin::v1 as wire;

/// Of `GetRevocationStatusResponse`.
#[derive(Debug, Serialize)]
pub(in super::super) struct Stands {
    level: Option<&'static str>,
    demanded_level: Option<&'static str>,
    position: u64,
    holders: Vec<LeaseHolder>,
    longest_lease: Option<String>,
    rolled_back: bool,
}

#[derive(Debug, Serialize)]
struct LeaseHolder {
    replica: String,
    incarnation: String,
    applied_position: u64,
    lease: Option<String>,
}

/// Of `WaitRevocationResponse`, and what was waited for.
#[derive(Debug, Serialize)]
pub(in super::super) struct Waited {
    #[serde(skip)]
    name: String,
    position: u64,
    guarantee: Option<Guarantee>,
}

/// Of `ResumeResponse`.
#[derive(Debug, Serialize)]
pub(in super::super) struct Resumed {
    position: u64,
}

impl Shown for Stands {
    fn rows(&self) -> Vec<Vec<String>> {
        let log = if self.rolled_back { "rolled back: nobody is admitted" } else { "sound" };
        let own = fields([
            ("level", cell(self.level)),
            ("demanded level", cell(self.demanded_level)),
            ("log", log.to_owned()),
            ("position", self.position.to_string()),
            ("longest lease", cell(self.longest_lease.as_deref())),
        ]);
        own.into_iter().chain(self.holders.iter().map(LeaseHolder::row)).collect()
    }

    fn names(&self) -> Vec<&str> {
        self.holders.iter().map(|holder| holder.replica.as_str()).collect()
    }
}

impl LeaseHolder {
    fn row(&self) -> Vec<String> {
        let Self { replica, incarnation, applied_position, lease } = self;
        vec!["holder".into(), format!("{replica}:{incarnation}, applied up to {applied_position}, lease {}", cell(lease.as_deref()))]
    }
}

impl Shown for Waited {
    fn rows(&self) -> Vec<Vec<String>> {
        let own = fields([("name", self.name.clone()), ("position", self.position.to_string())]);
        [own, rows(self.guarantee.as_ref())].concat()
    }

    fn names(&self) -> Vec<&str> {
        vec![&self.name]
    }
}

impl Shown for Resumed {
    fn rows(&self) -> Vec<Vec<String>> {
        fields([("position", self.position.to_string())])
    }

    fn names(&self) -> Vec<&str> {
        Vec::new()
    }
}

impl Stands {
    pub(in super::super) fn is_rolled_back(&self) -> bool {
        self.rolled_back
    }
}

impl Waited {
    pub(in super::super) fn new(name: String, response: wire::WaitRevocationResponse) -> Self {
        Self { name, position: response.position, guarantee: response.guarantee.map(Guarantee::from) }
    }
}

impl From<wire::GetRevocationStatusResponse> for Stands {
    fn from(response: wire::GetRevocationStatusResponse) -> Self {
        Self {
            level: level(response.level),
            demanded_level: level(response.demanded_level),
            position: response.position,
            holders: response.holders.into_iter().map(LeaseHolder::from).collect(),
            longest_lease: seconds(response.longest_lease),
            rolled_back: response.rolled_back,
        }
    }
}

impl From<wire::LeaseHolder> for LeaseHolder {
    fn from(holder: wire::LeaseHolder) -> Self {
        Self {
            replica: holder.replica,
            incarnation: holder.incarnation,
            applied_position: holder.applied_position,
            lease: seconds(holder.lease),
        }
    }
}

impl From<wire::ResumeResponse> for Resumed {
    fn from(response: wire::ResumeResponse) -> Self {
        Self { position: response.position }
    }
}
