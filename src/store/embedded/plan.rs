//! What a commit will do, checked before anything is done.

use std::collections::HashMap;

use redb::ReadableTable as _;

use super::disk::Stop;
use super::tables::Tables;
use crate::domain::key::Digest;
use crate::domain::name::RealmId;
use crate::store::record::{decode_key, decode_owner};
use crate::store::{Change, Commit, Expect, StoreError};

/// Checks every change of a commit, each against what the ones before it leave.
pub(super) fn check(tables: &Tables<'_>, commit: &Commit) -> Result<Vec<Step>, Stop> {
    let mut plan = Plan { tables, steps: Vec::new(), written: HashMap::new(), secrets: HashMap::new() };
    for change in &commit.changes {
        plan.add(change)?;
    }
    for (realm, owner) in &commit.needs.owners {
        if tables.owners.get((realm.as_str(), owner.as_str()))?.is_none() {
            return Err(StoreError::Conflict.into());
        }
    }
    for (realm, digest) in &commit.needs.free {
        if tables.holder(realm, &digest.0)?.is_some() {
            return Err(StoreError::SecretTaken.into());
        }
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
    secrets: HashMap<(RealmId, Digest), Option<String>>,
}

impl Plan<'_, '_> {
    fn add(&mut self, change: &Change) -> Result<(), Stop> {
        let before = self.before(change)?;
        expected(before.as_ref(), change)?;
        self.move_secrets(before.as_ref(), change)?;
        let (kind, id) = change.named();
        self.written.insert((change.realm().clone(), kind, id.to_owned()), self.steps.len());
        self.steps.push(Step { before, after: change.clone() });
        Ok(())
    }

    fn before(&self, change: &Change) -> Result<Option<Change>, Stop> {
        let (kind, id) = change.named();
        if let Some(step) = self.written.get(&(change.realm().clone(), kind, id.to_owned())).and_then(|at| self.steps.get(*at)) {
            return Ok(Some(step.after.clone()).filter(|after| !matches!(after, Change::Removed { .. })));
        }
        let name = (change.realm().as_str(), id);
        Ok(match change {
            Change::Key { expect, .. } | Change::Removed { expect, .. } => {
                let bytes = self.tables.keys.get(name)?;
                bytes.map(|bytes| decode_key(bytes.value())).transpose()?.map(|record| Change::Key { record, expect: *expect })
            }
            Change::Owner { expect, .. } => {
                let bytes = self.tables.owners.get(name)?;
                bytes.map(|bytes| decode_owner(bytes.value())).transpose()?.map(|owner| Change::Owner { owner, expect: *expect })
            }
        })
    }

    fn move_secrets(&mut self, before: Option<&Change>, change: &Change) -> Result<(), Stop> {
        let (realm, (_, id)) = (change.realm(), change.named());
        for digest in change.digests() {
            let holder = match self.secrets.get(&(realm.clone(), digest)) {
                Some(holder) => holder.clone(),
                None => self.tables.holder(realm, &digest.0)?,
            };
            if holder.is_some_and(|holder| holder != id) {
                return Err(StoreError::SecretTaken.into());
            }
        }
        for digest in lost(before, change) {
            self.secrets.insert((realm.clone(), digest), None);
        }
        for digest in change.digests() {
            self.secrets.insert((realm.clone(), digest), Some(id.to_owned()));
        }
        Ok(())
    }
}

fn expected(before: Option<&Change>, change: &Change) -> Result<(), StoreError> {
    let revision = before.map(|before| match before {
        Change::Key { record, .. } => record.revision,
        Change::Owner { owner, .. } => owner.revision,
        Change::Removed { .. } => 0,
    });
    match (change.expects(), revision) {
        (Expect::Absent, None) => Ok(()),
        (Expect::Absent, Some(_)) => {
            let (kind, id) = change.named();
            Err(StoreError::Exists(format!("{kind} {id}")))
        }
        (Expect::Revision(expected), Some(revision)) if expected == revision => Ok(()),
        (Expect::Revision(_), _) => Err(StoreError::Conflict),
    }
}

/// Digests that the key no longer has.
pub(super) fn lost(before: Option<&Change>, after: &Change) -> Vec<Digest> {
    let kept: Vec<Digest> = after.digests().collect();
    before.into_iter().flat_map(Change::digests).filter(|digest| !kept.contains(digest)).collect()
}
