//! A commit: first everything is checked, then everything is written, so that what is refused leaves nothing behind.

use prost::Message as _;
use redb::{ReadableTable as _, ReadableTableMetadata as _};

use super::disk::Stop;
use super::plan::{self, Step, lost, named, realm};
use super::tables::Tables;
use super::turn::Turn;
use crate::domain::owner::Owner;
use crate::domain::record::Record;
use crate::domain::time::StoreTime;
use crate::proto::keyward::store::v1 as stored;
use crate::store::commit::is_restricting;
use crate::store::record::{encode_key, encode_owner};
use crate::store::{Change, Commit, Committed, PepperClaim, RequestId, StoreError};

const DAY_MS: i64 = 86_400_000;
/// How many answers that are over a commit forgets: more than the one it may add.
const FORGET: usize = 8;

/// Applies a commit within the turn's transaction.
pub(super) fn commit(turn: &mut Turn<'_>, commit: &Commit) -> Result<Committed, Stop> {
    if let Some(before) = replayed(turn, commit)? {
        return Ok(before);
    }
    not_done_before(&turn.tables, commit)?;
    let steps = plan::check(&turn.tables, commit)?;
    turn.effects.dirty = true;
    let mut position = turn.tables.position()?;
    for step in &steps {
        position += 1;
        write(&mut turn.tables, step)?;
        note(turn, commit, step, position)?;
        if step.renews_limits() {
            turn.renew(&step.subject())?;
        }
    }
    turn.tables.set_position(position)?;
    remember(turn, commit, position)?;
    Ok(Committed {
        position,
        standing: crate::revocation::Standing {
            at: crate::revocation::At { position: position, mark: crate::revocation::Mark(0) },
            level: crate::revocation::Level::Volatile,
            footing: crate::revocation::Footing {
                primary: "".into(),
                whole: crate::revocation::Whole::Whole,
                level: crate::revocation::Level::Volatile,
            },
            holders: Vec::new(),
            longest: std::time::Duration::ZERO,
        },
        replayed: None,
    })
}

/// Keeps the check values where no other is kept, and compares those that are.
pub(super) fn claim_peppers(turn: &mut Turn<'_>, claims: &[PepperClaim]) -> Result<(), Stop> {
    let mut known = 0;
    for claim in claims {
        match turn.tables.peppers.get(claim.version.as_str())?.map(|kept| *kept.value() == claim.check_value) {
            Some(true) => known += 1,
            Some(false) => return Err(StoreError::OtherPepper(claim.version.clone()).into()),
            None => {}
        }
    }
    let others = turn.tables.peppers.len()? > 0;
    if let Some(first) = claims.first().filter(|_| known == 0 && others) {
        return Err(StoreError::OtherPepper(first.version.clone()).into());
    }
    if known == claims.len() {
        return Ok(());
    }
    for claim in claims {
        turn.tables.peppers.insert(claim.version.as_str(), &claim.check_value)?;
    }
    turn.effects.dirty = true;
    Ok(())
}

/// What the same request was answered before.
fn replayed(turn: &mut Turn<'_>, commit: &Commit) -> Result<Option<Committed>, Stop> {
    let Some(request) = &commit.request else { return Ok(None) };
    let kept = turn.tables.answers.get((request.caller.as_str(), request.id.as_str()))?;
    let Some((until, bytes)) = kept.as_ref().map(redb::AccessGuard::value) else { return Ok(None) };
    if until <= turn.at.now.0 {
        return Ok(None);
    }
    let answer = stored::Answer::decode(bytes).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    if answer.fingerprint != request.fingerprint {
        return Err(StoreError::RequestIdReused.into());
    }
    Ok(Some(Committed {
        position: answer.position,
        standing: crate::revocation::Standing {
            at: crate::revocation::At { position: answer.position, mark: crate::revocation::Mark(0) },
            level: crate::revocation::Level::Volatile,
            footing: crate::revocation::Footing {
                primary: "".into(),
                whole: crate::revocation::Whole::Whole,
                level: crate::revocation::Level::Volatile,
            },
            holders: Vec::new(),
            longest: std::time::Duration::ZERO,
        },
        replayed: Some(answer.subject),
    }))
}

fn not_done_before(tables: &Tables<'_>, commit: &Commit) -> Result<(), Stop> {
    match &commit.once {
        Some(mark) if tables.marks.get(mark)?.is_some() => Err(StoreError::DoneBefore.into()),
        _ => Ok(()),
    }
}

fn write(tables: &mut Tables<'_>, step: &Step) -> Result<(), Stop> {
    match &step.after {
        Change::Key { record, .. } => write_key(tables, step.before.as_ref(), record),
        Change::Owner { owner, .. } => write_owner(tables, owner),
    }
}

fn write_owner(tables: &mut Tables<'_>, owner: &Owner) -> Result<(), Stop> {
    tables.owners.insert((owner.realm.as_str(), owner.id.as_str()), encode_owner(owner).as_slice())?;
    Ok(())
}

fn write_key(tables: &mut Tables<'_>, before: Option<&Change>, record: &Record) -> Result<(), Stop> {
    let (realm, id) = (record.realm.as_str(), record.id.as_str());
    for digest in lost(before, record) {
        tables.digests.remove((realm, &digest.0))?;
    }
    for kept in &record.secrets {
        tables.digests.insert((realm, &kept.digest.0), id)?;
    }
    if let Some(Change::Key { record: before, .. }) = before {
        tables.keys_of_owners.remove((realm, before.owner.as_str(), id))?;
    }
    tables.keys_of_owners.insert((realm, record.owner.as_str(), id), ())?;
    tables.keys.insert((realm, id), encode_key(record).as_slice())?;
    Ok(())
}

/// One audit entry and one log entry.
fn note(turn: &mut Turn<'_>, commit: &Commit, step: &Step, position: u64) -> Result<(), Stop> {
    let (kind, id) = named(&step.after);
    let realm = realm(&step.after).to_string();
    let audit = stored::Audit {
        position,
        at_ms: turn.at.now.0,
        actor: commit.audit.actor.as_ref().map_or_else(|| "bootstrap".to_owned(), ToString::to_string),
        action: commit.audit.action.to_owned(),
        realm: realm.clone(),
        subject: commit.audit.subject.clone(),
        request_id: commit.request.as_ref().map(|request| request.id.clone()).unwrap_or_default(),
    };
    let restricting = is_restricting(step.before.as_ref(), &step.after);
    let entry = stored::Entry { position, realm, kind: kind.to_owned(), id: id.to_owned(), restricting, digests: Vec::new(), mark: 0 };
    turn.tables.audit.insert(position, audit.encode_to_vec().as_slice())?;
    turn.tables.log.insert(position, entry.encode_to_vec().as_slice())?;
    Ok(())
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
    let answer = stored::Answer { fingerprint: fingerprint.to_vec(), subject: commit.audit.subject.clone(), position };
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
