//! A key ends, for ever.

use super::edit::{Edit, Effect};
use super::{Caller, Changed, Keyring, KeyringError, Target, Terms};
use crate::domain::name::KeyId;
use crate::domain::record::Record;

impl Keyring {
    /// Revokes a key, and ends when no replica admits it any more. The record stays, so that whoever presents it is told what the contract
    /// says of revoked keys.
    pub async fn revoke(&self, caller: &Caller, target: &Target<KeyId>, terms: &Terms) -> Result<Changed<Record>, KeyringError> {
        let change = |record: &mut Record, now| {
            record.revoked.get_or_insert(now);
        };
        self.edit(Edit { caller, action: "RevokeKey", effect: Effect::Restricts, target, change: &change }, terms).await
    }
}
