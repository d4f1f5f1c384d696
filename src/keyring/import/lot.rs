//! Rows that are written together: what is there is read for all of them at once, and what is new goes into one commit.

use std::collections::{HashMap, HashSet};

use super::super::kept::Kept as _;
use super::super::{Called, Caller, Keyring, KeyringError, Target, Wrong};
use super::report::ImportReport;
use super::row::Candidate;
use super::{ImportTerms, MissingOwners, Mode, OnConflict};
use crate::domain::key::Digest;
use crate::domain::name::{KeyId, OwnerId, RealmId};
use crate::domain::owner::Owner;
use crate::domain::record::Record;
use crate::domain::time::StoreTime;
use crate::revocation::Standing;
use crate::store::{Change, Commit, Expect, StoreError};

/// So often a lot is looked at anew, when what it looks at changes.
const ATTEMPTS: usize = 8;

/// Rows that were checked, by their numbers.
#[derive(Debug, Default)]
pub(super) struct Lot {
    good: Vec<(u64, Candidate)>,
    bad: Vec<(u64, Vec<Wrong>)>,
    last: u64,
}

/// When what is there is looked at: a commit of what is new says itself whether it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    First,
    IfRefused,
}

/// What became of a lot.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) report: ImportReport,
    pub(super) standing: Option<Standing>,
    /// The import goes no further than this lot.
    pub(super) ended: Option<KeyringError>,
}

impl Lot {
    pub(super) fn add(&mut self, number: u64, candidate: Candidate) {
        self.good.push((number, candidate));
        self.last = number;
    }

    pub(super) fn refuse(&mut self, number: u64, wrong: Vec<Wrong>) {
        self.bad.push((number, wrong));
        self.last = number;
    }

    pub(super) fn rows(&self) -> usize {
        self.good.len() + self.bad.len()
    }
}

/// What is there already.
struct There {
    keys: HashMap<KeyId, Record>,
    by_digest: HashMap<Digest, KeyId>,
    owners: HashSet<OwnerId>,
    now: StoreTime,
}

/// What is to become of a lot.
#[derive(Default)]
struct Plan<'a> {
    new: Vec<&'a Candidate>,
    owners: Vec<&'a OwnerId>,
    report: ImportReport,
    ended: Option<KeyringError>,
}

impl Keyring {
    /// Writes a lot, once `before` has ended, if its caller would still be let in. Where a key of it turns out to be there, or somebody else has written
    /// meanwhile, it is looked at anew.
    pub(super) async fn write_lot(
        &self,
        call: &Called,
        terms: &ImportTerms,
        (lot, look): (&Lot, Look),
        before: impl Future<Output = Result<(), KeyringError>>,
    ) -> Result<Outcome, KeyringError> {
        let looked = match look {
            Look::First => self.there(&terms.realm, lot).await,
            Look::IfRefused => self.owners_there(&terms.realm, lot).await,
        };
        before.await?;
        let mut there = looked?;
        for _ in 0..ATTEMPTS {
            let caller = self.still(call).await?;
            let mut plan = planned(lot, &there, terms);
            if terms.mode == Mode::Dry || plan.new.is_empty() {
                plan.report.durable_row = if terms.mode == Mode::Dry { 0 } else { plan.last(lot) };
                return Ok(Outcome { report: plan.report, standing: None, ended: plan.ended });
            }
            match self.store.commit(&self.commit_of(&caller, terms, &plan, there.now)).await {
                Ok(committed) => {
                    plan.report.durable_row = plan.last(lot);
                    return Ok(Outcome { report: plan.report, standing: Some(committed.standing), ended: plan.ended });
                }
                Err(StoreError::Conflict | StoreError::Late | StoreError::Exists(_) | StoreError::SecretTaken) => {}
                Err(error) => return Err(error.into()),
            }
            there = self.there(&terms.realm, lot).await?;
        }
        Err(KeyringError::Busy)
    }

    async fn there(&self, realm: &RealmId, lot: &Lot) -> Result<There, KeyringError> {
        let ids: Vec<KeyId> = lot.good.iter().map(|(_, row)| row.record.id.clone()).collect();
        let digests: Vec<Digest> = lot.good.iter().flat_map(|(_, row)| row.known_by.iter().copied()).collect();
        let (keys, there) = tokio::join!(self.store.keys_of(realm, &ids, &digests), self.owners_there(realm, lot));
        let keys = keys?;
        let by_digest = keys.iter().flat_map(|key| key.secrets.iter().map(|kept| (kept.digest, key.id.clone()))).collect();
        let keys = keys.into_iter().map(|key| (key.id.clone(), key)).collect();
        Ok(There { keys, by_digest, ..there? })
    }

    /// As if no key of the lot were there.
    async fn owners_there(&self, realm: &RealmId, lot: &Lot) -> Result<There, KeyringError> {
        let owners: HashSet<OwnerId> = lot.good.iter().map(|(_, row)| row.record.owner.clone()).collect();
        let owners: Vec<OwnerId> = owners.into_iter().collect();
        let (owners, now) = tokio::try_join!(self.store.owners_of(realm, &owners), self.store.now())?;
        let owners = owners.into_iter().map(|owner| owner.id).collect();
        Ok(There { keys: HashMap::new(), by_digest: HashMap::new(), owners, now })
    }

    /// Everything in one commit, with one entry in the audit log that names it.
    fn commit_of(&self, caller: &Caller, terms: &ImportTerms, plan: &Plan<'_>, now: StoreTime) -> Commit {
        let realm = &terms.realm;
        let owners = plan.owners.iter().map(|id| Change::Owner { owner: new_owner(realm, id, now), expect: Expect::Absent });
        let keys = plan.new.iter().map(|row| Change::Key { record: row.record.clone(), expect: Expect::Absent });
        let owner = |id: &&OwnerId| Owner::name(&Target { realm: realm.clone(), id: (*id).clone() });
        let key = |row: &&Candidate| Record::name(&Target { realm: realm.clone(), id: row.record.id.clone() });
        let free = plan.new.iter().flat_map(|row| row.else_known_by()).map(|digest| (realm.clone(), digest)).collect();
        let subjects = plan.owners.iter().map(owner).chain(plan.new.iter().map(key)).collect();
        let mut audit = self.note(caller, "ImportKeys", String::new());
        audit.subjects = subjects;
        Commit { changes: owners.chain(keys).collect(), audit, request: None, once: None, free }
    }
}

/// Row by row: it is new, or there, or in the way of what is there or came before.
fn planned<'a>(lot: &'a Lot, there: &There, terms: &ImportTerms) -> Plan<'a> {
    let mut plan = Plan::default();
    let (mut ids, mut digests, mut owners): (HashMap<_, (u64, &Candidate)>, HashMap<_, _>, HashSet<_>) = Default::default();
    for (number, wrong) in &lot.bad {
        plan.report.refuse(*number, wrong.clone());
    }
    for (number, row) in &lot.good {
        let before = ids.get(&row.record.id).or_else(|| row.known_by.iter().find_map(|digest| digests.get(digest)));
        let verdict = match before {
            Some((_, before)) if row.is(&before.record) => Ok(Verdict::Unchanged),
            Some((before, _)) => Err(Wrong::new("row", format!("has the id or the secret of row {before}, and another content"))),
            None => judged(row, there),
        };
        match verdict {
            Ok(Verdict::Unchanged) => plan.report.unchanged += 1,
            Ok(Verdict::New) if terms.owners == MissingOwners::Refused && !there.owners.contains(&row.record.owner) => {
                let says = format!(
                    "must be an owner that is there, and there is no {}: make it first, or let the import make owners",
                    row.record.owner
                );
                plan.report.refuse(*number, vec![Wrong::new("owner", says)]);
            }
            Ok(Verdict::New) => {
                ids.insert(&row.record.id, (*number, row));
                digests.extend(row.known_by.iter().map(|digest| (digest, (*number, row))));
                if !there.owners.contains(&row.record.owner) && owners.insert(&row.record.owner) {
                    plan.owners.push(&row.record.owner);
                }
                plan.new.push(row);
            }
            Err(wrong) if terms.on_conflict == OnConflict::Fail => {
                plan.ended = Some(KeyringError::ImportConflict { row: *number, wrong });
                break;
            }
            Err(wrong) => plan.report.refuse(*number, vec![wrong]),
        }
    }
    (plan.report.created, plan.report.owners) = (plan.new.len() as u64, plan.owners.len() as u64);
    plan.report.told.sort_by_key(|refused| refused.number);
    plan
}

impl Plan<'_> {
    /// The last row that is dealt with.
    fn last(&self, lot: &Lot) -> u64 {
        match &self.ended {
            Some(KeyringError::ImportConflict { row, .. }) => row - 1,
            _ => lot.last,
        }
    }
}

enum Verdict {
    New,
    Unchanged,
}

fn judged(row: &Candidate, there: &There) -> Result<Verdict, Wrong> {
    if let Some(key) = there.keys.get(&row.record.id) {
        let other =
            || Wrong::new("id", "is that of a key that is there with another content: keys that are there are not changed by an import");
        return if row.is(key) { Ok(Verdict::Unchanged) } else { Err(other()) };
    }
    match row.known_by.iter().find_map(|digest| there.by_digest.get(digest)) {
        None => Ok(Verdict::New),
        Some(holder) if there.keys.get(holder).is_some_and(|key| row.is(key)) => Ok(Verdict::Unchanged),
        Some(holder) => Err(Wrong::new("secret", format!("is that of the key {holder}, which is there with another content or id"))),
    }
}

fn new_owner(realm: &RealmId, id: &OwnerId, now: StoreTime) -> Owner {
    Owner {
        realm: realm.clone(),
        id: id.clone(),
        name: String::new(),
        plan: None,
        limits: Box::default(),
        created: now,
        disabled: None,
        revision: 1,
        generation: 0,
    }
}
