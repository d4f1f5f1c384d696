//! A record as it is kept: its revision in eight bytes, which scripts compare, then the bytes that every engine keeps.

use crate::domain::owner::Owner;
use crate::domain::record::Record;
use crate::store::{StoreError, record};

/// A revision as scripts compare it.
pub(super) fn revision(revision: u64) -> [u8; 8] {
    revision.to_be_bytes()
}

/// A key as it is kept.
pub(super) fn key(key: &Record) -> Vec<u8> {
    [&revision(key.revision)[..], &record::encode_key(key)].concat()
}

/// An owner as it is kept.
pub(super) fn owner(owner: &Owner) -> Vec<u8> {
    [&revision(owner.revision)[..], &record::encode_owner(owner)].concat()
}

/// The key that is kept so.
pub(super) fn read_key(kept: &[u8]) -> Result<Record, StoreError> {
    record::decode_key(bytes(kept)?)
}

/// The owner that is kept so.
pub(super) fn read_owner(kept: &[u8]) -> Result<Owner, StoreError> {
    record::decode_owner(bytes(kept)?)
}

fn bytes(kept: &[u8]) -> Result<&[u8], StoreError> {
    kept.get(8..).ok_or_else(|| StoreError::Corrupt("a record that is shorter than its revision".into()))
}
