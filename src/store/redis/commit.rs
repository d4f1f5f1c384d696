//! Writing: one script applies a commit, with its audit entry and its log entry, or changes nothing.

use std::time::Duration;

use ::redis::Cmd;
use prost::Message;
use tokio::time::Instant;

use super::names;
use super::pool::Pool;
use super::script::Script;
use super::step::Step;
use crate::domain::name::RealmId;
use crate::proto::keyward::store::v1 as proto;
use crate::store::{Change, Commit, Committed, StoreError};

static COMMIT: Script = Script::new(include_str!("commit.lua"));

/// How long a request id is remembered.
const REQUESTS_KEPT: Duration = Duration::from_hours(24);

/// What is there is read first, to know which digests and lists a key leaves and whether the change restricts; the script makes sure
/// that this is still so.
pub(super) async fn commit(pool: &Pool, deadline: Instant, commit: &Commit) -> Result<Committed, StoreError> {
    let before = pool.run(deadline, |mut connection| async move {
        let mut all = ::redis::pipe();
        for change in &commit.changes {
            let (records, id) = place(change);
            all.cmd("HGET").arg(records).arg(id);
        }
        if all.is_empty() { Ok(Vec::new()) } else { all.query_async::<Vec<Option<Vec<u8>>>>(&mut connection).await }
    });
    let steps = commit.changes.iter().zip(before.await?);
    let steps = steps.map(|(change, before)| Step::new(change, before.as_deref())).collect::<Result<Vec<_>, _>>()?;
    let rest = |call: &mut Cmd| write(call, commit, &steps);
    let answer: Vec<String> = pool.run(deadline, |mut connection| async move { COMMIT.run(&mut connection, rest).await }).await?;
    read(&answer, commit)
}

fn read(answer: &[String], commit: &Commit) -> Result<Committed, StoreError> {
    let position = |text: &str| text.parse().map_err(|_| odd(answer));
    match answer.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["made", at] => Ok(Committed {
            position: position(at)?,
            standing: crate::revocation::Standing {
                at: crate::revocation::At { position: position(at)?, mark: crate::revocation::Mark(0) },
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
        }),
        ["replayed", at, subject] => Ok(Committed {
            position: position(at)?,
            standing: crate::revocation::Standing {
                at: crate::revocation::At { position: position(at)?, mark: crate::revocation::Mark(0) },
                level: crate::revocation::Level::Volatile,
                footing: crate::revocation::Footing {
                    primary: "".into(),
                    whole: crate::revocation::Whole::Whole,
                    level: crate::revocation::Level::Volatile,
                },
                holders: Vec::new(),
                longest: std::time::Duration::ZERO,
            },
            replayed: Some(subject.into()),
        }),
        ["reused"] => Err(StoreError::RequestIdReused),
        ["done"] => Err(StoreError::DoneBefore),
        ["conflict"] => Err(StoreError::Conflict),
        ["taken"] => Err(StoreError::SecretTaken),
        ["exists", number] => {
            let change = number.parse().ok().and_then(|number: usize| commit.changes.get(number.checked_sub(1)?));
            Err(StoreError::Exists(change.map(what).ok_or_else(|| odd(answer))?))
        }
        _ => Err(odd(answer)),
    }
}

fn write(call: &mut Cmd, commit: &Commit, steps: &[Step]) {
    let mut keys: Vec<String> = [names::POSITION, names::LOG, names::AUDIT, names::ONCE].map(String::from).into();
    for step in steps {
        keys.extend([step.records.clone(), names::digests(&step.realm)]);
        keys.extend(step.joins.iter().chain(&step.leaves).cloned());
    }
    keys.extend(commit.request.as_ref().map(names::request));
    call.arg(keys.len()).arg(keys);
    call.arg(commit.request.as_ref().map_or(&b""[..], |request| &request.fingerprint));
    call.arg(&commit.audit.subject).arg(REQUESTS_KEPT.as_secs() * 1000);
    call.arg(commit.once.as_ref().map_or(&b""[..], |mark| mark)).arg(steps.len());
    for step in steps {
        step.write(call, &audit(commit, &step.realm).encode_to_vec());
    }
}

fn place(change: &Change) -> (String, &str) {
    match change {
        Change::Key { record, .. } => (names::keys(&record.realm), record.id.as_str()),
        Change::Owner { owner, .. } => (names::owners(&owner.realm), owner.id.as_str()),
    }
}

fn what(change: &Change) -> String {
    match change {
        Change::Key { record, .. } => format!("key {}", record.id),
        Change::Owner { owner, .. } => format!("owner {}", owner.id),
    }
}

/// Its position and time are what the script gives it in the stream.
fn audit(commit: &Commit, realm: &RealmId) -> proto::Audit {
    proto::Audit {
        position: 0,
        at_ms: 0,
        actor: commit.audit.actor.as_ref().map_or_else(|| "bootstrap".into(), ToString::to_string),
        action: commit.audit.action.into(),
        realm: realm.to_string(),
        subject: commit.audit.subject.clone(),
        request_id: commit.request.as_ref().map(|request| request.id.clone()).unwrap_or_default(),
    }
}

fn odd(answer: &[String]) -> StoreError {
    StoreError::Corrupt(format!("the answer of the script that commits: {answer:?}"))
}
