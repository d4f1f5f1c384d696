//! Rows that are written together: what is there is read for all of them at once, and what is new goes into one commit.

use std::collections::{HashMap, HashSet};

use tokio::sync::oneshot;

use super::super::kept::Kept as _;
use super::super::{Keyring, KeyringError, Target, Wrong};
use super::report::ImportReport;
use super::row::Candidate;
use super::{Course, ImportTerms, MissingOwners, Mode, OnConflict};
use crate::domain::key::Digest;
use crate::domain::name::{KeyId, OwnerId, RealmId};
use crate::domain::owner::Owner;
use crate::domain::record::Record;
use crate::domain::time::StoreTime;
use crate::revocation::Standing;
use crate::store::{AuditNote, Change, Commit, Expect, Line, StoreError};

/// So often a lot is looked at anew, when what it looks at changes.
const ATTEMPTS: usize = 32;

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

    /// Those of its keys.
    fn owners(&self) -> impl Iterator<Item = &OwnerId> {
        self.good.iter().map(|(_, row)| &row.record.owner)
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
}

/// What is to become of a lot.
#[derive(Default)]
struct Plan<'a> {
    new: Vec<&'a Candidate>,
    owners: Vec<&'a OwnerId>,
    report: ImportReport,
    ended: Option<KeyringError>,
}

/// The same, with what there is to write. Who writes it is known at the last moment.
struct Draft {
    changes: Vec<Change>,
    free: Vec<(RealmId, Digest)>,
    subjects: Vec<String>,
    outcome: Outcome,
}

/// Where a lot stands among the others.
#[derive(Debug, Default)]
pub(super) struct Place {
    /// Told when the one before it is written; `None`: there is none.
    pub(super) before: Option<oneshot::Receiver<()>>,
    pub(super) line: Line,
}

impl Keyring {
    /// Writes a lot right behind the one before it, if its caller would still be let in. Where that does not go, because a key of it turns out to be there
    /// or somebody else has written meanwhile, it waits for the one before and is looked at anew.
    pub(super) async fn write_lot(
        &self,
        course: &Course,
        (lot, look): (&Lot, Look),
        Place { mut before, mut line }: Place,
    ) -> Result<Outcome, KeyringError> {
        let mut draft = draft(lot, &self.looked(course, (lot, look)).await?, course);
        if draft.changes.is_empty() || draft.outcome.ended.is_some() {
            // nothing comes behind the place at which an import ends
            line.next = None;
        }
        for _ in 0..ATTEMPTS {
            if draft.changes.is_empty() {
                is_written(before.take()).await?;
                self.still(&course.called).await?;
                return Ok(draft.outcome);
            }
            let caller = self.still(&course.called).await?;
            let Draft { changes, free, subjects, outcome } = draft;
            let audit = AuditNote { subjects, ..self.note(&caller, "ImportKeys", String::new()) };
            let commit = Commit { changes, audit, request: None, once: None, free };
            let refused = match self.store.commit_in_line(&commit, std::mem::take(&mut line)).await {
                Ok(committed) => return Ok(Outcome { standing: Some(committed.standing), ..outcome }),
                Err(error) => error,
            };
            is_written(before.take()).await?;
            let look = match refused {
                StoreError::Late => look,
                StoreError::Conflict | StoreError::Exists(_) | StoreError::SecretTaken => Look::First,
                error => return Err(error.into()),
            };
            draft = self::draft(lot, &self.looked(course, (lot, look)).await?, course);
        }
        Err(KeyringError::Busy)
    }

    async fn looked(&self, course: &Course, (lot, look): (&Lot, Look)) -> Result<There, KeyringError> {
        match look {
            Look::First => self.there(course, lot).await,
            Look::IfRefused => self.owners_there(course, lot).await,
        }
    }

    async fn there(&self, course: &Course, lot: &Lot) -> Result<There, KeyringError> {
        let ids: Vec<KeyId> = lot.good.iter().map(|(_, row)| row.record.id.clone()).collect();
        let digests: Vec<Digest> = lot.good.iter().flat_map(|(_, row)| row.known_by.iter().copied()).collect();
        let keys = self.store.keys_of(&course.terms.realm, &ids, &digests);
        let (keys, there) = tokio::try_join!(async { Ok(keys.await?) }, self.owners_there(course, lot))?;
        let by_digest = keys.iter().flat_map(|key| key.secrets.iter().map(|kept| (kept.digest, key.id.clone()))).collect();
        let keys = keys.into_iter().map(|key| (key.id.clone(), key)).collect();
        Ok(There { keys, by_digest, ..there })
    }

    /// As if no key of the lot were there.
    async fn owners_there(&self, course: &Course, lot: &Lot) -> Result<There, KeyringError> {
        let owners: HashSet<OwnerId> = lot.owners().cloned().collect();
        let owners: Vec<OwnerId> = owners.into_iter().collect();
        let found = self.store.owners_of(&course.terms.realm, &owners).await?;
        let owners = found.into_iter().map(|owner| owner.id).collect();
        Ok(There { keys: HashMap::new(), by_digest: HashMap::new(), owners })
    }
}

/// Everything is for one commit, with one entry in the audit log that names it.
fn draft(lot: &Lot, there: &There, Course { terms, now, .. }: &Course) -> Draft {
    let Plan { new, owners, mut report, ended } = planned(lot, there, terms);
    let last = match &ended {
        Some(KeyringError::ImportConflict { row, .. }) => row.saturating_sub(1),
        _ => lot.last,
    };
    report.durable_row = if terms.mode == Mode::Dry { 0 } else { last };
    let (realm, is_written) = (&terms.realm, terms.mode == Mode::Real && !new.is_empty());
    let mut draft =
        Draft { changes: Vec::new(), free: Vec::new(), subjects: Vec::new(), outcome: Outcome { report, standing: None, ended } };
    if is_written {
        let owner = |id: &&OwnerId| Change::Owner { owner: new_owner(realm, id, *now), expect: Expect::Absent };
        let key = |row: &&Candidate| Change::Key { record: row.record.clone(), expect: Expect::Absent };
        draft.changes = owners.iter().map(owner).chain(new.iter().map(key)).collect();
        let owner = |id: &&OwnerId| Owner::name(&Target { realm: realm.clone(), id: (*id).clone() });
        let key = |row: &&Candidate| Record::name(&Target { realm: realm.clone(), id: row.record.id.clone() });
        draft.subjects = owners.iter().map(owner).chain(new.iter().map(key)).collect();
        draft.free = new.iter().flat_map(|row| row.else_known_by()).map(|digest| (realm.clone(), digest)).collect();
    }
    draft
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

/// Waits for the lot before. It is not written where that one is not.
async fn is_written(before: Option<oneshot::Receiver<()>>) -> Result<(), KeyringError> {
    match before {
        Some(before) => before.await.map_err(|_| KeyringError::Busy),
        None => Ok(()),
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
