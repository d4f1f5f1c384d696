//! What a commit comes to in Redis: which tables are looked at before anything is written, and what is written to them.

use std::borrow::Cow;
use std::collections::HashSet;

use ::redis::Cmd;

use super::groups::{Groups, Write};
use super::new_keys::NewKeys;
use super::stored;
use super::table::Table;
use crate::domain::key::Digest;
use crate::domain::name::RealmId;
use crate::domain::record::Record;
use crate::store::{Change, Expect, Needs, StoreError, by_owner};

/// Stands for a revision that no record has: what was read is not what the commit expects, so it is not what its write was made from.
const NEVER: &[u8] = b"-";
/// Of members that stand in the order of their names.
const NO_SCORE: Cow<'_, [u8]> = Cow::Borrowed(b"0");

/// What is looked at and written.
#[derive(Debug, Default)]
pub(super) struct Steps<'a> {
    new: NewKeys<'a>,
    /// Ids of records that must not be there.
    absent: Groups<'a, ()>,
    /// Digests that no key may have.
    free: Groups<'a, ()>,
    /// Ids of records that must be there.
    present: Groups<'a, ()>,
    /// Records that must be of a revision: their table, id, revision.
    expected: Vec<(String, &'a str, Vec<u8>)>,
    writes: Groups<'a, Write>,
    touched: HashSet<(Table<'a>, &'a str)>,
    secrets: HashSet<(&'a RealmId, Digest)>,
}

impl<'a> Steps<'a> {
    /// With what must be so.
    pub(super) fn new(Needs { free, owners }: &'a Needs) -> Self {
        let mut steps = Self::default();
        for (realm, Digest(digest)) in free {
            steps.free.add((), Table::Digests(realm), [digest.into()]);
        }
        for (realm, owner) in owners {
            steps.present.add((), Table::Owners(realm), [owner.as_str().as_bytes().into()]);
        }
        steps
    }

    /// Adds a change. No record is changed twice by one commit, and no two keys get the same secret.
    pub(super) fn add(&mut self, change: &'a Change, was: Option<&'a Change>) -> Result<(), StoreError> {
        if !self.touched.insert(place(change)) {
            return Err(StoreError::Conflict);
        }
        if let (Change::Key { record, .. }, Expect::Absent) = (change, change.expects())
            && let [secret] = &record.secrets[..]
        {
            self.takes_secret(record, &secret.digest)?;
            self.new.add(record, secret);
            self.write_due(record, was);
            return Ok(());
        }
        self.expect(change, was);
        match change {
            Change::Key { record, .. } => self.write_key(record, was)?,
            Change::Removed { realm, id, .. } => {
                let member = || [id.as_str().as_bytes().into()];
                self.writes.add(Write::Drop, Table::Keys(realm), member());
                self.leave_list(realm, listed(was));
                for due in [Table::SecretEnds, Table::Revoked] {
                    self.writes.add(Write::Leave, due, [due_name(realm, id.as_str())]);
                }
            }
            Change::Owner { owner, expect } => {
                let id = owner.id.as_str().as_bytes();
                // no key is without an owner, so this is every realm that has keys
                if *expect == Expect::Absent && self.touched.insert((Table::Realms, owner.realm.as_str())) {
                    self.writes.add(Write::Join, Table::Realms, [NO_SCORE, owner.realm.as_str().as_bytes().into()]);
                }
                self.writes.add(Write::Set, Table::Owners(&owner.realm), [id.into(), stored::owner(owner).into()]);
                self.writes.add(Write::Join, Table::OwnerIds(&owner.realm), [NO_SCORE, id.into()]);
            }
        }
        let lost = |old: &Digest| change.digests().all(|kept| kept != *old);
        for Digest(lost) in was.into_iter().flat_map(Change::digests).filter(lost) {
            self.writes.add(Write::Drop, Table::Digests(change.realm()), [lost.to_vec().into()]);
        }
        Ok(())
    }

    /// The tables that it touches, in the order in which [`Self::write`] tells what of them.
    pub(super) fn names(&self) -> impl Iterator<Item = Cow<'_, str>> {
        let expected = self.expected.iter().map(|(records, ..)| records.as_str());
        let known = self.absent.names().chain(self.free.names()).chain(self.present.names()).chain(expected).chain(self.writes.names());
        self.new.names().map(Cow::Owned).chain(known.map(Cow::Borrowed))
    }

    pub(super) fn write(&self, call: &mut Cmd) {
        self.new.write(call);
        self.absent.write(call);
        self.free.write(call);
        self.present.write(call);
        call.arg(self.expected.len());
        for (_, id, revision) in &self.expected {
            call.arg(*id).arg(revision);
        }
        self.writes.write(call);
    }

    fn expect(&mut self, change: &'a Change, was: Option<&Change>) {
        let (records, id) = place(change);
        match change.expects() {
            Expect::Absent => self.absent.add((), records, [id.as_bytes().into()]),
            Expect::Revision(expected) => {
                let found = was.map(revision) == Some(expected);
                let revision = if found { stored::revision(expected).into() } else { NEVER.into() };
                self.expected.push((records.name(), id, revision));
            }
        }
    }

    fn write_key(&mut self, record: &'a Record, was: Option<&'a Change>) -> Result<(), StoreError> {
        let (realm, id) = (&record.realm, record.id.as_str());
        let now = by_owner(&record.owner, &record.id);
        let had = |digest: &Digest| was.into_iter().flat_map(Change::digests).any(|had| had == *digest);
        for digest in record.secrets.iter().map(|secret| &secret.digest) {
            self.takes_secret(record, digest)?;
            if !had(digest) {
                self.free.add((), Table::Digests(realm), [(&digest.0).into()]);
            }
            self.writes.add(Write::Set, Table::Digests(realm), [(&digest.0).into(), now.clone().into_bytes().into()]);
        }
        self.writes.add(Write::Set, Table::Keys(realm), [id.as_bytes().into(), stored::key(record).into()]);
        self.leave_list(realm, listed(was).filter(|was| *was != now));
        self.writes.add(Write::Join, Table::KeysByOwner(realm), [NO_SCORE, now.into_bytes().into()]);
        self.write_due(record, was);
        Ok(())
    }

    /// No two keys of a commit have one secret.
    fn takes_secret(&mut self, record: &'a Record, digest: &Digest) -> Result<(), StoreError> {
        if self.secrets.insert((&record.realm, *digest)) { Ok(()) } else { Err(StoreError::SecretTaken) }
    }

    fn write_due(&mut self, record: &'a Record, was: Option<&Change>) {
        for (table, when) in [(Table::SecretEnds, record.secret_ends()), (Table::Revoked, record.revoked)] {
            let name = || due_name(&record.realm, record.id.as_str());
            match when {
                Some(at) => self.writes.add(Write::Join, table, [at.0.to_string().into_bytes().into(), name()]),
                None if was.is_some() => self.writes.add(Write::Leave, table, [name()]),
                None => {}
            }
        }
    }

    fn leave_list(&mut self, realm: &'a RealmId, listed: Option<String>) {
        if let Some(listed) = listed {
            self.writes.add(Write::Leave, Table::KeysByOwner(realm), [listed.into_bytes().into()]);
        }
    }
}

/// Where a change's record is: its table, and its id.
pub(super) fn place(change: &Change) -> (Table<'_>, &str) {
    match change {
        Change::Key { record, .. } => (Table::Keys(&record.realm), record.id.as_str()),
        Change::Owner { owner, .. } => (Table::Owners(&owner.realm), owner.id.as_str()),
        Change::Removed { realm, id, .. } => (Table::Keys(realm), id.as_str()),
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

/// A key, in lists that name keys of all realms.
fn due_name(realm: &RealmId, id: &str) -> Cow<'static, [u8]> {
    format!("{realm}/{id}").into_bytes().into()
}

/// As what a key that was there is listed.
fn listed(was: Option<&Change>) -> Option<String> {
    match was {
        Some(Change::Key { record, .. }) => Some(by_owner(&record.owner, &record.id)),
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
