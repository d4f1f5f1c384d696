//! What becomes of keys.

use serde::Serialize;

use super::super::output::Shown;
use super::guarantee::{Guarantee, rows};
use super::key::Key;
use super::{cell, fields, time};
use crate::proto::keyward::admin::v1 as wire;

/// Of `RotateKeyResponse`.
#[derive(Serialize)]
pub(in super::super) struct Rotated {
    key: Key,
    secret: String,
    replayed: bool,
    position: u64,
    guarantee: Option<Guarantee>,
}

/// Of `EnableKeyResponse`.
#[derive(Debug, Serialize)]
pub(in super::super) struct EnabledKey {
    key: Key,
    position: u64,
}

/// Of `DeleteKeyResponse`.
#[derive(Debug, Serialize)]
pub(in super::super) struct Deleted {
    name: String,
    position: u64,
    guarantee: Option<Guarantee>,
}

/// Of `RevokeKeysResponse`, all parts of it.
#[derive(Debug, Serialize)]
pub(in super::super) struct Many {
    dry_run: bool,
    names: Vec<String>,
    revoked_before: u32,
    not_found: Vec<String>,
    position: u64,
    guarantee: Option<Guarantee>,
}

/// Of `ReportLeakResponse`.
#[derive(Debug, Serialize)]
pub(in super::super) struct Leak {
    key_revoked: bool,
    last_four: String,
    revoke_time: Option<String>,
}

impl Deleted {
    pub(in super::super) fn of(name: String, response: wire::DeleteKeyResponse) -> Self {
        Self { name, position: response.position, guarantee: response.guarantee.map(Guarantee::from) }
    }
}

impl Many {
    pub(in super::super) fn new(dry_run: bool) -> Self {
        Self { dry_run, names: Vec::new(), revoked_before: 0, not_found: Vec::new(), position: 0, guarantee: None }
    }

    /// Another part.
    pub(in super::super) fn add(&mut self, response: wire::RevokeKeysResponse) {
        self.names.extend(response.names);
        self.revoked_before += response.revoked_before;
        self.not_found.extend(response.not_found);
        self.position = self.position.max(response.position);
        self.guarantee = response.guarantee.map(Guarantee::from).or(self.guarantee.take());
    }
}

impl Shown for Rotated {
    fn rows(&self) -> Vec<Vec<String>> {
        [self.key.fields(), fields([("secret", self.secret.clone())]), rows(self.guarantee.as_ref())].concat()
    }

    fn names(&self) -> Vec<&str> {
        vec![&self.key.name]
    }
}

impl Shown for EnabledKey {
    fn rows(&self) -> Vec<Vec<String>> {
        self.key.fields()
    }

    fn names(&self) -> Vec<&str> {
        vec![&self.key.name]
    }
}

impl Shown for Deleted {
    fn rows(&self) -> Vec<Vec<String>> {
        [fields([("deleted", self.name.clone())]), rows(self.guarantee.as_ref())].concat()
    }

    fn names(&self) -> Vec<&str> {
        vec![&self.name]
    }
}

impl Shown for Many {
    fn rows(&self) -> Vec<Vec<String>> {
        let head = if self.dry_run { "would be revoked" } else { "revoked" };
        let list = |names: &[String]| names.join("\n");
        let counted = |count: u32| if count > 0 { count.to_string() } else { String::new() };
        let all = fields([
            ("keys", self.names.len().to_string()),
            (head, list(&self.names)),
            ("revoked before", counted(self.revoked_before)),
            ("not found", list(&self.not_found)),
        ]);
        [all, rows(self.guarantee.as_ref())].concat()
    }

    fn names(&self) -> Vec<&str> {
        self.names.iter().map(String::as_str).collect()
    }
}

impl Shown for Leak {
    fn rows(&self) -> Vec<Vec<String>> {
        let what = if self.key_revoked { "the key, for ever" } else { "this secret; a newer one of the key has taken over" };
        fields([
            ("ended", what.to_owned()),
            ("looks like", format!("...{}", self.last_four)),
            ("revoked", cell(self.revoke_time.as_deref())),
        ])
    }

    fn names(&self) -> Vec<&str> {
        vec![&self.last_four]
    }
}

impl From<wire::RotateKeyResponse> for Rotated {
    fn from(response: wire::RotateKeyResponse) -> Self {
        let wire::RotateKeyResponse { key, secret, replayed, position, guarantee } = response;
        Self { key: key.unwrap_or_default().into(), secret, replayed, position, guarantee: guarantee.map(Guarantee::from) }
    }
}

impl From<wire::EnableKeyResponse> for EnabledKey {
    fn from(response: wire::EnableKeyResponse) -> Self {
        Self { key: response.key.unwrap_or_default().into(), position: response.position }
    }
}

impl From<wire::ReportLeakResponse> for Leak {
    fn from(response: wire::ReportLeakResponse) -> Self {
        Self { key_revoked: response.key_revoked, last_four: response.last_four, revoke_time: time(response.revoke_time) }
    }
}
