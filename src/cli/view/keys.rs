//! Lists of keys: what fits a terminal, and more.

use serde::Serialize;

use super::super::output::Shown;
use super::key::Key;
use super::limit::listed;
use super::{brief, cell, id};
use crate::proto::keyward::admin::v1 as wire;

/// Of `ListKeysResponse`, all pages together.
#[derive(Debug, Serialize)]
pub(in super::super) struct Keys {
    keys: Vec<Key>,
}

/// The same, with more columns.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(in super::super) struct WideKeys(Keys);

impl Keys {
    fn rows_of(&self, row: impl Fn(&Key) -> Vec<String>) -> Vec<Vec<String>> {
        self.keys.iter().map(row).collect()
    }
}

impl Shown for Keys {
    const HEADS: &'static [&'static str] = &["KEY", "OWNER", "LABEL", "ENVIRONMENT", "STATE", "EXPIRES", "ROTATE BY", "ENDS IN"];

    fn rows(&self) -> Vec<Vec<String>> {
        self.rows_of(|key| {
            let (expires, rotates) = (brief(key.expire_time.as_deref()), brief(key.rotate_time.as_deref()));
            let last_four = key.secrets.first().map(|secret| secret.last_four.clone()).unwrap_or_default();
            let (name, owner, state) = (id(&key.name), id(&key.owner), cell(key.state));
            vec![name, owner, key.label.clone(), key.environment.clone(), state, expires, rotates, last_four]
        })
    }

    fn names(&self) -> Vec<&str> {
        self.keys.iter().map(|key| key.name.as_str()).collect()
    }
}

impl Shown for WideKeys {
    const HEADS: &'static [&'static str] = &[
        "KEY",
        "OWNER",
        "LABEL",
        "ENVIRONMENT",
        "KIND",
        "STATE",
        "PLAN",
        "LIMITS",
        "TENANT",
        "SCOPES",
        "CREATED",
        "EXPIRES",
        "ROTATE BY",
        "LOOKS LIKE",
    ];

    fn rows(&self) -> Vec<Vec<String>> {
        self.0.rows_of(|key| {
            vec![
                id(&key.name),
                id(&key.owner),
                key.label.clone(),
                key.environment.clone(),
                key.kind.clone(),
                cell(key.state),
                key.plan.clone(),
                listed(&key.limits),
                key.tenant.clone(),
                key.scopes.join(" "),
                brief(key.create_time.as_deref()),
                brief(key.expire_time.as_deref()),
                brief(key.rotate_time.as_deref()),
                key.secrets(),
            ]
        })
    }

    fn names(&self) -> Vec<&str> {
        self.0.names()
    }
}

impl From<Vec<wire::Key>> for Keys {
    fn from(keys: Vec<wire::Key>) -> Self {
        Self { keys: keys.into_iter().map(Key::from).collect() }
    }
}

impl From<Vec<wire::Key>> for WideKeys {
    fn from(keys: Vec<wire::Key>) -> Self {
        Self(Keys::from(keys))
    }
}
