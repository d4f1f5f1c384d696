//! One change of a commit, as the script takes it.

use ::redis::Cmd;

use super::{names, stored};
use crate::domain::key::Digest;
use crate::domain::name::OwnerId;
use crate::domain::owner::Owner;
use crate::domain::record::Record;
use crate::domain::time::StoreTime;
use crate::revocation::{At, Mark};
use crate::store::entry::{encode_entry, entry};
use crate::store::{Change, Expect, StoreError};

/// Stands for a revision that no record has: what was read is not what the commit expects, so it is not what its write was made from.
const NEVER: &[u8] = b"-";

/// What becomes of one record, its index and its lists.
pub(super) struct Step {
    was: Option<Change>,
    id: String,
    expected: Vec<u8>,
    entry: Vec<u8>,
    names: Names,
    /// Empty: nothing.
    value: Vec<u8>,
    holder: String,
    /// What keys can be due for, and when this one is.
    due: Vec<(&'static str, Option<StoreTime>)>,
    /// What it is called there.
    name: String,
    secrets: Vec<Digest>,
    dropped: Vec<Digest>,
}

/// What it touches.
#[derive(Default)]
struct Names {
    records: String,
    digests: String,
    joins: Vec<String>,
    leaves: Vec<String>,
}

impl Step {
    /// `before`: what is kept of it. `mark`: of the commit, in the log.
    pub(super) fn new(change: &Change, before: Option<&[u8]>, mark: Mark) -> Result<Self, StoreError> {
        let was = before.map(|before| read(change, before)).transpose()?;
        let secrets: Vec<Digest> = change.digests().collect();
        let (value, holder, due) = match change {
            Change::Key { record, .. } => (stored::key(record), format!("{}/{}", record.id, record.owner), due_of(record)),
            Change::Owner { owner, .. } => (stored::owner(owner), String::new(), Vec::new()),
            Change::Removed { .. } => (Vec::new(), String::new(), never_due()),
        };
        let (realm, (_, id)) = (change.realm(), change.named());
        Ok(Self {
            id: id.to_owned(),
            expected: expected(change.expects(), was.as_ref().map(revision)),
            entry: encode_entry(&entry(At { position: 0, mark }, was.as_ref(), change)),
            names: names_of(change, was.as_ref()),
            value,
            holder,
            due,
            name: format!("{realm}/{id}"),
            dropped: was.iter().flat_map(Change::digests).filter(|digest| !secrets.contains(digest)).collect(),
            secrets,
            was,
        })
    }

    /// What it replaces.
    pub(super) fn was(&self) -> Option<&Change> {
        self.was.as_ref()
    }

    /// The names that it touches.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let Names { records, digests, joins, leaves } = &self.names;
        let own = [records, digests].into_iter().chain(joins).chain(leaves).map(String::as_str);
        own.chain(self.due.iter().map(|(due, _)| *due))
    }

    /// Writes its arguments.
    pub(super) fn write(&self, call: &mut Cmd) {
        call.arg(&self.id).arg(&self.expected).arg(&self.value).arg(&self.entry).arg(&self.holder).arg(&self.name);
        call.arg(self.names.joins.len()).arg(self.names.leaves.len()).arg(self.due.len());
        for (_, when) in &self.due {
            call.arg(when.map_or_else(String::new, |when| when.0.to_string()));
        }
        for digests in [&self.secrets, &self.dropped] {
            call.arg(digests.len());
            for digest in digests {
                call.arg(&digest.0[..]);
            }
        }
    }
}

/// What is kept, as a change of the same kind would have written it.
fn read(change: &Change, kept: &[u8]) -> Result<Change, StoreError> {
    let expect = change.expects();
    match change {
        Change::Key { .. } | Change::Removed { .. } => stored::read_key(kept).map(|record| Change::Key { record, expect }),
        Change::Owner { .. } => stored::read_owner(kept).map(|owner| Change::Owner { owner, expect }),
    }
}

fn names_of(change: &Change, was: Option<&Change>) -> Names {
    let realm = change.realm();
    let keys = |joins, leaves| Names { records: names::keys(realm), digests: names::digests(realm), joins, leaves };
    let had = owner_of(was);
    match change {
        Change::Key { record, .. } => {
            let moved = had.filter(|owner| **owner != record.owner).map(|owner| names::key_ids_of(realm, owner));
            keys(vec![names::key_ids(realm), names::key_ids_of(realm, &record.owner)], moved.into_iter().collect())
        }
        Change::Removed { .. } => {
            let owned = had.map(|owner| names::key_ids_of(realm, owner));
            keys(Vec::new(), std::iter::once(names::key_ids(realm)).chain(owned).collect())
        }
        Change::Owner { .. } => Names {
            records: names::owners(realm),
            digests: names::digests(realm),
            joins: vec![names::owner_ids(realm)],
            ..Names::default()
        },
    }
}

fn owner_of(change: Option<&Change>) -> Option<&OwnerId> {
    match change {
        Some(Change::Key { record, .. }) => Some(&record.owner),
        _ => None,
    }
}

fn due_of(record: &Record) -> Vec<(&'static str, Option<StoreTime>)> {
    vec![(names::SECRET_ENDS, record.secret_ends()), (names::REVOKED, record.revoked)]
}

fn never_due() -> Vec<(&'static str, Option<StoreTime>)> {
    vec![(names::SECRET_ENDS, None), (names::REVOKED, None)]
}

fn revision(change: &Change) -> u64 {
    match change {
        Change::Key { record: Record { revision, .. }, .. } | Change::Owner { owner: Owner { revision, .. }, .. } => *revision,
        Change::Removed { .. } => 0,
    }
}

fn expected(expect: Expect, found: Option<u64>) -> Vec<u8> {
    match expect {
        Expect::Absent => Vec::new(),
        Expect::Revision(revision) if found == Some(revision) => stored::revision(revision).into(),
        Expect::Revision(_) => NEVER.into(),
    }
}
