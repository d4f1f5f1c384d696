//! Keys.

use std::collections::BTreeMap;

use serde::Serialize;

use super::super::output::Shown;
use super::guarantee::{Guarantee, rows};
use super::limit::{LimitOverride, listed, own};
use super::usage::used;
use super::{cell, fields, id, time};
use crate::proto::keyward::admin::v1 as wire;

/// Of `GetKeyResponse`.
#[derive(Debug, Serialize)]
pub(in super::super) struct OneKey {
    key: Key,
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

/// Of `Key`.
#[derive(Debug, Serialize)]
pub(super) struct Key {
    pub(super) name: String,
    pub(super) owner: String,
    pub(super) label: String,
    pub(super) state: Option<&'static str>,
    pub(super) environment: String,
    pub(super) kind: String,
    pub(super) plan: String,
    pub(super) limits: Vec<LimitOverride>,
    pub(super) tenant: String,
    pub(super) scopes: Vec<String>,
    allowed_addresses: Vec<String>,
    /// Newest first.
    pub(super) secrets: Vec<KeySecret>,
    metadata: BTreeMap<String, String>,
    pub(super) create_time: Option<String>,
    pub(super) expire_time: Option<String>,
    pub(super) rotate_time: Option<String>,
    revoke_time: Option<String>,
    revoke_cause: Option<&'static str>,
    etag: String,
    binding: String,
}

/// Of `KeySecret`.
#[derive(Debug, Serialize)]
pub(super) struct KeySecret {
    number: u32,
    prefix: String,
    pub(super) last_four: String,
    create_time: Option<String>,
    end_time: Option<String>,
    last_use_time: Option<String>,
    last_use_address: String,
}

impl Key {
    /// What each looks like.
    pub(super) fn secrets(&self) -> String {
        self.secrets.iter().map(|secret| format!("{}...{}", secret.prefix, secret.last_four)).collect::<Vec<_>>().join(" ")
    }

    /// Each on a line of its own, with its number and its end, where there are several.
    fn secrets_of_it(&self) -> String {
        let one = |secret: &KeySecret| {
            let end = secret.end_time.as_deref().map(|end| format!(", until {end}")).unwrap_or_default();
            format!("{}...{} (number {}{end})", secret.prefix, secret.last_four, secret.number)
        };
        if self.secrets.len() > 1 { self.secrets.iter().map(one).collect::<Vec<_>>().join("\n") } else { self.secrets() }
    }

    fn metadata(&self) -> String {
        self.metadata.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("\n")
    }

    /// Those that were used, each with how it looks where there are several.
    fn last_used(&self) -> String {
        let looks = |secret: &KeySecret| if self.secrets.len() > 1 { format!("...{} ", secret.last_four) } else { String::new() };
        let used = |secret: &KeySecret| format!("{}{}", looks(secret), used(secret.last_use_time.as_deref(), &secret.last_use_address));
        let used = self.secrets.iter().filter(|secret| secret.last_use_time.is_some()).map(used);
        used.collect::<Vec<_>>().join(", ")
    }

    pub(super) fn fields(&self) -> Vec<Vec<String>> {
        fields([
            ("name", self.name.clone()),
            ("owner", id(&self.owner)),
            ("label", self.label.clone()),
            ("state", cell(self.state)),
            ("environment", self.environment.clone()),
            ("kind", self.kind.clone()),
            ("plan", self.plan.clone()),
            ("limits", listed(&self.limits)),
            ("tenant", self.tenant.clone()),
            ("scopes", self.scopes.join(" ")),
            ("bound to", self.binding.clone()),
            ("addresses", self.allowed_addresses.join(" ")),
            ("looks like", self.secrets_of_it()),
            ("metadata", self.metadata()),
            ("last used", self.last_used()),
            ("created", cell(self.create_time.as_deref())),
            ("expires", cell(self.expire_time.as_deref())),
            ("rotate by", cell(self.rotate_time.as_deref())),
            ("revoked", cell(self.revoke_time.as_deref())),
            ("because", cell(self.revoke_cause)),
            ("etag", self.etag.clone()),
        ])
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

impl From<wire::RetireSecretsResponse> for ChangedKey {
    fn from(response: wire::RetireSecretsResponse) -> Self {
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
            rotate_time: time(key.rotate_time),
            metadata: key.metadata,
            state: state(key.state),
            revoke_cause: cause(key.revoke_cause),
            etag: key.etag,
            limits: own(key.limits),
            binding: key.binding,
        }
    }
}

/// Null, where somebody asked for it, or it is not revoked.
fn cause(cause: i32) -> Option<&'static str> {
    match wire::RevokeCause::try_from(cause).unwrap_or_default() {
        wire::RevokeCause::Unspecified => None,
        wire::RevokeCause::Leaked => Some("leaked"),
    }
}

/// Null, where the server could not tell.
fn state(state: i32) -> Option<&'static str> {
    match wire::key::State::try_from(state).unwrap_or_default() {
        wire::key::State::Unspecified => None,
        wire::key::State::Active => Some("active"),
        wire::key::State::Revoked => Some("revoked"),
        wire::key::State::Expired => Some("expired"),
        wire::key::State::OwnerDisabled => Some("owner_disabled"),
    }
}

impl From<wire::KeySecret> for KeySecret {
    fn from(secret: wire::KeySecret) -> Self {
        Self {
            number: secret.number,
            end_time: time(secret.end_time),
            prefix: secret.prefix,
            last_four: secret.last_four,
            create_time: time(secret.create_time),
            last_use_time: time(secret.last_use_time),
            last_use_address: secret.last_use_address,
        }
    }
}
