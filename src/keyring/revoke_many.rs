//! Many keys end at once: those that are named, or those that a filter finds. What it would hit can be looked at before.

use super::edit::ATTEMPTS;
use super::guarantee::{Guarantee, Promise};
use super::kept::Kept as _;
use super::list::KeysOf;
use super::revoke::end;
use super::unknown::Unknown;
use super::{Caller, Keyring, KeyringError, Target, Wrong};
use crate::domain::name::{KeyId, RealmId};
use crate::domain::record::{Cause, Record};
use crate::domain::time::BootTime;
use crate::store::{AuditNote, Change, Commit, Committed, Expect, Needs, Page, StoreError};

/// So many in one commit, with one entry in the audit log.
const TOGETHER: usize = 200;

/// Which keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    Named(Vec<KeyId>),
    /// A page of a list.
    Found(KeysOf, Page),
}

/// Whether it is done, or only looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Run {
    Real,
    Dry,
}

/// Keys that ended, or would.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// In the order in which they were asked for.
    pub keys: Vec<KeyId>,
    /// So many had ended before.
    pub ended_before: usize,
    /// Those that were named and are not there.
    pub missing: Vec<Unknown<KeyId>>,
    /// After which the next page of the list begins, as a page says it; `None`: this was the last.
    pub next: Option<String>,
    /// Of the last change; `None`: nothing had to change, or nothing was done.
    pub position: Option<u64>,
    /// Why it holds; `None`: nothing was done.
    pub guarantee: Option<Guarantee>,
}

/// A commit, and when it was asked for.
struct Last {
    committed: Committed,
    begun: BootTime,
}

impl Keyring {
    /// Revokes keys of a realm, and ends when no replica admits any of them. It may be repeated whatever has become of it.
    pub async fn revoke_many(
        &self,
        caller: &Caller,
        (realm, which): (&RealmId, &Which),
        cause: Cause,
        run: Run,
    ) -> Result<Ending, KeyringError> {
        self.realm_to_change(caller, realm)?;
        let (records, missing, next) = self.meant(caller, realm, which).await?;
        let all = records.len();
        let (mut keys, mut last) = (Vec::new(), None);
        for some in records.chunks(TOGETHER) {
            let (ended, made) = self.end_together(caller, some.to_vec(), cause, run).await?;
            keys.extend(ended);
            last = made.or(last);
        }
        let guarantee = match (run, records.last()) {
            (Run::Real, Some(record)) => Some(self.ended(caller, record, last.as_ref()).await?),
            _ => None,
        };
        let position = last.map(|last| last.committed.position);
        Ok(Ending { ended_before: all - keys.len(), keys, missing, next, position, guarantee })
    }

    async fn meant(
        &self,
        caller: &Caller,
        realm: &RealmId,
        which: &Which,
    ) -> Result<(Vec<Record>, Vec<Unknown<KeyId>>, Option<String>), KeyringError> {
        match which {
            Which::Found(keys, page) => {
                // by a slip of the year every key would be unused
                if let Some(since) = keys.filter.unused_since
                    && since > self.store.now().await?
                {
                    return Err(KeyringError::Invalid(vec![Wrong::new("filter.unused_since", "must not be in the future")]));
                }
                let listing = self.keys(caller, keys, page).await?;
                Ok((listing.items.into_iter().map(|seen| seen.record).collect(), Vec::new(), listing.next))
            }
            Which::Named(ids) => {
                let (mut records, mut missing) = (Vec::new(), Vec::new());
                for id in ids {
                    let target = Target { realm: realm.clone(), id: id.clone() };
                    match self.read::<Record>(caller, &target).await {
                        Ok(record) => records.push(record),
                        Err(KeyringError::NoKey(_, unknown)) => missing.push(unknown),
                        Err(other) => return Err(other),
                    }
                }
                Ok((records, missing, None))
            }
        }
    }

    /// Ends those that have not ended, in one commit. Where somebody changes one of them meanwhile, all are read again.
    async fn end_together(
        &self,
        caller: &Caller,
        mut records: Vec<Record>,
        cause: Cause,
        run: Run,
    ) -> Result<(Vec<KeyId>, Option<Last>), KeyringError> {
        for _ in 0..ATTEMPTS {
            let now = self.store.now().await?;
            let changes: Vec<(&Record, Record)> = records
                .iter()
                .map(|before| {
                    let mut after = Record { revision: before.revision + 1, ..before.clone() };
                    end(&mut after, cause, now);
                    (before, after)
                })
                .filter(|(before, after)| (before.revoked, before.cause) != (after.revoked, after.cause))
                .collect();
            let ended: Vec<KeyId> = changes.iter().map(|(_, after)| after.id.clone()).collect();
            if run == Run::Dry || changes.is_empty() {
                return Ok((ended, None));
            }
            let begun = self.guard.clock.boot();
            match self.store.commit(&self.ending(caller, changes)).await {
                Ok(committed) => return Ok((ended, Some(Last { committed, begun }))),
                Err(StoreError::Conflict) => records = self.again(caller, records).await?,
                Err(other) => return Err(other.into()),
            }
        }
        Err(KeyringError::Busy)
    }

    fn ending(&self, caller: &Caller, changes: Vec<(&Record, Record)>) -> Commit {
        let name = |record: &Record| Record::name(&Target { realm: record.realm.clone(), id: record.id.clone() });
        let subjects = changes.iter().map(|(_, after)| name(after)).collect();
        let audit = AuditNote { subjects, ..self.note(caller, "RevokeKeys", String::new()) };
        let changes = changes.into_iter().map(|(before, after)| Change::Key { record: after, expect: Expect::Revision(before.revision) });
        Commit { changes: changes.collect(), audit, request: None, once: None, needs: Needs::default() }
    }

    /// As they are now, without those that are gone.
    async fn again(&self, caller: &Caller, records: Vec<Record>) -> Result<Vec<Record>, KeyringError> {
        let mut now = Vec::new();
        for record in records {
            match self.read(caller, &Target { realm: record.realm, id: record.id }).await {
                Ok(record) => now.push(record),
                Err(KeyringError::NoKey(..)) => {}
                Err(other) => return Err(other),
            }
        }
        Ok(now)
    }

    /// The last commit stands behind all others, so whoever has applied it has applied them. Where all had ended before, what is recorded of one
    /// of them stands for it, for it is read behind everything that was written.
    async fn ended(&self, caller: &Caller, record: &Record, last: Option<&Last>) -> Result<Guarantee, KeyringError> {
        let target = Target { realm: record.realm.clone(), id: record.id.clone() };
        let name = Record::name(&target);
        let (begun, position, standing) = if let Some(Last { committed, begun }) = last {
            (*begun, committed.position, committed.standing.clone())
        } else {
            let begun = self.guard.clock.boot();
            let (_, standing) = self.secured::<Record>(caller, &target).await?;
            (begun, standing.at.position, standing)
        };
        self.guaranteed(Promise { rpc: "RevokeKeys", name, position, standing: &standing, begun }).await
    }
}
