//! Keys.

use serde::Serialize;

use super::super::output::Shown;
use super::guarantee::{Guarantee, rows};
use super::limit::{LimitOverride, listed, own};
use super::{cell, fields, id, past, time};
use crate::proto::keyward::admin::v1 as wire;

/// Of `GetKeyResponse`.
#[derive(Debug, Serialize)]
pub(in super::super) struct OneKey {
    key: Key,
}

/// Of `ListKeysResponse`, all pages together.
#[derive(Debug, Serialize)]
pub(in super::super) struct Keys {
    keys: Vec<Key>,
}

/// Of `CreateKeyResponse`.
#[derive(Serialize)]
pub(in super::super) struct Made {
    key: Key,
    secret: String,
    replayed: bool,
}

/// Of `RevokeKeyResponse` and `UpdateKeyResponse`.
#[derive(Debug, Serialize)]
pub(in super::super) struct ChangedKey {
    key: Key,
    position: u64,
    guarantee: Option<Guarantee>,
}

/// Of `BootstrapResponse`.
#[derive(Serialize)]
pub(in super::super) struct Redeemed {
    token: String,
    key: Key,
}

#[derive(Debug, Serialize)]
struct Key {
    name: String,
    owner: String,
    label: String,
    environment: String,
    kind: String,
    plan: String,
    tenant: String,
    scopes: Vec<String>,
    allowed_addresses: Vec<String>,
    secrets: Vec<KeySecret>,
    create_time: Option<String>,
    expire_time: Option<String>,
    revoke_time: Option<String>,
    etag: String,
    limits: Vec<LimitOverride>,
    binding: String,
}

#[derive(Debug, Serialize)]
struct KeySecret {
    prefix: String,
    last_four: String,
    create_time: Option<String>,
}

impl Key {
    /// By this machine's clock.
    fn state(&self) -> &'static str {
        if self.revoke_time.is_some() {
            "revoked"
        } else if self.expire_time.as_deref().is_some_and(past) {
            "expired"
        } else {
            "active"
        }
    }

    fn secrets(&self) -> String {
        self.secrets.iter().map(|secret| format!("{}...{}", secret.prefix, secret.last_four)).collect::<Vec<_>>().join(" ")
    }

    fn fields(&self) -> Vec<Vec<String>> {
        fields([
            ("name", self.name.clone()),
            ("owner", id(&self.owner)),
            ("label", self.label.clone()),
            ("state", self.state().to_owned()),
            ("environment", self.environment.clone()),
            ("kind", self.kind.clone()),
            ("plan", self.plan.clone()),
            ("limits", listed(&self.limits)),
            ("tenant", self.tenant.clone()),
            ("scopes", self.scopes.join(" ")),
            ("bound to", self.binding.clone()),
            ("addresses", self.allowed_addresses.join(" ")),
            ("looks like", self.secrets()),
            ("created", cell(self.create_time.as_deref())),
            ("expires", cell(self.expire_time.as_deref())),
            ("revoked", cell(self.revoke_time.as_deref())),
            ("etag", self.etag.clone()),
        ])
    }

    fn row(&self) -> Vec<String> {
        let (state, created, expires) = (self.state().to_owned(), cell(self.create_time.as_deref()), cell(self.expire_time.as_deref()));
        let (scopes, limits) = (self.scopes.join(" "), listed(&self.limits));
        vec![id(&self.name), id(&self.owner), self.label.clone(), scopes, limits, state, self.secrets(), created, expires]
    }
}

impl Shown for OneKey {
    fn rows(&self) -> Vec<Vec<String>> {
        self.key.fields()
    }

    fn names(&self) -> Vec<&str> {
        vec![&self.key.name]
    }
}

impl Shown for Keys {
    const HEADS: &'static [&'static str] = &["KEY", "OWNER", "LABEL", "SCOPES", "LIMITS", "STATE", "LOOKS LIKE", "CREATED", "EXPIRES"];

    fn rows(&self) -> Vec<Vec<String>> {
        self.keys.iter().map(Key::row).collect()
    }

    fn names(&self) -> Vec<&str> {
        self.keys.iter().map(|key| key.name.as_str()).collect()
    }
}

impl Shown for Made {
    fn rows(&self) -> Vec<Vec<String>> {
        [self.key.fields(), fields([("secret", self.secret.clone())])].concat()
    }

    fn names(&self) -> Vec<&str> {
        vec![&self.key.name]
    }
}

impl Shown for ChangedKey {
    fn rows(&self) -> Vec<Vec<String>> {
        [self.key.fields(), rows(self.guarantee.as_ref())].concat()
    }

    fn names(&self) -> Vec<&str> {
        vec![&self.key.name]
    }
}

impl Shown for Redeemed {
    fn rows(&self) -> Vec<Vec<String>> {
        [self.key.fields(), fields([("token", self.token.clone())])].concat()
    }

    fn names(&self) -> Vec<&str> {
        vec![&self.key.name]
    }
}

impl From<Option<wire::Key>> for OneKey {
    fn from(key: Option<wire::Key>) -> Self {
        Self { key: key.unwrap_or_default().into() }
    }
}

impl From<Vec<wire::Key>> for Keys {
    fn from(keys: Vec<wire::Key>) -> Self {
        Self { keys: keys.into_iter().map(Key::from).collect() }
    }
}

impl From<wire::CreateKeyResponse> for Made {
    fn from(response: wire::CreateKeyResponse) -> Self {
        Self { key: response.key.unwrap_or_default().into(), secret: response.secret, replayed: response.replayed }
    }
}

impl From<wire::RevokeKeyResponse> for ChangedKey {
    fn from(response: wire::RevokeKeyResponse) -> Self {
        let guarantee = response.guarantee.map(Guarantee::from);
        Self { key: response.key.unwrap_or_default().into(), position: response.position, guarantee }
    }
}

impl From<wire::UpdateKeyResponse> for ChangedKey {
    fn from(response: wire::UpdateKeyResponse) -> Self {
        let guarantee = response.guarantee.map(Guarantee::from);
        Self { key: response.key.unwrap_or_default().into(), position: response.position, guarantee }
    }
}

impl From<wire::BootstrapResponse> for Redeemed {
    fn from(response: wire::BootstrapResponse) -> Self {
        Self { token: response.token, key: response.key.unwrap_or_default().into() }
    }
}

impl From<wire::Key> for Key {
    fn from(key: wire::Key) -> Self {
        Self {
            name: key.name,
            owner: key.owner,
            label: key.label,
            environment: key.environment,
            kind: key.kind,
            plan: key.plan,
            tenant: key.tenant,
            scopes: key.scopes,
            allowed_addresses: key.allowed_addresses,
            secrets: key.secrets.into_iter().map(KeySecret::from).collect(),
            create_time: time(key.create_time),
            expire_time: time(key.expire_time),
            revoke_time: time(key.revoke_time),
            etag: key.etag,
            limits: own(key.limits),
            binding: key.binding,
        }
    }
}

impl From<wire::KeySecret> for KeySecret {
    fn from(secret: wire::KeySecret) -> Self {
        Self { prefix: secret.prefix, last_four: secret.last_four, create_time: time(secret.create_time) }
    }
}
