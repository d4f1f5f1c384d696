//! A row: what another system knew of a key, checked as a key that is made here is, but that its life may have begun long ago and be over.

use std::borrow::Cow;

use super::super::draft::KeyDraft;
use super::super::{Keyring, KeyringError, Wrong, contract};
use crate::domain::format::Format;
use crate::domain::key::{Digest, Scheme, Secret};
use crate::domain::name::{KeyId, RealmId};
use crate::domain::realm::Realm;
use crate::domain::record::{Cause, KeptSecret, Record};
use crate::domain::time::StoreTime;

/// The clocks of the other system and of the store may be so far apart.
const SKEW_MS: i64 = 60_000;

/// A key of another system.
#[derive(Debug, Clone)]
pub struct Row {
    /// Its id, to be kept; `None`: it gets one.
    pub id: Option<KeyId>,
    pub key: KeyDraft,
    /// When it was made; `None`: now. Not later than now.
    pub created: Option<StoreTime>,
    /// When it was revoked, if it was. Not later than now.
    pub revoked: Option<StoreTime>,
    pub credential: Credential,
}

/// What opens it.
#[derive(Debug, Clone)]
pub enum Credential {
    Secret(Secret),
    /// What the other system kept of the secret.
    Digest {
        scheme: Scheme,
        theirs: Vec<u8>,
        last_four: String,
    },
}

/// A row that its realm takes.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) record: Record,
    /// All digests by which a key may have this secret already.
    pub(super) known_by: Vec<Digest>,
    given: Given,
}

/// What the row said itself, and what came from here.
#[derive(Debug, Clone, Copy)]
struct Given {
    id: bool,
    created: bool,
    expires: bool,
}

impl Keyring {
    /// The record of a row, or all that is wrong with it.
    pub(super) fn candidate(&self, realm: &RealmId, row: Row, now: StoreTime) -> Result<Candidate, Vec<Wrong>> {
        let realm = self.realms.get(realm).ok_or_else(|| vec![Wrong::new("parent", "must be a realm that the server has")])?;
        let created = row.created.unwrap_or(now);
        // what its life is measured by: no clock of another system's makes it longer
        let made = created.min(now);
        let given = Given { id: row.id.is_some(), created: row.created.is_some(), expires: row.key.expires.is_some() };
        let draft = KeyDraft { expires: row.key.expires.or(realm.life.latest_end(made)), ..row.key };
        // it may have ended since
        let ages = contract::Ages { now: StoreTime(i64::MIN), newest: made };
        let format = contract::fitted(&self.realms, realm, &draft, row.credential.secret(), &ages).map_err(wrong);
        let format = and_nothing_else(format, not_yet(&[("create_time", row.created), ("revoke_time", row.revoked)], now))?;
        let kept = self.kept_of(realm, format, &row.credential, made)?;
        let known_by = self.known_by(realm, &row.credential);
        let id = row.id.map_or_else(|| self.key_id(now), Ok).map_err(wrong)?;
        let record = Record {
            realm: realm.id.clone(),
            id,
            owner: draft.owner,
            label: draft.label,
            environment: format.environment.clone(),
            kind: format.kind.clone(),
            plan: draft.plan,
            limits: draft.limits,
            tenant: draft.tenant,
            scopes: draft.scopes,
            addresses: draft.addresses,
            created,
            expires: draft.expires,
            revoked: row.revoked,
            cause: Cause::Asked,
            metadata: draft.metadata,
            binding: None,
            secrets: vec![kept],
            revision: first_revision(now),
            generation: 0,
        };
        Ok(Candidate { record, known_by, given })
    }

    fn kept_of(&self, realm: &Realm, format: &Format, credential: &Credential, created: StoreTime) -> Result<KeptSecret, Vec<Wrong>> {
        match credential {
            Credential::Secret(secret) => Ok(self.kept((&realm.id, format, created), secret)),
            Credential::Digest { scheme, theirs, last_four } => {
                is_listed(realm, *scheme, theirs)?;
                let pepper = self.peppers.newest();
                Ok(KeptSecret {
                    digest: pepper.foreign_digest(&realm.id, *scheme, theirs),
                    pepper: pepper.version.clone(),
                    prefix: format.prefix.to_string(),
                    last_four: last_four.clone(),
                    created,
                    number: 1,
                    ends: None,
                    scheme: *scheme,
                })
            }
        }
    }

    fn known_by(&self, realm: &Realm, credential: &Credential) -> Vec<Digest> {
        match credential {
            Credential::Secret(secret) => self.every_digest(realm, secret),
            Credential::Digest { scheme, theirs, .. } => {
                self.peppers.iter().map(|pepper| pepper.foreign_digest(&realm.id, *scheme, theirs)).collect()
            }
        }
    }
}

impl Credential {
    fn secret(&self) -> Option<&Secret> {
        match self {
            Self::Secret(secret) => Some(secret),
            Self::Digest { .. } => None,
        }
    }
}

/// A key that was deleted may have had the same id: its etags are none of this one. The last ten bits count from 1, as revisions of other keys do.
fn first_revision(now: StoreTime) -> u64 {
    (u64::try_from(now.0).unwrap_or(0) << 10) | 1
}

impl Candidate {
    /// Digests of its secret that are not what is kept of it.
    pub(super) fn else_known_by(&self) -> impl Iterator<Item = Digest> {
        self.known_by.iter().copied().filter(|digest| self.record.secrets.iter().all(|kept| kept.digest != *digest))
    }

    /// Whether a key that is there is what this row says. What is not in the row may be as it will; a foreign digest may have been made anew when
    /// its secret was first used here.
    pub(super) fn is(&self, there: &Record) -> bool {
        let new = &self.record;
        let is_same = |new: &Record| {
            let content = (&new.owner, &new.label, &new.environment, &new.kind, &new.plan, &new.limits, &new.tenant);
            (content, (&new.scopes, &new.addresses, &new.metadata, new.revoked))
                == (
                    (&there.owner, &there.label, &there.environment, &there.kind, &there.plan, &there.limits, &there.tenant),
                    (&there.scopes, &there.addresses, &there.metadata, there.revoked),
                )
        };
        let times = (!self.given.created || new.created == there.created) && (!self.given.expires || new.expires == there.expires);
        (!self.given.id || new.id == there.id) && is_same(new) && times && self.is_known_to(there)
    }

    /// Whether its secret is one of that key's.
    fn is_known_to(&self, there: &Record) -> bool {
        let has = there.secrets.iter().any(|kept| self.known_by.contains(&kept.digest));
        let was_made_anew = |imported: &KeptSecret| {
            let looks = |kept: &&KeptSecret| (&kept.prefix, &kept.last_four, kept.number) == (&imported.prefix, &imported.last_four, 1);
            imported.scheme != Scheme::Secret && there.secrets.iter().any(|kept| kept.scheme == Scheme::Secret && looks(&kept))
        };
        has || self.record.secrets.iter().any(was_made_anew)
    }
}

/// What is said to have been done later than now, by more than two clocks may differ.
fn not_yet(times: &[(&str, Option<StoreTime>)], now: StoreTime) -> Vec<Wrong> {
    let latest = StoreTime(now.0.saturating_add(SKEW_MS));
    let late = times.iter().filter(|(_, at)| at.is_some_and(|at| at > latest));
    late.map(|(field, _)| Wrong::new(*field, "must not be in the future, of which a minute is let pass as two clocks' difference"))
        .collect()
}

fn and_nothing_else<T>(checked: Result<T, Vec<Wrong>>, more: Vec<Wrong>) -> Result<T, Vec<Wrong>> {
    match checked {
        Ok(checked) if more.is_empty() => Ok(checked),
        Ok(_) => Err(more),
        Err(wrong) => Err(wrong.into_iter().chain(more).collect()),
    }
}

/// The realm must try such digests, or the key would never be found.
fn is_listed(realm: &Realm, scheme: Scheme, theirs: &[u8]) -> Result<(), Vec<Wrong>> {
    let say = |says: Cow<'_, str>| Err(vec![Wrong::new("digest", says)]);
    if !realm.imported.iter().any(|way| way.scheme() == scheme) {
        let name = scheme.name();
        return say(format!("must be one that the realm tries: put {name} among `imported_digests` of its file first").into());
    }
    let length = if scheme == Scheme::Sha512 { 64 } else { 32 };
    if theirs.len() == length { Ok(()) } else { say(format!("must have {length} bytes, and has {}", theirs.len()).into()) }
}

fn wrong(error: KeyringError) -> Vec<Wrong> {
    match error {
        KeyringError::Invalid(wrong) => wrong,
        other => vec![Wrong::new("row", other.to_string())],
    }
}
