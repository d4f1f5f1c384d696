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
use crate::store::{AuditNote, Change, Commit, Expect, Line, Needs, StoreError};

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

    /// Those of its keys, each once.
    fn owners(&self) -> impl Iterator<Item = &OwnerId> {
        self.good.iter().map(|(_, row)| &row.record.owner).collect::<HashSet<_>>().into_iter()
    }

    pub(super) fn rows(&self) -> usize {
        self.good.len() + self.bad.len()
    }
}

/// Which of its keys are there already.
#[derive(Default)]
struct There {
    keys: HashMap<KeyId, Record>,
    by_digest: HashMap<Digest, KeyId>,
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
pub(super) struct Draft {
    changes: Vec<Change>,
    needs: Needs,
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
    /// Writes a lot right behind the one before it, if its caller would still be let in. Where a key of it turns out to be there, it waits for the one
    /// before and is looked at anew; where somebody else has written meanwhile, it comes behind that.
    pub(super) async fn write_lot(
        &self,
        course: &Course,
        (lot, mut draft): (&Lot, Draft),
        Place { mut before, mut line }: Place,
    ) -> Result<Outcome, KeyringError> {
        let mut attempts = 0;
        while attempts < ATTEMPTS {
            if draft.changes.is_empty() || draft.outcome.ended.is_some() {
                // nobody can come behind what is not written, and nothing comes behind the place at which an import ends
                line.end();
            }
            if draft.changes.is_empty() {
                is_written(&mut before).await?;
                self.still(&course.called).await?;
                return Ok(draft.outcome);
            }
            let caller = self.still(&course.called).await?;
            let Draft { changes, needs, subjects, outcome } = draft;
            let audit = AuditNote { subjects, ..self.note(&caller, "ImportKeys", String::new()) };
            let commit = Commit { changes, audit, request: None, once: None, needs };
            let refused = match self.store.commit_in_line(&commit, &mut line).await {
                Ok(committed) => return Ok(Outcome { standing: Some(committed.standing), ..outcome }),
                Err(error) => error,
            };
            // as long as it waits for the one before, that one's attempts are counted
            attempts += usize::from(line.is_alone());
            draft = match refused {
                StoreError::Late => {
                    if line.is_alone() {
                        is_written(&mut before).await?;
                    }
                    let Commit { changes, audit, needs, .. } = commit;
                    Draft { changes, needs, subjects: audit.subjects, outcome }
                }
                StoreError::Conflict | StoreError::Exists(_) | StoreError::SecretTaken => {
                    is_written(&mut before).await?;
                    line.leave();
                    self.draft(course, (lot, Look::First), &mut HashSet::new()).await?
                }
                error => return Err(error.into()),
            };
        }
        Err(KeyringError::Busy)
    }

    /// What is to become of a lot. Owners are looked for that are not known; those that are there, or will be, are known then.
    pub(super) async fn draft(
        &self,
        course: &Course,
        (lot, look): (&Lot, Look),
        known: &mut HashSet<OwnerId>,
    ) -> Result<Draft, KeyringError> {
        let owners = async {
            let unknown: Vec<OwnerId> = lot.owners().filter(|owner| !known.contains(*owner)).cloned().collect();
            if unknown.is_empty() { Ok(Vec::new()) } else { self.store.owners_of(&course.terms.realm, &unknown).await }
        };
        let (there, owners) = tokio::try_join!(self.there(course, (lot, look)), owners)?;
        known.extend(owners.into_iter().map(|owner| owner.id));
        Ok(draft(lot, (&there, known), course))
    }

    async fn there(&self, course: &Course, (lot, look): (&Lot, Look)) -> Result<There, StoreError> {
        if look == Look::IfRefused {
            return Ok(There::default());
        }
        let ids: Vec<KeyId> = lot.good.iter().map(|(_, row)| row.record.id.clone()).collect();
        let digests: Vec<Digest> = lot.good.iter().flat_map(|(_, row)| row.known_by.iter().copied()).collect();
        let keys = self.store.keys_of(&course.terms.realm, &ids, &digests).await?;
        let by_digest = keys.iter().flat_map(|key| key.secrets.iter().map(|kept| (kept.digest, key.id.clone()))).collect();
        let keys = keys.into_iter().map(|key| (key.id.clone(), key)).collect();
        Ok(There { keys, by_digest })
    }
}

/// Everything is for one commit, with one entry in the audit log that names it.
fn draft(lot: &Lot, (there, known): (&There, &mut HashSet<OwnerId>), Course { terms, now, .. }: &Course) -> Draft {
    let Plan { new, owners, mut report, ended } = planned(lot, (there, known), terms);
    let last = match &ended {
        Some(KeyringError::ImportConflict { row, .. }) => row.saturating_sub(1),
        _ => lot.last,
    };
    report.durable_row = if terms.mode == Mode::Dry { 0 } else { last };
    let (realm, is_written) = (&terms.realm, terms.mode == Mode::Real && !new.is_empty());
    let outcome = Outcome { report, standing: None, ended };
    let mut draft = Draft { changes: Vec::new(), needs: Needs::default(), subjects: Vec::new(), outcome };
    if is_written {
        let owner = |id: &&OwnerId| Change::Owner { owner: new_owner(realm, id, *now), expect: Expect::Absent };
        let key = |row: &&Candidate| Change::Key { record: row.record.clone(), expect: Expect::Absent };
        draft.changes = owners.iter().map(owner).chain(new.iter().map(key)).collect();
        let owner = |id: &&OwnerId| Owner::name(&Target { realm: realm.clone(), id: (*id).clone() });
        let key = |row: &&Candidate| Record::name(&Target { realm: realm.clone(), id: row.record.id.clone() });
        draft.subjects = owners.iter().map(owner).chain(new.iter().map(key)).collect();
        let of_new: HashSet<&OwnerId> = new.iter().map(|row| &row.record.owner).filter(|owner| known.contains(*owner)).collect();
        draft.needs.owners = of_new.into_iter().map(|owner| (realm.clone(), owner.clone())).collect();
        draft.needs.free = new.iter().flat_map(|row| row.else_known_by()).map(|digest| (realm.clone(), digest)).collect();
    }
    known.extend(owners.into_iter().cloned());
    draft
}

/// Row by row: it is new, or there, or in the way of what is there or came before.
fn planned<'a>(lot: &'a Lot, (there, known): (&There, &HashSet<OwnerId>), terms: &ImportTerms) -> Plan<'a> {
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
            Ok(Verdict::New) if terms.owners == MissingOwners::Refused && !known.contains(&row.record.owner) => {
                let says = format!(
                    "must be an owner that is there, and there is no {}: make it first, or let the import make owners",
                    row.record.owner
                );
                plan.report.refuse(*number, vec![Wrong::new("owner", says)]);
            }
            Ok(Verdict::New) => {
                ids.insert(&row.record.id, (*number, row));
                digests.extend(row.known_by.iter().map(|digest| (digest, (*number, row))));
                if !known.contains(&row.record.owner) && owners.insert(&row.record.owner) {
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
async fn is_written(before: &mut Option<oneshot::Receiver<()>>) -> Result<(), KeyringError> {
    match before.take() {
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
