//! The audit log.

use data_encoding::BASE64;
use serde::Serialize;

use super::super::output::Shown;
use super::{brief, fields, time};
use crate::proto::keyward::admin::v1 as wire;

/// Of `ListAuditResponse`.
#[derive(Debug, Serialize)]
pub(in super::super) struct AuditEntries {
    entries: Vec<Entry>,
}

/// Of `ExportAuditResponse`; bytes are Base64.
#[derive(Debug, Serialize)]
pub(in super::super) struct Exported {
    entry: Option<Entry>,
    sealed_bytes: String,
    pepper: String,
    seal: String,
}

/// Of `VerifyAuditResponse`.
#[derive(Debug, Serialize)]
pub(in super::super) struct Verified {
    intact: bool,
    entries: u64,
    anchor: String,
    problem: String,
    sequence: u64,
}

#[derive(Debug, Serialize)]
struct Entry {
    sequence: u64,
    time: Option<String>,
    actor: String,
    action: String,
    address: String,
    subjects: Vec<String>,
    request_id: String,
    changes: Vec<Change>,
    refused: String,
    refused_untold: u64,
    position: u64,
    anchor: String,
}

#[derive(Debug, Serialize)]
struct Change {
    field: String,
    before: String,
    after: String,
}

impl Entry {
    /// The one thing, or how many.
    fn subject(&self) -> String {
        match &self.subjects[..] {
            [] => String::new(),
            [one] => one.clone(),
            all => format!("{} keys", all.len()),
        }
    }

    fn what(&self) -> String {
        let change = |change: &Change| match (change.before.is_empty(), change.after.is_empty()) {
            (true, _) => format!("{}: {}", change.field, change.after),
            (false, true) => format!("{}: no longer {}", change.field, change.before),
            (false, false) => format!("{}: {} -> {}", change.field, change.before, change.after),
        };
        let untold = (self.refused_untold > 0).then(|| format!("and {} before it", self.refused_untold));
        let refused = (!self.refused.is_empty()).then(|| format!("refused: {}", self.refused));
        refused.into_iter().chain(untold).chain(self.changes.iter().map(change)).collect::<Vec<_>>().join("\n")
    }
}

impl Shown for AuditEntries {
    const HEADS: &'static [&'static str] = &["NUMBER", "TIME", "ACTOR", "FROM", "ACTION", "SUBJECT", "WHAT"];

    fn rows(&self) -> Vec<Vec<String>> {
        let row = |entry: &Entry| {
            let (number, when) = (entry.sequence.to_string(), brief(entry.time.as_deref()));
            vec![number, when, entry.actor.clone(), entry.address.clone(), entry.action.clone(), entry.subject(), entry.what()]
        };
        self.entries.iter().map(row).collect()
    }

    fn names(&self) -> Vec<&str> {
        self.entries.iter().map(|entry| entry.anchor.as_str()).collect()
    }
}

impl Shown for Verified {
    fn rows(&self) -> Vec<Vec<String>> {
        let intact = if self.intact { "yes" } else { "no" };
        fields([
            ("intact", intact.to_owned()),
            ("entries", if self.intact { self.entries.to_string() } else { String::new() }),
            ("anchor", self.anchor.clone()),
            ("problem", self.problem.clone()),
        ])
    }

    fn names(&self) -> Vec<&str> {
        vec![&self.anchor]
    }
}

impl From<Vec<wire::AuditEntry>> for AuditEntries {
    fn from(entries: Vec<wire::AuditEntry>) -> Self {
        Self { entries: entries.into_iter().map(Entry::from).collect() }
    }
}

impl From<wire::ExportAuditResponse> for Exported {
    fn from(response: wire::ExportAuditResponse) -> Self {
        Self {
            entry: response.entry.map(Entry::from),
            sealed_bytes: BASE64.encode(&response.sealed_bytes),
            pepper: response.pepper,
            seal: BASE64.encode(&response.seal),
        }
    }
}

impl From<wire::VerifyAuditResponse> for Verified {
    fn from(response: wire::VerifyAuditResponse) -> Self {
        let wire::VerifyAuditResponse { intact, entries, anchor, problem, sequence } = response;
        Self { intact, entries, anchor, problem, sequence }
    }
}

impl From<wire::AuditEntry> for Entry {
    fn from(entry: wire::AuditEntry) -> Self {
        let change = |change: wire::AuditChange| Change { field: change.field, before: change.before, after: change.after };
        Self {
            sequence: entry.sequence,
            time: time(entry.time),
            actor: entry.actor,
            action: entry.action,
            address: entry.address,
            subjects: entry.subjects,
            request_id: entry.request_id,
            changes: entry.changes.into_iter().map(change).collect(),
            refused: entry.refused,
            refused_untold: entry.refused_untold,
            position: entry.position,
            anchor: entry.anchor,
        }
    }
}
