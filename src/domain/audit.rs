//! The audit log's chain. Every entry holds the hash of the one before it, and its own hash is sealed under a pepper: who lacks that can change,
//! drop, reorder or invent no entry unseen, and who goes on from an end that no pepper vouches for says so. What a chain cannot know of itself is
//! where it ended: whoever kept a [`Head`] elsewhere can tell.

use std::fmt;
use std::str::FromStr;

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

use super::actor::Actor;
use super::key::Peppers;
use super::name::Word;
use super::time::StoreTime;

/// Who did something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// A caller of the admin API.
    By(Actor),
    /// Whoever held the one-time secret.
    Bootstrap,
    /// keyward itself, when something was due.
    Keyward,
    /// Nobody who could be told.
    Unknown,
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::By(actor) => actor.fmt(f),
            Self::Bootstrap => f.write_str("bootstrap"),
            Self::Keyward => f.write_str("keyward"),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}

/// SHA-256 of an entry's bytes; of no entry, zeros.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Link(pub [u8; 32]);

impl Link {
    #[must_use]
    pub fn of(entry: &[u8]) -> Self {
        Self(Sha256::digest(entry).into())
    }

    /// Whether the pepper of this version sealed it; `None`: nobody can tell, for it is not here.
    #[must_use]
    pub fn is_sealed(&self, (version, seal): (&Word, &[u8; 32]), peppers: &Peppers) -> Option<bool> {
        let pepper = peppers.iter().find(|pepper| pepper.version == *version)?;
        Some(pepper.audit_sealed(&self.0, seal))
    }
}

/// Where the log ends: the last entry's number, from 1 on, and its hash. Written `number/hash`, the hash in hexadecimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Head {
    pub sequence: u64,
    pub link: Link,
}

/// An entry with what proves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    pub entry: Vec<u8>,
    /// The version of the pepper that sealed it.
    pub pepper: Word,
    pub seal: [u8; 32],
}

impl Sealed {
    /// Sealed under the newest pepper.
    #[must_use]
    pub fn new(entry: Vec<u8>, peppers: &Peppers) -> Self {
        let pepper = peppers.newest();
        Self { seal: pepper.seal_audit(&Link::of(&entry).0), pepper: pepper.version.clone(), entry }
    }

    /// `None`: nobody can tell, for its pepper is not here any more.
    fn stands(&self, peppers: &Peppers) -> Option<bool> {
        Link::of(&self.entry).is_sealed((&self.pepper, &self.seal), peppers)
    }
}

/// What an entry tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub place: Place,
    pub at: StoreTime,
    /// As [`Who`] is written.
    pub who: String,
    /// The RPC's name.
    pub action: String,
    /// The caller's address; empty: nobody called.
    pub from: String,
    /// Resource names.
    pub subjects: Vec<String>,
    pub request_id: String,
    /// What became of the one subject.
    pub changed: Vec<Changed>,
    /// Why the call was refused; empty: it was not.
    pub refused: String,
    /// So many calls more were refused before it and have no entries.
    pub untold: u64,
    /// Of its last change in the log that replicas follow; 0: it changed nothing there.
    pub position: u64,
}

/// A field that is not what it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    pub field: String,
    pub before: String,
    pub after: String,
}

/// What an entry says of its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub sequence: u64,
    /// Of the entry before it.
    pub before: Link,
    /// The last of the entries that were dropped because they were old enough, where the entry is about that.
    pub dropped: Option<Head>,
    /// The entry before it was not sealed under any pepper that whoever made this one had: nobody vouches for what is before it.
    pub unvouched: bool,
}

impl Place {
    /// The entry before it.
    fn follows(&self) -> Head {
        Head { sequence: self.sequence.saturating_sub(1), link: self.before }
    }
}

/// Reads a log from its first entry to its last, and finds where it was tampered with.
#[derive(Debug)]
pub struct Verifier<'a> {
    peppers: &'a Peppers,
    anchor: Option<Head>,
    first: Option<Place>,
    last: Option<(Head, Trust)>,
    /// The versions of peppers that are gone, as far as the log begins with them.
    gone: Vec<Word>,
    /// Whether an entry was met that a pepper proves.
    proven: bool,
    /// Whether an entry tells that those before the first were dropped for their age.
    told: bool,
    met: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trust {
    Sealed,
    /// Its pepper is gone: what is behind it vouches for it.
    Linked,
}

/// What was found right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// How many entries there are.
    pub entries: u64,
    pub head: Head,
}

/// What was found wrong, with the number of the entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Tampered {
    #[error("entry {0} is not sealed by whoever holds the pepper: it was changed, or written by somebody else")]
    Seal(u64),
    #[error("entry {0} does not follow the one before it: entries between them are missing, or out of order, or were changed")]
    Order(u64),
    #[error("entry {0} cannot be read, or contradicts itself: its bytes were changed")]
    Unreadable(u64),
    #[error("the log begins with entry {0}, and nothing says that those before it were dropped for their age")]
    Start(u64),
    #[error("the log ends before entry {0}, which was seen: its last entries are missing")]
    End(u64),
    #[error("entry {0} is another one than was seen: the log was written anew")]
    Anchor(u64),
    #[error("the log says that it ends with entry {0}, and it does not")]
    Head(u64),
    #[error(
        "entry {0} says that nothing vouched for the entry before it: whoever lacks the pepper may have written all that is before it, unless an \
         anchor of just that entry is known from elsewhere"
    )]
    Unvouched(u64),
    #[error("the last entry, {0}, is sealed under a pepper that is not here any more, so that nothing vouches for it")]
    Pepper(u64),
}

impl<'a> Verifier<'a> {
    /// `anchor`: a head that was kept elsewhere.
    #[must_use]
    pub fn new(peppers: &'a Peppers, anchor: Option<Head>) -> Self {
        Self { peppers, anchor, first: None, last: None, gone: Vec::new(), proven: false, told: false, met: false }
    }

    /// The next entry.
    pub fn entry(&mut self, sealed: &Sealed, place: &Place) -> Result<(), Tampered> {
        let sequence = place.sequence;
        let follows = match self.last {
            None => true,
            Some((last, _)) => sequence == last.sequence + 1 && place.before == last.link,
        };
        require(follows, Tampered::Order(sequence))?;
        require(!place.unvouched || self.anchor == Some(place.follows()), Tampered::Unvouched(sequence))?;
        let trust = match sealed.stands(self.peppers) {
            Some(true) => Trust::Sealed,
            None if self.is_of_old(&sealed.pepper) => Trust::Linked,
            Some(false) | None => return Err(Tampered::Seal(sequence)),
        };
        let head = Head { sequence, link: Link::of(&sealed.entry) };
        if let Some(anchor) = self.anchor.filter(|anchor| anchor.sequence == sequence) {
            require(anchor == head, Tampered::Anchor(sequence))?;
            self.met = true;
        }
        let first = *self.first.get_or_insert(*place);
        self.told |= place.dropped == Some(first.follows());
        self.proven |= trust == Trust::Sealed;
        self.last = Some((head, trust));
        Ok(())
    }

    /// Peppers that are gone sealed the log's oldest entries. The first that is proven vouches for them: it was made when the last of them was
    /// proven still, or says that it was not. One that is unknown and comes up behind an entry that is proven is an invention.
    fn is_of_old(&mut self, pepper: &Word) -> bool {
        if !self.proven && !self.gone.contains(pepper) {
            self.gone.push(pepper.clone());
        }
        self.gone.contains(pepper)
    }

    /// There are no more. `head`: where the log says that it ends.
    pub fn end(self, head: Head) -> Result<Verified, Tampered> {
        let (last, trust) = self.last.unwrap_or((Head::default(), Trust::Sealed));
        require(last == head, Tampered::Head(head.sequence))?;
        let from = self.first.map_or(Head::default(), |first| first.follows());
        if let Some(anchor) = self.anchor.filter(|_| !self.met) {
            require(anchor.sequence <= from.sequence, Tampered::End(anchor.sequence))?;
            // what was dropped nobody can compare any more, but for its last entry
            require(anchor.sequence != from.sequence || anchor == from, Tampered::Anchor(anchor.sequence))?;
        }
        require(from == Head::default() || self.told, Tampered::Start(from.sequence + 1))?;
        require(trust == Trust::Sealed, Tampered::Pepper(last.sequence))?;
        Ok(Verified { entries: last.sequence - from.sequence, head })
    }
}

fn require(condition: bool, otherwise: Tampered) -> Result<(), Tampered> {
    condition.then_some(()).ok_or(otherwise)
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Link({self})")
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.sequence, self.link)
    }
}

/// It is not `number/hash`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be NUMBER/HASH, the hash as 64 hexadecimal digits")]
pub struct NoHead;

impl FromStr for Head {
    type Err = NoHead;

    fn from_str(text: &str) -> Result<Self, NoHead> {
        let (sequence, link) = text.split_once('/').ok_or(NoHead)?;
        let link = HEXLOWER.decode(link.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok()).ok_or(NoHead)?;
        Ok(Self { sequence: sequence.parse().map_err(|_| NoHead)?, link: Link(link) })
    }
}
