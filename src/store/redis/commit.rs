//! Writing: one script applies a commit, with its audit entry and its log entry, or changes nothing; then it is made durable.

use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{Cmd, RedisResult, Value, from_redis_value, from_redis_value_ref};
use prost::Message;
use tokio::time::Instant;

use super::footing::{self, Demand, Info, Told};
use super::pool::Pool;
use super::script::Script;
use super::secure::{self, at_once};
use super::step::Step;
use super::{entries, names};
use crate::domain::name::RealmId;
use crate::proto::keyward::store::v1 as proto;
use crate::revocation::Mark;
use crate::store::{Change, Commit, Committed, StoreError};

static COMMIT: Script = Script::new(include_str!("commit.lua"));

/// How long a request id is remembered.
const REQUESTS_KEPT: Duration = Duration::from_hours(24);

/// How many entries the log keeps, or a few more: who was away for longer reads everything anew.
const ENTRIES_KEPT: usize = 65_536;

/// What is there is read first, to know which digests and lists a key leaves and whether the change restricts; the script makes sure
/// that this is still so. All of it on one connection: what is waited for is what was written there.
pub(super) async fn commit(pool: &Pool, deadline: Instant, demand: Demand, commit: &Commit) -> Result<Committed, StoreError> {
    let mark = getrandom::u64().map(Mark).map_err(|error| StoreError::Unavailable(format!("no random number: {error}")))?;
    pool.run(deadline, |connection| make(connection, (demand, deadline), commit, mark)).await?
}

async fn make(
    mut connection: MultiplexedConnection,
    (demand, deadline): (Demand, Instant),
    commit: &Commit,
    mark: Mark,
) -> RedisResult<Result<Committed, StoreError>> {
    let (before, all_follow) = before(&mut connection, demand, commit).await?;
    let steps = commit.changes.iter().zip(before).map(|(change, before)| Step::new(change, before.as_deref(), mark));
    let steps: Vec<Step> = match steps.collect() {
        Ok(steps) => steps,
        Err(unreadable) => return Ok(Err(unreadable)),
    };
    // While a node is away, waiting would only take every commit's time: it cannot end well.
    let wait = demand.wait(deadline).filter(|_| all_follow);
    let rest = |call: &mut Cmd| write(call, commit, &steps, (mark, at_once(demand)));
    let told: Told<Vec<Value>> = footing::run(&mut connection, &COMMIT, rest, (demand, wait)).await?;
    let made = read(&told, commit);
    if let Ok(made) = &made {
        secure::raise(&mut connection, &made.standing.at.to_string(), (demand, told.level)).await?;
    }
    Ok(made)
}

/// What is kept of each record, and whether all nodes follow.
async fn before(connection: &mut MultiplexedConnection, demand: Demand, commit: &Commit) -> RedisResult<(Vec<Option<Vec<u8>>>, bool)> {
    let mut all = ::redis::pipe();
    for change in &commit.changes {
        let (records, id) = place(change);
        all.cmd("HGET").arg(records).arg(id);
    }
    all.cmd("INFO").arg("replication");
    let mut answers: Vec<Value> = all.query_async(connection).await?;
    let info: Option<String> = answers.pop().map(from_redis_value).transpose()?;
    let kept = answers.into_iter().map(from_redis_value).collect::<Result<_, _>>()?;
    Ok((kept, info.is_some_and(|info| Info(&info).followers() >= demand.replicas)))
}

fn read(told: &Told<Vec<Value>>, commit: &Commit) -> Result<Committed, StoreError> {
    let odd = || StoreError::Corrupt(format!("the answer of the script that commits: {:?}", told.answer));
    let text = |value: &Value| from_redis_value_ref::<String>(value).map_err(|_| odd());
    let (word, rest) = told.answer.split_first().ok_or_else(odd)?;
    match (text(word)?.as_str(), rest) {
        (word @ ("made" | "replayed"), [position, subject, head, longest, registered]) => {
            let longest = from_redis_value_ref(longest).map_err(|_| odd())?;
            let registered: Vec<(String, String)> = from_redis_value_ref(registered).map_err(|_| odd())?;
            let replayed = if word == "replayed" { Some(text(subject)?) } else { None };
            let standing = secure::standing(entries::place(&text(head)?)?, longest, &registered, told)?;
            Ok(Committed { position: text(position)?.parse().map_err(|_| odd())?, standing, replayed })
        }
        ("reused", []) => Err(StoreError::RequestIdReused),
        ("done", []) => Err(StoreError::DoneBefore),
        ("conflict", []) => Err(StoreError::Conflict),
        ("taken", []) => Err(StoreError::SecretTaken),
        ("exists", [number]) => {
            let change = text(number)?.parse().ok().and_then(|number: usize| commit.changes.get(number.checked_sub(1)?));
            Err(StoreError::Exists(change.map(what).ok_or_else(odd)?))
        }
        _ => Err(odd()),
    }
}

fn write(call: &mut Cmd, commit: &Commit, steps: &[Step], (mark, at_once): (Mark, &str)) {
    let fixed = [names::POSITION, names::LOG, names::AUDIT, names::ONCE, names::LEASES, names::LONGEST, names::SECURED, names::BARRIER];
    let mut keys: Vec<String> = fixed.map(String::from).into();
    for step in steps {
        keys.extend([step.records.clone(), names::digests(&step.realm)]);
        keys.extend(step.joins.iter().chain(&step.leaves).cloned());
    }
    keys.extend(commit.request.as_ref().map(names::request));
    call.arg(keys.len()).arg(keys);
    call.arg(commit.request.as_ref().map_or(&b""[..], |request| &request.fingerprint));
    call.arg(&commit.audit.subject).arg(REQUESTS_KEPT.as_secs() * 1000);
    call.arg(commit.once.as_ref().map_or(&b""[..], |mark| mark));
    call.arg(mark.to_string()).arg(at_once).arg(ENTRIES_KEPT).arg(steps.len());
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
