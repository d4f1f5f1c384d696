//! What is under which pepper.

use serde::Serialize;

use super::super::output::Shown;
use super::guarantee::{Guarantee, rows};
use super::{brief, fields, time};
use crate::proto::keyward::admin::v1 as wire;

/// Of `GetPepperStatusResponse`.
#[derive(Debug, Serialize)]
pub(in super::super) struct Peppers {
    peppers: Vec<PepperStatus>,
    count_time: Option<String>,
}

#[derive(Debug, Serialize)]
struct PepperStatus {
    version: String,
    scheme: String,
    secret_count: u64,
    key_count: u64,
    ended_secret_count: u64,
    realms: Vec<KeysInRealm>,
    known: bool,
    in_use: bool,
    use_time: Option<String>,
    withdraw_time: Option<String>,
}

#[derive(Debug, Serialize)]
struct KeysInRealm {
    realm: String,
    key_count: u64,
}

/// Of `WithdrawPepperResponse`.
#[derive(Debug, Serialize)]
pub(in super::super) struct Withdrawn {
    removed_secret_count: u64,
    stopped_key_count: u64,
    stopped_keys: Vec<String>,
    position: u64,
    guarantee: Option<Guarantee>,
}

impl Shown for Peppers {
    const HEADS: &'static [&'static str] = &["VERSION", "SCHEME", "STATE", "SECRETS", "KEYS", "ENDED", "REALMS", "SINCE"];

    fn rows(&self) -> Vec<Vec<String>> {
        self.peppers.iter().map(PepperStatus::row).collect()
    }

    fn names(&self) -> Vec<&str> {
        self.peppers.iter().map(|one| one.version.as_str()).collect()
    }
}

impl Peppers {
    /// A pepper that the server has and that never was in use.
    pub(in super::super) fn still_waits_for(&self) -> Option<&str> {
        let waits = |one: &&PepperStatus| one.known && one.use_time.is_none() && one.withdraw_time.is_none() && one.secret_count == 0;
        self.peppers.iter().find(waits).map(|one| one.version.as_str())
    }
}

impl PepperStatus {
    fn row(&self) -> Vec<String> {
        let state = match (self.in_use, &self.withdraw_time, self.known) {
            (true, ..) => "in use",
            (_, Some(_), _) => "withdrawn",
            (.., true) => "known",
            (.., false) => "not in the pepper file",
        };
        let realm = |realm: &KeysInRealm| format!("{} {}", realm.realm.trim_start_matches("realms/"), realm.key_count);
        let realms: Vec<String> = self.realms.iter().map(realm).collect();
        let scheme = if self.scheme.is_empty() { "secret" } else { &self.scheme };
        let counts = [self.secret_count, self.key_count, self.ended_secret_count].map(|count| count.to_string());
        let since = brief(self.withdraw_time.as_deref().or(self.use_time.as_deref()));
        let first = [self.version.clone(), scheme.to_owned(), state.to_owned()];
        first.into_iter().chain(counts).chain([realms.join(", "), since]).collect()
    }
}

impl Shown for Withdrawn {
    fn rows(&self) -> Vec<Vec<String>> {
        let own = fields([
            ("removed secrets", self.removed_secret_count.to_string()),
            ("stopped keys", self.stopped_key_count.to_string()),
            ("position", if self.guarantee.is_some() { self.position.to_string() } else { String::new() }),
        ]);
        let keys = self.stopped_keys.iter().map(|key| vec!["stopped".to_owned(), key.clone()]);
        own.into_iter().chain(rows(self.guarantee.as_ref())).chain(keys).collect()
    }

    fn names(&self) -> Vec<&str> {
        self.stopped_keys.iter().map(String::as_str).collect()
    }
}

impl From<wire::GetPepperStatusResponse> for Peppers {
    fn from(response: wire::GetPepperStatusResponse) -> Self {
        Self { peppers: response.peppers.into_iter().map(PepperStatus::from).collect(), count_time: time(response.count_time) }
    }
}

impl From<wire::PepperStatus> for PepperStatus {
    fn from(one: wire::PepperStatus) -> Self {
        let in_realm = |one: wire::KeysInRealm| KeysInRealm { realm: one.realm, key_count: one.key_count };
        Self {
            version: one.version,
            scheme: one.scheme,
            secret_count: one.secret_count,
            key_count: one.key_count,
            ended_secret_count: one.ended_secret_count,
            realms: one.realms.into_iter().map(in_realm).collect(),
            known: one.known,
            in_use: one.in_use,
            use_time: time(one.use_time),
            withdraw_time: time(one.withdraw_time),
        }
    }
}

impl From<wire::WithdrawPepperResponse> for Withdrawn {
    fn from(response: wire::WithdrawPepperResponse) -> Self {
        Self {
            removed_secret_count: response.removed_secret_count,
            stopped_key_count: response.stopped_key_count,
            stopped_keys: response.stopped_keys,
            position: response.position,
            guarantee: response.guarantee.map(Guarantee::from),
        }
    }
}
