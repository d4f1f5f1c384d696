//! Entries of the audit log: from what was done to the bytes that every engine keeps, sealed and chained
//! ([`domain::audit`](crate::domain::audit)), and back.

use std::net::IpAddr;
use std::sync::Arc;

use data_encoding::HEXLOWER;
use prost::Message as _;

use super::changed::changed;
use super::{Change, Commit, StoreError};
use crate::domain::audit::{Changed, Entry, Head, Link, NoHead, Place, Sealed, Who};
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

/// Where the log ends, with the seal of its last entry: whoever goes on from there sees whether somebody with a pepper came to it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct End {
    pub head: Head,
    /// With the version of its pepper. `None`: there is no entry, or no seal beside it.
    pub seal: Option<(Word, [u8; 32])>,
    /// As it was read: `number/hash/version/seal`; empty: there is no entry.
    pub kept: String,
}

impl End {
    /// Of a log whose last entry this is.
    pub fn of(last: &Sealed) -> Result<Self, StoreError> {
        let head = Head { sequence: read(last)?.sequence, link: Link::of(&last.entry) };
        Ok(Self::sealed(head, last))
    }

    fn sealed(head: Head, last: &Sealed) -> Self {
        let kept = format!("{head}/{}/{}", last.pepper, HEXLOWER.encode(&last.seal));
        Self { head, seal: Some((last.pepper.clone(), last.seal)), kept }
    }

    /// As it is kept beside the log. A seal that cannot be read is none.
    pub fn parse(kept: &str) -> Result<Self, NoHead> {
        let mut slashes = kept.match_indices('/').map(|(at, _)| at).skip(1);
        let (head, rest) = slashes.next().map_or((kept, ""), |second| (&kept[..second], &kept[second + 1..]));
        let seal = rest.split_once('/').and_then(|(version, seal)| {
            let seal = HEXLOWER.decode(seal.as_bytes()).ok()?.try_into().ok()?;
            Some((Word::parse(version).ok()?, seal))
        });
        Ok(Self { head: head.parse()?, seal, kept: kept.to_owned() })
    }

    /// Whether one of these peppers vouches for it, or there is nothing to vouch for.
    fn is_vouched_for(&self, peppers: &Peppers) -> bool {
        match &self.seal {
            Some((version, seal)) => self.head.link.is_sealed((version, seal), peppers) == Some(true),
            None => self.head == Head::default(),
        }
    }
}

/// An entry that is about to be appended.
#[derive(Debug, Clone)]
pub(super) struct Appended {
    /// Where the log must end now, as it is kept.
    pub(super) after: String,
    /// Where it ends then.
    pub(super) end: End,
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

/// The entry that follows `after`. Where nobody vouches for that it is made all the same, or a revocation would have to wait for whoever has
/// tampered with a log; but it says so.
pub(super) fn append(note: &AuditNote, after: End, at: StoreTime, told: Told<'_>) -> Appended {
    let unvouched = !after.is_vouched_for(&note.peppers);
    let End { head: after, kept, .. } = after;
    if unvouched {
        tracing::error!(
            end = %after,
            "no pepper of this server vouches for the end of the audit log: somebody may have written it anew. The entry that follows says so; keep \
             the store as it is, and compare it with anchors and exports"
        );
    }
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
        unvouched,
    }
    .encode_to_vec();
    let head = Head { sequence: after.sequence + 1, link: Link::of(&entry) };
    let sealed = Sealed::new(entry, &note.peppers);
    Appended { after: kept, end: End::sealed(head, &sealed), bytes: encode(&sealed) }
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
    let (before, dropped) = (link(&entry.before)?, entry.dropped.as_ref().map(dropped).transpose()?);
    Ok(Place { sequence: entry.sequence, before, dropped, unvouched: entry.unvouched })
}

#[allow(clippy::needless_pass_by_value, reason = "what map_err hands on")]
fn corrupt(why: impl ToString) -> StoreError {
    StoreError::Corrupt(format!("an entry of the audit log: {}", why.to_string()))
}
