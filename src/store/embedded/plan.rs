//! What a commit will do, checked before anything is done.

use std::collections::HashMap;

use redb::ReadableTable as _;

use super::disk::Stop;
use super::tables::Tables;
use crate::domain::key::Digest;
use crate::domain::name::{KeyId, RealmId};
use crate::domain::record::Record;
use crate::store::record::{decode_key, decode_owner};
use crate::store::{Change, Commit, Expect, StoreError};

/// Checks every change of a commit, each against what the ones before it leave.
pub(super) fn check(tables: &Tables<'_>, commit: &Commit) -> Result<Vec<Step>, Stop> {
    let mut plan = Plan { tables, steps: Vec::new(), written: HashMap::new(), secrets: HashMap::new() };
    for change in &commit.changes {
        plan.add(change)?;
    }
    Ok(plan.steps)
}

/// A change that was found possible, with what it replaces.
pub(super) struct Step {
    pub before: Option<Change>,
    pub after: Change,
}

struct Plan<'t, 'a> {
    tables: &'a Tables<'t>,
    steps: Vec<Step>,
    /// Which step wrote a record last.
    written: HashMap<(RealmId, &'static str, String), usize>,
    /// Who has a secret after the steps so far; `None`: nobody any more.
    secrets: HashMap<(RealmId, Digest), Option<KeyId>>,
}

impl Plan<'_, '_> {
    fn add(&mut self, change: &Change) -> Result<(), Stop> {
        let before = self.before(change)?;
        expected(before.as_ref(), change)?;
        if let Change::Key { record, .. } = change {
            self.move_secrets(before.as_ref(), record)?;
        }
        let (kind, id) = named(change);
        self.written.insert((realm(change).clone(), kind, id.to_owned()), self.steps.len());
        self.steps.push(Step { before, after: change.clone() });
        Ok(())
    }

    fn before(&self, change: &Change) -> Result<Option<Change>, Stop> {
        let (kind, id) = named(change);
        if let Some(step) = self.written.get(&(realm(change).clone(), kind, id.to_owned())).and_then(|at| self.steps.get(*at)) {
            return Ok(Some(step.after.clone()));
        }
        let name = (realm(change).as_str(), id);
        Ok(match change {
            Change::Key { expect, .. } => {
                let bytes = self.tables.keys.get(name)?;
                bytes.map(|bytes| decode_key(bytes.value())).transpose()?.map(|record| Change::Key { record, expect: *expect })
            }
            Change::Owner { expect, .. } => {
                let bytes = self.tables.owners.get(name)?;
                bytes.map(|bytes| decode_owner(bytes.value())).transpose()?.map(|owner| Change::Owner { owner, expect: *expect })
            }
        })
    }

    fn move_secrets(&mut self, before: Option<&Change>, record: &Record) -> Result<(), Stop> {
        for kept in &record.secrets {
            let holder = match self.secrets.get(&(record.realm.clone(), kept.digest)) {
                Some(holder) => holder.as_ref().map(ToString::to_string),
                None => self.tables.holder(&record.realm, &kept.digest.0)?,
            };
            if holder.is_some_and(|holder| holder != record.id.as_str()) {
                return Err(StoreError::SecretTaken.into());
            }
        }
        for digest in lost(before, record) {
            self.secrets.insert((record.realm.clone(), digest), None);
        }
        for kept in &record.secrets {
            self.secrets.insert((record.realm.clone(), kept.digest), Some(record.id.clone()));
        }
        Ok(())
    }
}

fn expected(before: Option<&Change>, change: &Change) -> Result<(), StoreError> {
    let revision = before.map(|before| match before {
        Change::Key { record, .. } => record.revision,
        Change::Owner { owner, .. } => owner.revision,
    });
    let (Change::Key { expect, .. } | Change::Owner { expect, .. }) = change;
    match (expect, revision) {
        (Expect::Absent, None) => Ok(()),
        (Expect::Absent, Some(_)) => {
            let (kind, id) = named(change);
            Err(StoreError::Exists(format!("{kind} {id}")))
        }
        (Expect::Revision(expected), Some(revision)) if *expected == revision => Ok(()),
        (Expect::Revision(_), _) => Err(StoreError::Conflict),
    }
}

/// Digests that the key no longer has.
pub(super) fn lost(before: Option<&Change>, record: &Record) -> Vec<Digest> {
    let Some(Change::Key { record: before, .. }) = before else { return Vec::new() };
    let kept = |digest: &Digest| record.secrets.iter().any(|kept| kept.digest == *digest);
    before.secrets.iter().map(|secret| secret.digest).filter(|digest| !kept(digest)).collect()
}

pub(super) fn realm(change: &Change) -> &RealmId {
    match change {
        Change::Key { record, .. } => &record.realm,
        Change::Owner { owner, .. } => &owner.realm,
    }
}

/// What kind of record, and its id.
pub(super) fn named(change: &Change) -> (&'static str, &str) {
    match change {
        Change::Key { record, .. } => ("key", record.id.as_str()),
        Change::Owner { owner, .. } => ("owner", owner.id.as_str()),
    }
}
