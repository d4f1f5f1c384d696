//! The log, as it is read: entries of a stream, places, and who is registered.

use std::str::FromStr;
use std::time::Duration;

use crate::revocation::{At, Entry, Holder, Registration};
use crate::store::StoreError;
use crate::store::entry::decode_entry;
use ::redis::streams::StreamId;

/// At most so many are brought at once.
pub(super) const MOST: usize = 1_000;

/// Entries of the stream, in their order.
pub(super) fn entries(ids: &[StreamId]) -> Result<Vec<Entry>, StoreError> {
    ids.iter().map(entry).collect()
}

/// A place.
pub(super) fn place(text: &str) -> Result<At, StoreError> {
    text.parse().map_err(corrupt)
}

/// Who is registered, with what.
pub(super) fn holders(kept: &[(String, String)]) -> Result<Vec<(Holder, Registration)>, StoreError> {
    kept.iter().map(|(holder, registration)| Ok((holder.parse().map_err(corrupt)?, read(registration)?))).collect()
}

/// Its position is the stream's: the bytes were made before it was known.
fn entry(id: &StreamId) -> Result<Entry, StoreError> {
    let position = id.id.strip_suffix("-0").and_then(|position| position.parse().ok()).ok_or_else(|| corrupt(&id.id))?;
    let bytes: Vec<u8> = id.get("entry").ok_or_else(|| corrupt("an entry of the log that holds none"))?;
    let entry = decode_entry(&bytes)?;
    Ok(Entry { at: At { position, ..entry.at }, ..entry })
}

/// `renewals/applied/lease`
fn read(registration: &str) -> Result<Registration, StoreError> {
    let numbers: Vec<u64> = registration.split('/').map(u64::from_str).collect::<Result<_, _>>().map_err(corrupt)?;
    let [renewals, applied, lease] = numbers[..] else { return Err(corrupt(registration)) };
    Ok(Registration { renewals, applied, lease: Duration::from_millis(lease) })
}

#[allow(clippy::needless_pass_by_value, reason = "what map_err hands on")]
fn corrupt(why: impl ToString) -> StoreError {
    StoreError::Corrupt(why.to_string())
}
