//! From what was asked to what is kept: an id, a digest, and what there is to recognise a secret by.

use data_encoding::BASE32HEX_NOPAD;

use super::draft::KeyDraft;
use super::{Keyring, KeyringError};
use crate::domain::foreign;
use crate::domain::format::Format;
use crate::domain::key::{Digest, Scheme, Secret};
use crate::domain::name::{KeyId, RealmId};
use crate::domain::realm::Realm;
use crate::domain::record::{Cause, KeptSecret, Record};
use crate::domain::time::StoreTime;

/// What a new key is made of.
pub(super) struct Origin<'a> {
    pub(super) realm: &'a RealmId,
    pub(super) draft: &'a KeyDraft,
    /// The secret's.
    pub(super) format: &'a Format,
    pub(super) now: StoreTime,
}

impl Keyring {
    /// A record with a new secret, to be shown.
    pub(super) fn minted(&self, origin: &Origin<'_>) -> Result<(Record, Option<Secret>), KeyringError> {
        let secret = origin.format.mint(self.randomness)?;
        Ok((self.recorded(origin, &secret)?, Some(secret)))
    }

    /// A record of this secret.
    pub(super) fn recorded(&self, origin: &Origin<'_>, secret: &Secret) -> Result<Record, KeyringError> {
        let Origin { realm, draft, format, now } = origin;
        Ok(Record {
            realm: (*realm).clone(),
            id: self.key_id(*now)?,
            owner: draft.owner.clone(),
            label: draft.label.clone(),
            environment: format.environment.clone(),
            kind: format.kind.clone(),
            plan: draft.plan.clone(),
            limits: draft.limits.clone(),
            tenant: draft.tenant.clone(),
            scopes: draft.scopes.clone(),
            addresses: draft.addresses.clone(),
            created: *now,
            expires: draft.expires,
            revoked: None,
            cause: Cause::Asked,
            metadata: draft.metadata.clone(),
            binding: draft.binding.clone(),
            secrets: vec![self.kept((realm, format, *now), secret)],
            revision: 1,
            generation: 0,
        })
    }

    /// What is kept of a new secret, the first of its key.
    pub(super) fn kept(&self, (realm, format, now): (&RealmId, &Format, StoreTime), secret: &Secret) -> KeptSecret {
        let pepper = self.peppers.newest();
        KeptSecret {
            digest: pepper.digest(realm, secret.expose()),
            pepper: pepper.version.clone(),
            prefix: format.prefix.to_string(),
            last_four: secret.last_four(),
            created: now,
            number: 1,
            ends: None,
            scheme: Scheme::Secret,
        }
    }

    /// All digests by which a key may have this secret: its own, the newest first, and those of other systems.
    pub(super) fn every_digest(&self, realm: &Realm, secret: &Secret) -> Vec<Digest> {
        foreign::every(&realm.imported, &self.peppers, &realm.id, secret.expose())
    }

    /// `key_` and a version 7 UUID (RFC 9562) in lower-case base32hex: ids sort by when they were made.
    pub(super) fn key_id(&self, now: StoreTime) -> Result<KeyId, KeyringError> {
        let mut random = [0; 10];
        (self.randomness)(&mut random)?;
        let millis = u64::try_from(now.0).unwrap_or(0);
        let uuid = uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid();
        let text = format!("key_{}", BASE32HEX_NOPAD.encode(uuid.as_bytes()).to_ascii_lowercase());
        Ok(KeyId::parse(&text)?)
    }
}
