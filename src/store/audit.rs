//! Entries of the audit log: from what was done to the bytes that every engine keeps, sealed and chained
//! ([`domain::audit`](crate::domain::audit)), and back.

use std::net::IpAddr;
use std::sync::Arc;

use prost::Message as _;

use super::changed::changed;
use super::{Change, Commit, StoreError};
use crate::domain::audit::{Changed, Entry, Head, Link, Place, Sealed, Who};
use crate::domain::key::Peppers;
use crate::domain::name::Word;
use crate::domain::time::StoreTime;
use crate::proto::keyward::store::v1 as stored;

/// Who did what, for the audit log. Never holds a secret.
#[derive(Debug, Clone)]
pub struct AuditNote {
    pub who: Who,
    /// Where the caller called from, if anybody did.
    pub from: Option<IpAddr>,
    /// The RPC's name.
    pub action: &'static str,
    /// Resource names of what it was done to.
    pub subjects: Vec<String>,
    /// Why the call was refused, if it was.
    pub refused: Option<Refused>,
    /// The newest of them seals the entry.
    pub peppers: Arc<Peppers>,
}

/// Why a call was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// The reason that the caller was told.
    pub reason: &'static str,
    /// So many others have been refused since the last entry of this kind, and are not told one by one.
    pub untold: u64,
}

impl AuditNote {
    /// The first of what it was done to.
    #[must_use]
    pub fn subject(&self) -> &str {
        self.subjects.first().map_or("", String::as_str)
    }
}

/// An entry that is about to be appended.
#[derive(Debug, Clone)]
pub(super) struct Appended {
    /// Where the log must end now.
    pub(super) after: Head,
    /// Where it ends then.
    pub(super) head: Head,
    /// A [`stored::Sealed`].
    pub(super) bytes: Vec<u8>,
}

/// What an entry tells beside its note.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Told<'a> {
    pub(super) commit: Option<&'a Commit>,
    /// The one record that was changed, as it was.
    pub(super) before: Option<&'a Change>,
    /// Of the last change in the log that replicas follow.
    pub(super) position: u64,
    /// The last entry that was dropped.
    pub(super) dropped: Option<Head>,
}

/// The entry that follows `after`.
pub(super) fn append(note: &AuditNote, after: Head, at: StoreTime, told: Told<'_>) -> Appended {
    let changes = told.commit.map_or(&[][..], |commit| &commit.changes);
    let one = if let [change] = changes { Some(change) } else { None };
    let entry = stored::Audit {
        sequence: after.sequence + 1,
        at_ms: at.0,
        actor: note.who.to_string(),
        action: note.action.into(),
        subjects: note.subjects.clone(),
        request_id: told.commit.and_then(|commit| commit.request.as_ref()).map(|request| request.id.clone()).unwrap_or_default(),
        from: note.from.map(|from| from.to_string()).unwrap_or_default(),
        changed: one.map(|change| changed(told.before, change)).unwrap_or_default(),
        refused: note.refused.map(|refused| refused.reason.to_owned()).unwrap_or_default(),
        position: told.position,
        before: after.link.0.to_vec(),
        dropped: told.dropped.map(|dropped| stored::Dropped { sequence: dropped.sequence, link: dropped.link.0.to_vec() }),
        untold: note.refused.map_or(0, |refused| refused.untold),
        pepper: note.peppers.newest().version.to_string(),
    }
    .encode_to_vec();
    let head = Head { sequence: after.sequence + 1, link: Link::of(&entry) };
    Appended { after, head, bytes: encode(&Sealed::new(entry, &note.peppers)) }
}

/// An entry as bytes.
#[must_use]
pub fn encode(sealed: &Sealed) -> Vec<u8> {
    stored::Sealed { entry: sealed.entry.clone(), pepper: sealed.pepper.to_string(), seal: sealed.seal.to_vec() }.encode_to_vec()
}

/// An entry from bytes.
pub fn decode(bytes: &[u8]) -> Result<Sealed, StoreError> {
    let kept = stored::Sealed::decode(bytes).map_err(corrupt)?;
    let pepper = Word::parse(&kept.pepper).map_err(corrupt)?;
    Ok(Sealed { entry: kept.entry, pepper, seal: kept.seal.try_into().map_err(|_| corrupt("a seal that is not 32 bytes long"))? })
}

/// What an entry says.
pub fn read(sealed: &Sealed) -> Result<stored::Audit, StoreError> {
    let entry = stored::Audit::decode(sealed.entry.as_slice()).map_err(corrupt)?;
    // the first ones that were ever written do not say it
    let is_so = entry.pepper.is_empty() || entry.pepper == sealed.pepper.as_str();
    if is_so { Ok(entry) } else { Err(corrupt("it says of another pepper that it is sealed under that")) }
}

/// What an entry tells, as everybody but a store sees it.
pub fn entry(sealed: &Sealed) -> Result<Entry, StoreError> {
    let kept = read(sealed)?;
    let changed = |changed: stored::Changed| Changed { field: changed.field, before: changed.before, after: changed.after };
    Ok(Entry {
        place: place(&kept)?,
        at: StoreTime(kept.at_ms),
        who: kept.actor,
        action: kept.action,
        from: kept.from,
        subjects: kept.subjects,
        request_id: kept.request_id,
        changed: kept.changed.into_iter().map(changed).collect(),
        refused: kept.refused,
        untold: kept.untold,
        position: kept.position,
    })
}

/// What an entry says of its place.
pub fn place(entry: &stored::Audit) -> Result<Place, StoreError> {
    let link = |bytes: &[u8]| bytes.try_into().map(Link).map_err(|_| corrupt("a hash that is not 32 bytes long"));
    let dropped = |dropped: &stored::Dropped| Ok::<_, StoreError>(Head { sequence: dropped.sequence, link: link(&dropped.link)? });
    Ok(Place { sequence: entry.sequence, before: link(&entry.before)?, dropped: entry.dropped.as_ref().map(dropped).transpose()? })
}

#[allow(clippy::needless_pass_by_value, reason = "what map_err hands on")]
fn corrupt(why: impl ToString) -> StoreError {
    StoreError::Corrupt(format!("an entry of the audit log: {}", why.to_string()))
}
