//! One change of a commit, as the script takes it.

use ::redis::Cmd;

use super::{names, stored};
use crate::domain::key::Digest;
use crate::domain::name::RealmId;
use crate::domain::owner::Owner;
use crate::domain::record::Record;
use crate::revocation::{At, Mark};
use crate::store::entry::{encode_entry, entry};
use crate::store::{Change, Expect, StoreError};

/// Stands for a revision that no record has: what was read is not what the commit expects, so it is not what its write was made from.
const NEVER: &[u8] = b"-";

/// What becomes of one record, its index and its lists.
pub(super) struct Step {
    pub(super) realm: RealmId,
    pub(super) records: String,
    id: String,
    expected: Vec<u8>,
    value: Vec<u8>,
    entry: Vec<u8>,
    holder: String,
    pub(super) joins: Vec<String>,
    pub(super) leaves: Vec<String>,
    secrets: Vec<Digest>,
    dropped: Vec<Digest>,
}

impl Step {
    /// `before`: what is kept of it. `mark`: of the commit, in the log.
    pub(super) fn new(change: &Change, before: Option<&[u8]>, mark: Mark) -> Result<Self, StoreError> {
        match change {
            Change::Key { record, expect } => {
                let before = before.map(stored::read_key).transpose()?;
                let was = before.clone().map(|record| Change::Key { record, expect: *expect });
                Ok(Self::of_key(record, *expect, before.as_ref(), noted(mark, was.as_ref(), change)))
            }
            Change::Owner { owner, expect } => {
                let before = before.map(stored::read_owner).transpose()?;
                let was = before.clone().map(|owner| Change::Owner { owner, expect: *expect });
                Ok(Self::of_owner(owner, *expect, before.as_ref(), noted(mark, was.as_ref(), change)))
            }
        }
    }

    fn of_key(record: &Record, expect: Expect, before: Option<&Record>, entry: Vec<u8>) -> Self {
        let realm = record.realm.clone();
        let secrets: Vec<Digest> = record.secrets.iter().map(|secret| secret.digest).collect();
        let before_digests = before.into_iter().flat_map(|before| before.secrets.iter().map(|secret| secret.digest));
        let moved = before.filter(|before| before.owner != record.owner);
        Self {
            records: names::keys(&realm),
            id: record.id.to_string(),
            expected: expected(expect, before.map(|before| before.revision)),
            value: stored::key(record),
            entry,
            holder: format!("{}/{}", record.id, record.owner),
            joins: vec![names::key_ids(&realm), names::key_ids_of(&realm, &record.owner)],
            leaves: moved.map(|before| names::key_ids_of(&realm, &before.owner)).into_iter().collect(),
            dropped: before_digests.filter(|digest| !secrets.contains(digest)).collect(),
            secrets,
            realm,
        }
    }

    fn of_owner(owner: &Owner, expect: Expect, before: Option<&Owner>, entry: Vec<u8>) -> Self {
        let realm = owner.realm.clone();
        Self {
            records: names::owners(&realm),
            id: owner.id.to_string(),
            expected: expected(expect, before.map(|before| before.revision)),
            value: stored::owner(owner),
            entry,
            holder: String::new(),
            joins: vec![names::owner_ids(&realm)],
            leaves: Vec::new(),
            secrets: Vec::new(),
            dropped: Vec::new(),
            realm,
        }
    }

    /// Writes its arguments.
    pub(super) fn write(&self, call: &mut Cmd, note: &[u8]) {
        call.arg(&self.id).arg(&self.expected).arg(&self.value).arg(&self.entry).arg(note).arg(&self.holder);
        call.arg(self.joins.len()).arg(self.leaves.len());
        for digests in [&self.secrets, &self.dropped] {
            call.arg(digests.len());
            for digest in digests {
                call.arg(&digest.0[..]);
            }
        }
    }
}

fn expected(expect: Expect, found: Option<u64>) -> Vec<u8> {
    match expect {
        Expect::Absent => Vec::new(),
        Expect::Revision(revision) if found == Some(revision) => stored::revision(revision).into(),
        Expect::Revision(_) => NEVER.into(),
    }
}

/// The change's entry in the log. Its position is the id that the script gives it in the stream.
fn noted(mark: Mark, before: Option<&Change>, after: &Change) -> Vec<u8> {
    encode_entry(&entry(At { position: 0, mark }, before, after))
}
