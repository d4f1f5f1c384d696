//! A key ends; and begins anew, where that was a mistake.

use super::edit::{ATTEMPTS, Edit, Effect};
use super::{Caller, Changed, Keyring, KeyringError, Target, Terms};
use crate::domain::name::KeyId;
use crate::domain::record::{Cause, Record};
use crate::domain::time::StoreTime;

impl Keyring {
    /// Revokes a key, and ends when no replica admits it any more. The record stays, so that whoever presents it is told what the contract
    /// says of revoked keys.
    pub async fn revoke(
        &self,
        caller: &Caller,
        target: &Target<KeyId>,
        cause: Cause,
        terms: &Terms,
    ) -> Result<Changed<Record>, KeyringError> {
        let change = |record: &mut Record, now: StoreTime| end(record, cause, now);
        self.edit(Edit { caller, action: "RevokeKey", effect: Effect::Restricts, target, change: &change }, terms).await
    }

    /// Lets a revoked key in again. One whose secret is known to others stays what it is: its holder needs another.
    pub async fn enable_key(&self, caller: &Caller, target: &Target<KeyId>, terms: &Terms) -> Result<Changed<Record>, KeyringError> {
        for _ in 0..ATTEMPTS {
            match self.enable_as_seen(caller, target, terms).await {
                // somebody may have reported it meanwhile
                Err(KeyringError::EtagOld) if terms.seen.is_none() => {}
                enabled => return enabled,
            }
        }
        Err(KeyringError::Busy)
    }

    async fn enable_as_seen(&self, caller: &Caller, target: &Target<KeyId>, terms: &Terms) -> Result<Changed<Record>, KeyringError> {
        let is_lost = |record: &Record| record.cause == Cause::Leaked;
        let leaked = || KeyringError::KeyLeaked(target.realm.clone(), target.id.clone());
        let before: Record = self.read(caller, target).await?;
        if is_lost(&before) {
            return Err(leaked());
        }
        let change = |record: &mut Record, _: StoreTime| {
            if !is_lost(record) {
                record.revoked = None;
            }
        };
        let terms = Terms { seen: terms.seen.or(Some(before.revision)), ..terms.clone() };
        let changed = self.edit(Edit { caller, action: "EnableKey", effect: Effect::Loosens, target, change: &change }, &terms).await?;
        // one that was done before may have been reported since
        if is_lost(&changed.now) { Err(leaked()) } else { Ok(changed) }
    }
}

/// Once for all: a worse cause takes the place of another, not the other way.
pub(super) fn end(record: &mut Record, cause: Cause, now: StoreTime) {
    record.revoked.get_or_insert(now);
    if cause == Cause::Leaked {
        record.cause = cause;
    }
}
