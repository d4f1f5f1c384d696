//! The audit log: what it is asked before an entry is made, how an entry is appended, and how entries are read.

use std::mem;

use ::redis::aio::MultiplexedConnection;
use ::redis::streams::{StreamId, StreamRangeReply};
use ::redis::{Cmd, Pipeline, RedisResult, Value, cmd, from_redis_value};
use tokio::time::Instant;

use super::names;
use super::pool::Pool;
use super::script::Script;
use super::turn::Turn;
use crate::domain::audit::{Head, Sealed};
use crate::domain::time::StoreTime;
use crate::store::audit::{self, Appended, End, Told, append};
use crate::store::{AuditNote, StoreError};

static NOTE: Script = Script::new(concat!(include_str!("audit.lua"), include_str!("note.lua")));
static RESUME: Script = Script::new(concat!(include_str!("audit.lua"), include_str!("resume.lua")));

/// The first names of every script that appends.
pub(super) const NAMES: [&str; 3] = [names::AUDIT, names::AUDIT_HEAD, names::TURN];

/// What an entry is made of beside its note.
pub(super) struct Before {
    pub(super) end: End,
    pub(super) now: StoreTime,
}

/// The start of a pipeline: where the log ends, and what time it is.
pub(super) fn ask() -> Pipeline {
    let mut all = ::redis::pipe();
    all.cmd("GET").arg(names::AUDIT_HEAD).cmd("TIME");
    all
}

/// Its answers.
pub(super) fn read(answers: Vec<Value>) -> RedisResult<Before> {
    let (head, (seconds, micros)): (Option<String>, (i64, i64)) = from_redis_value(Value::Array(answers))?;
    let now = StoreTime(seconds * 1000 + micros / 1000);
    Ok(Before { end: head.map_or(Ok(End::default()), |head| parse(&head))?, now })
}

/// The first arguments of every script that appends.
pub(super) fn write(call: &mut Cmd, turn: &Turn, appended: &Appended) {
    call.arg(turn.token()).arg(&appended.after).arg(&appended.end.kept).arg(&appended.bytes);
}

/// Appends a note; one that tells what is dropped drops it.
pub(super) async fn note(pool: &Pool, deadline: Instant, note: &AuditNote, dropped: Option<Head>) -> Result<Head, StoreError> {
    let first_kept = dropped.map_or_else(String::new, |dropped| (dropped.sequence + 1).to_string());
    let rest = |call: &mut Cmd, turn: &Turn, appended: &Appended| {
        call.arg(NAMES.len()).arg(&NAMES);
        write(call, turn, appended);
        call.arg(&first_kept);
    };
    let rest = &rest;
    pool.run(deadline, |connection| until_appended(connection, &NOTE, (note, dropped), rest)).await
}

/// Drops entries up to a number, and says so in the log.
pub(super) async fn drop(pool: &Pool, deadline: Instant, through: u64, note: &AuditNote) -> Result<(), StoreError> {
    let last = |mut connection: MultiplexedConnection| async move {
        let through = format!("{through}-0");
        cmd("XREVRANGE").arg(names::AUDIT).arg(through).arg("-").arg("COUNT").arg(1).query_async(&mut connection).await
    };
    let found: StreamRangeReply = pool.run(deadline, last).await?;
    let Some(last) = found.ids.first().map(entry).transpose()? else { return Ok(()) };
    self::note(pool, deadline, note, Some(End::of(&last)?.head)).await.map(mem::drop)
}

/// Goes on with the log that replicas follow as it is.
pub(super) async fn resume(pool: &Pool, deadline: Instant, note: &AuditNote) -> Result<(), StoreError> {
    let rest = |call: &mut Cmd, turn: &Turn, appended: &Appended| {
        call.arg(NAMES.len() + 2).arg(&NAMES).arg(names::ROLLED_BACK).arg(names::ABANDONED);
        write(call, turn, appended);
    };
    let rest = &rest;
    pool.run(deadline, |connection| until_appended(connection, &RESUME, (note, None), rest)).await.map(mem::drop)
}

/// Entries above a number.
pub(super) async fn entries(pool: &Pool, deadline: Instant, after: u64, count: usize) -> Result<Vec<Sealed>, StoreError> {
    let range = |mut connection: MultiplexedConnection| async move {
        let from = format!("({after}-0");
        cmd("XRANGE").arg(names::AUDIT).arg(from).arg("+").arg("COUNT").arg(count).query_async(&mut connection).await
    };
    let found: StreamRangeReply = pool.run(deadline, range).await?;
    found.ids.iter().map(entry).collect()
}

/// Where it ends, as far as is said.
pub(super) async fn head(pool: &Pool, deadline: Instant) -> Result<Head, StoreError> {
    let get = |mut connection: MultiplexedConnection| async move { cmd("GET").arg(names::AUDIT_HEAD).query_async(&mut connection).await };
    let head: Option<String> = pool.run(deadline, get).await?;
    let end = head.map_or(Ok(End::default()), |head| End::parse(&head));
    end.map(|end| end.head).map_err(|error| StoreError::Corrupt(format!("the audit log's head: {error}")))
}

pub(super) async fn until_appended(
    mut connection: MultiplexedConnection,
    script: &'static Script,
    (note, dropped): (&AuditNote, Option<Head>),
    rest: &impl Fn(&mut Cmd, &Turn, &Appended),
) -> RedisResult<Head> {
    let mut turn = Turn::default();
    loop {
        let before = read(ask().query_async(&mut connection).await?)?;
        let appended = append(note, before.end, before.now, Told { dropped, ..Told::default() });
        let is_appended: bool = script.run(&mut connection, |call| rest(call, &turn, &appended)).await?;
        if is_appended {
            return Ok(appended.end.head);
        }
        turn.was_late(&mut connection).await?;
    }
}

fn entry(id: &StreamId) -> Result<Sealed, StoreError> {
    let bytes: Option<Vec<u8>> = id.get("entry");
    audit::decode(&bytes.ok_or_else(|| StoreError::Corrupt(format!("{} of the audit log holds no entry", id.id)))?)
}

fn parse(head: &str) -> RedisResult<End> {
    End::parse(head).map_err(|_| (::redis::ErrorKind::UnexpectedReturnType, "the audit log's head is none").into())
}
