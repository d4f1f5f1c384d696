//! A commit: first everything is checked, then everything is written, so that what is refused leaves nothing behind.

use prost::Message as _;
use redb::ReadableTable as _;

use super::disk::Stop;
use super::plan::{self, Step, lost};
use super::tables::{Dues, Tables};
use super::turn::Turn;
use super::{audit, log, peppers};
use crate::domain::audit::Head;
use crate::domain::owner::Owner;
use crate::domain::record::Record;
use crate::domain::time::StoreTime;
use crate::proto::keyward::store::v1 as stored;
use crate::revocation::Mark;
use crate::store::audit::Told;
use crate::store::entry::{encode_entry, entries};
use crate::store::pepper::fresh;
use crate::store::record::{encode_key, encode_owner};
use crate::store::{AuditNote, Change, Commit, RequestId, StoreError};

const DAY_MS: i64 = 86_400_000;
/// How many answers that are over a commit forgets: more than the one it may add.
const FORGET: usize = 8;

/// What became of a commit.
pub(super) struct Made {
    /// Of the last of its changes.
    pub position: u64,
    /// What it was done to, where it was made before.
    pub replayed: Option<String>,
    /// Where the audit log ends then.
    pub audit: Option<Head>,
}

/// Applies a commit within the turn's transaction. `mark`: drawn for it.
pub(super) fn commit(turn: &mut Turn<'_>, commit: &Commit, mark: Mark) -> Result<Made, Stop> {
    if let Some(before) = replayed(turn, commit)? {
        return Ok(before);
    }
    not_done_before(&turn.tables, commit)?;
    let steps = plan::check(&turn.tables, commit)?;
    not_withdrawn(turn, &steps)?;
    turn.effects.dirty = true;
    let mut at = turn.tables.head()?;
    for step in &steps {
        write(&mut turn.tables, step)?;
    }
    let changes: Vec<_> = steps.iter().map(|step| (step.before.as_ref(), &step.after)).collect();
    for entry in entries(at.position, mark, &changes) {
        at = entry.at;
        turn.tables.log.insert(at.position, encode_entry(&entry).as_slice())?;
    }
    let before = steps.first().and_then(|step| step.before.as_ref());
    let audit = audit::append(turn, &commit.audit, Told { commit: Some(commit), before, position: at.position, dropped: None })?;
    turn.tables.set_head(at)?;
    turn.effects.head = Some(at);
    log::trim(&mut turn.tables, log::KEPT, steps.len() + FORGET)?;
    remember(turn, commit, at.position)?;
    Ok(Made { position: at.position, replayed: None, audit: Some(audit) })
}

/// Goes on with the log as it is, where it was found rolled back.
pub(super) fn resume(turn: &mut Turn<'_>, by: &AuditNote) -> Result<(), Stop> {
    if log::abandon(turn)? == 0 {
        return Ok(());
    }
    audit::append(turn, by, Told::default()).map(drop)
}

/// What the same request was answered before.
fn replayed(turn: &mut Turn<'_>, commit: &Commit) -> Result<Option<Made>, Stop> {
    let Some(request) = &commit.request else { return Ok(None) };
    let kept = turn.tables.answers.get((request.caller.to_string().as_str(), request.id.as_str()))?;
    let Some((until, bytes)) = kept.as_ref().map(redb::AccessGuard::value) else { return Ok(None) };
    if until <= turn.at.now.0 {
        return Ok(None);
    }
    let answer = stored::Answer::decode(bytes).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    if answer.fingerprint != request.fingerprint {
        return Err(StoreError::RequestIdReused.into());
    }
    Ok(Some(Made { position: answer.position, replayed: Some(answer.subject), audit: None }))
}

fn not_done_before(tables: &Tables<'_>, commit: &Commit) -> Result<(), Stop> {
    match &commit.once {
        Some(mark) if tables.marks.get(mark)?.is_some() => Err(StoreError::DoneBefore.into()),
        _ => Ok(()),
    }
}

/// No secret is put under a pepper that is withdrawn.
fn not_withdrawn(turn: &Turn<'_>, steps: &[Step]) -> Result<(), Stop> {
    for pepper in steps.iter().flat_map(|step| fresh(step.before.as_ref(), &step.after)) {
        if peppers::is_withdrawn(turn, pepper)? {
            return Err(StoreError::PepperWithdrawn(pepper.clone()).into());
        }
    }
    Ok(())
}

fn write(tables: &mut Tables<'_>, step: &Step) -> Result<(), Stop> {
    match &step.after {
        Change::Key { record, .. } => write_key(tables, step, record),
        Change::Removed { realm, id, .. } => remove_key(tables, step, (realm.as_str(), id.as_str())),
        Change::Owner { owner, .. } => write_owner(tables, owner),
    }
}

fn write_owner(tables: &mut Tables<'_>, owner: &Owner) -> Result<(), Stop> {
    tables.owners.insert((owner.realm.as_str(), owner.id.as_str()), encode_owner(owner).as_slice())?;
    Ok(())
}

fn write_key(tables: &mut Tables<'_>, step: &Step, record: &Record) -> Result<(), Stop> {
    let (realm, id) = (record.realm.as_str(), record.id.as_str());
    remove_key(tables, step, (realm, id))?;
    for kept in &record.secrets {
        tables.digests.insert((realm, &kept.digest.0), id)?;
    }
    tables.keys_of_owners.insert((realm, record.owner.as_str(), id), ())?;
    tables.keys.insert((realm, id), encode_key(record).as_slice())?;
    for (table, when) in due(tables, record) {
        if let Some(when) = when {
            table.insert((when.0, realm, id), ())?;
        }
    }
    Ok(())
}

/// Whatever leads to a key as it was before the step, and its record.
fn remove_key(tables: &mut Tables<'_>, step: &Step, (realm, id): (&str, &str)) -> Result<(), Stop> {
    for digest in lost(step.before.as_ref(), &step.after) {
        tables.digests.remove((realm, &digest.0))?;
    }
    let Some(Change::Key { record: before, .. }) = &step.before else { return Ok(()) };
    tables.keys_of_owners.remove((realm, before.owner.as_str(), id))?;
    tables.keys.remove((realm, id))?;
    for (table, when) in due(tables, before) {
        if let Some(when) = when {
            table.remove((when.0, realm, id))?;
        }
    }
    Ok(())
}

/// What a key can be due for, and when it is.
fn due<'a, 't>(tables: &'a mut Tables<'t>, record: &Record) -> [(&'a mut Dues<'t>, Option<StoreTime>); 2] {
    [(&mut tables.secret_ends, record.secret_ends()), (&mut tables.revoked, record.revoked)]
}

/// Keeps what must not be done again, and forgets some of what may.
fn remember(turn: &mut Turn<'_>, commit: &Commit, position: u64) -> Result<(), Stop> {
    let now = turn.at.now;
    if let Some(mark) = &commit.once {
        turn.tables.marks.insert(mark, now.0)?;
    }
    forget_answers(&mut turn.tables, now)?;
    let Some(RequestId { caller, id, fingerprint }) = &commit.request else { return Ok(()) };
    let until = now.0 + DAY_MS;
    let answer = stored::Answer { fingerprint: fingerprint.to_vec(), subject: commit.audit.subject().to_owned(), position };
    let caller = caller.to_string();
    turn.tables.answers.insert((caller.as_str(), id.as_str()), (until, answer.encode_to_vec().as_slice()))?;
    turn.tables.answers_by_end.insert((until, caller.as_str(), id.as_str()), ())?;
    Ok(())
}

fn forget_answers(tables: &mut Tables<'_>, now: StoreTime) -> Result<(), Stop> {
    for _ in 0..FORGET {
        let over = tables.answers_by_end.first()?.map(|(key, _)| {
            let (end, caller, id) = key.value();
            (end, caller.to_owned(), id.to_owned())
        });
        let Some((end, caller, id)) = over.filter(|(end, ..)| *end <= now.0) else { break };
        tables.answers_by_end.remove((end, caller.as_str(), id.as_str()))?;
        // the id may have been used again after its day
        let same = tables.answers.get((caller.as_str(), id.as_str()))?.is_some_and(|kept| kept.value().0 == end);
        if same {
            tables.answers.remove((caller.as_str(), id.as_str()))?;
        }
    }
    Ok(())
}
