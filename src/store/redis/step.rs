//! What a commit comes to in Redis: which tables are looked at before anything is written, and what is written to them.

use std::collections::HashSet;

use ::redis::Cmd;

use super::groups::{Groups, Write};
use super::{names, stored};
use crate::domain::key::Digest;
use crate::domain::name::{OwnerId, RealmId};
use crate::domain::record::Record;
use crate::store::{Change, Expect, StoreError};

/// Stands for a revision that no record has: what was read is not what the commit expects, so it is not what its write was made from.
const NEVER: &[u8] = b"-";

/// What is looked at and written.
#[derive(Debug, Default)]
pub(super) struct Steps {
    /// Ids of records that must not be there.
    absent: Groups<()>,
    /// Digests that no key may have.
    free: Groups<()>,
    /// Records that must be of a revision: their table, id, revision.
    expected: Vec<(String, String, Vec<u8>)>,
    writes: Groups<Write>,
    touched: HashSet<(&'static str, RealmId, String)>,
    secrets: HashSet<(RealmId, Digest)>,
}

impl Steps {
    /// With digests that no key may have.
    pub(super) fn new(free: &[(RealmId, Digest)]) -> Self {
        let mut steps = Self::default();
        for (realm, digest) in free {
            steps.free.add((), &names::digests(realm), [&digest.0]);
        }
        steps
    }

    /// Adds a change. No record is changed twice by one commit, and no two keys get the same secret.
    pub(super) fn add(&mut self, change: &Change, was: Option<&Change>) -> Result<(), StoreError> {
        let (realm, (kind, id)) = (change.realm(), change.named());
        if !self.touched.insert((kind, realm.clone(), id.to_owned())) {
            return Err(StoreError::Conflict);
        }
        self.expect(change, was);
        match change {
            Change::Key { record, .. } => self.write_key(record, was)?,
            Change::Removed { realm, id, .. } => {
                self.writes.add(Write::Drop, &names::keys(realm), [id.as_str().as_bytes()]);
                self.writes.add(Write::Leave, &names::key_ids(realm), [id.as_str().as_bytes()]);
                self.leave_owner(realm, id.as_str(), owner_of(was));
                for due in [names::SECRET_ENDS, names::REVOKED] {
                    self.writes.add(Write::Leave, due, [format!("{realm}/{id}").as_bytes()]);
                }
            }
            Change::Owner { owner, .. } => {
                let id = owner.id.as_str().as_bytes();
                self.writes.add(Write::Set, &names::owners(realm), [id, &stored::owner(owner)]);
                self.writes.add(Write::Join, &names::owner_ids(realm), [b"0", id]);
            }
        }
        let kept: Vec<Digest> = change.digests().collect();
        for lost in was.into_iter().flat_map(Change::digests).filter(|digest| !kept.contains(digest)) {
            self.writes.add(Write::Drop, &names::digests(realm), [&lost.0]);
        }
        Ok(())
    }

    /// The tables that it touches, in the order in which [`Self::write`] tells what of them.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let expected = self.expected.iter().map(|(records, ..)| records.as_str());
        self.absent.names().chain(self.free.names()).chain(expected).chain(self.writes.names())
    }

    pub(super) fn write(&self, call: &mut Cmd) {
        self.absent.write(call);
        self.free.write(call);
        call.arg(self.expected.len());
        for (_, id, revision) in &self.expected {
            call.arg(id).arg(revision);
        }
        self.writes.write(call);
    }

    fn expect(&mut self, change: &Change, was: Option<&Change>) {
        let (records, id) = place(change);
        match change.expects() {
            Expect::Absent => self.absent.add((), &records, [id.as_bytes()]),
            Expect::Revision(expected) => {
                let found = was.map(revision) == Some(expected);
                let revision = if found { stored::revision(expected).into() } else { NEVER.into() };
                self.expected.push((records, id.to_owned(), revision));
            }
        }
    }

    fn write_key(&mut self, record: &Record, was: Option<&Change>) -> Result<(), StoreError> {
        let (realm, id) = (&record.realm, record.id.as_str());
        let (digests, had) = (names::digests(realm), was.into_iter().flat_map(Change::digests).collect::<Vec<_>>());
        let holder = format!("{id}/{}", record.owner);
        for Digest(digest) in record.secrets.iter().map(|secret| secret.digest) {
            if !self.secrets.insert((realm.clone(), Digest(digest))) {
                return Err(StoreError::SecretTaken);
            }
            if !had.contains(&Digest(digest)) {
                self.free.add((), &digests, [&digest]);
            }
            self.writes.add(Write::Set, &digests, [&digest, holder.as_bytes()]);
        }
        self.writes.add(Write::Set, &names::keys(realm), [id.as_bytes(), &stored::key(record)]);
        self.writes.add(Write::Join, &names::key_ids(realm), [b"0", id.as_bytes()]);
        self.leave_owner(realm, id, owner_of(was).filter(|owner| **owner != record.owner));
        self.writes.add(Write::Join, &names::key_ids_of(realm, &record.owner), [b"0", id.as_bytes()]);
        let name = format!("{realm}/{id}");
        for (table, when) in [(names::SECRET_ENDS, record.secret_ends()), (names::REVOKED, record.revoked)] {
            match when {
                Some(at) => self.writes.add(Write::Join, table, [at.0.to_string().as_bytes(), name.as_bytes()]),
                None if was.is_some() => self.writes.add(Write::Leave, table, [name.as_bytes()]),
                None => {}
            }
        }
        Ok(())
    }

    fn leave_owner(&mut self, realm: &RealmId, id: &str, owner: Option<&OwnerId>) {
        if let Some(owner) = owner {
            self.writes.add(Write::Leave, &names::key_ids_of(realm, owner), [id.as_bytes()]);
        }
    }
}

/// Where a change's record is: its table, and its id.
pub(super) fn place(change: &Change) -> (String, &str) {
    match change {
        Change::Key { record, .. } => (names::keys(&record.realm), record.id.as_str()),
        Change::Owner { owner, .. } => (names::owners(&owner.realm), owner.id.as_str()),
        Change::Removed { realm, id, .. } => (names::keys(realm), id.as_str()),
    }
}

/// What is kept, as a change of the same kind would have written it.
pub(super) fn read(change: &Change, kept: &[u8]) -> Result<Change, StoreError> {
    let expect = change.expects();
    match change {
        Change::Key { .. } | Change::Removed { .. } => stored::read_key(kept).map(|record| Change::Key { record, expect }),
        Change::Owner { .. } => stored::read_owner(kept).map(|owner| Change::Owner { owner, expect }),
    }
}

fn owner_of(change: Option<&Change>) -> Option<&OwnerId> {
    match change {
        Some(Change::Key { record, .. }) => Some(&record.owner),
        _ => None,
    }
}

fn revision(change: &Change) -> u64 {
    match change {
        Change::Key { record, .. } => record.revision,
        Change::Owner { owner, .. } => owner.revision,
        Change::Removed { .. } => 0,
    }
}
