//! The session of a replica: its lease, the log that it follows, and what it has applied.

use std::time::Duration;

use ::redis::Cmd;
use ::redis::aio::MultiplexedConnection;
use ::redis::streams::{StreamRangeReply, StreamReadReply};
use ::redis::{RedisResult, Value, from_redis_value, pipe};
use tokio::time::{Instant, sleep};

use super::entries::{MOST, entries, holders, place};
use super::find::instant;
use super::footing::{self, Demand, Info, Told};
use super::names;
use super::pool::Pool;
use super::script::Script;
use crate::domain::time::StoreTime;
use crate::revocation::{At, Footing, Holder, Log, Pushed, Registration, Renewal, Renewed};
use crate::store::StoreError;

/// The rules of [`Registry`](crate::revocation::Registry) and of what a renewal brings, as Redis runs them.
pub const RENEWAL: &str = concat!(include_str!("place.lua"), include_str!("renew.lua"));
pub const ACKNOWLEDGEMENT: &str = concat!(include_str!("place.lua"), include_str!("acknowledge.lua"));
pub const DISMISSAL: &str = include_str!("dismiss.lua");

static RENEW: Script = Script::new(RENEWAL);
static ACKNOWLEDGE: Script = Script::new(ACKNOWLEDGEMENT);
static DISMISS: Script = Script::new(DISMISSAL);
static HOLDERS: Script = Script::new(include_str!("holders.lua"));

/// How long one call waits for the log: a connection that has gone silent is noticed by then.
pub(super) const BLOCKED: Duration = Duration::from_secs(5);

/// How long whoever follows another log is kept waiting.
const ELSEWHERE: Duration = Duration::from_millis(100);

/// Seconds, microseconds, head, secured, longest lease, who is registered, what the log is, its entries.
type Answer = (i64, i64, String, String, u64, Vec<(String, String)>, String, StreamRangeReply);

/// What a renewal is answered, but for what stands behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brought {
    pub log: Log,
    pub secured: At,
    pub now: StoreTime,
    pub holders: Vec<(Holder, Registration)>,
    pub longest: Duration,
}

pub(super) async fn renew(pool: &Pool, deadline: Instant, demand: Demand, renewal: &Renewal) -> Result<Renewed, StoreError> {
    let rest = |call: &mut Cmd| write_renewal(call, renewal);
    let work = |mut connection: MultiplexedConnection| async move { footing::run(&mut connection, &RENEW, rest, (demand, None)).await };
    let told: Told<Value> = pool.run(deadline, work).await?;
    let Brought { log, secured, now, holders, longest } = read_renewal(told.answer)?;
    Ok(Renewed { log, secured, now, holders, footing: told.footing, longest })
}

/// Writes a renewal's names and arguments behind the start of a call.
pub fn write_renewal(call: &mut Cmd, renewal: &Renewal) {
    let (written, read) =
        ([names::LEASES, names::LONGEST, names::ROLLED_BACK], [names::POSITION, names::LOG, names::SECURED, names::ABANDONED]);
    let applied = renewal.applied.map(|applied| applied.to_string()).unwrap_or_default();
    call.arg(written.len()).arg(&written).arg(&read).arg(renewal.holder.to_string()).arg(milliseconds(renewal.terms.lease));
    call.arg(applied).arg(renewal.secured.to_string()).arg(MOST).arg(renewal.number);
}

/// Reads the script's answer.
pub fn read_renewal(answer: Value) -> Result<Brought, StoreError> {
    let odd = |why: &str| StoreError::Corrupt(format!("the answer of the script that renews a lease: {why}"));
    let answer: Answer = from_redis_value(answer).map_err(|error| odd(&error.to_string()))?;
    let (seconds, micros, head, secured, longest, registered, what, found) = answer;
    let head = place(&head)?;
    let log = match what.as_str() {
        "entries" => Log::Entries { entries: entries(&found.ids)?, head },
        "jump" => Log::Jump { head },
        "lost" => Log::Lost { head },
        "rolled back" => Log::RolledBack { head },
        other => return Err(odd(other)),
    };
    let (holders, longest) = (holders(&registered)?, Duration::from_millis(longest));
    Ok(Brought { log, secured: place(&secured)?, now: instant(seconds, micros), holders, longest })
}

pub(super) async fn acknowledge(pool: &Pool, deadline: Instant, holder: &Holder, applied: At) -> Result<(), StoreError> {
    let rest = |call: &mut Cmd| write_acknowledgement(call, holder, applied);
    pool.run(deadline, |mut connection| async move { ACKNOWLEDGE.run(&mut connection, rest).await }).await
}

/// Writes an acknowledgement's names and arguments.
pub fn write_acknowledgement(call: &mut Cmd, holder: &Holder, applied: At) {
    call.arg(1).arg(names::LEASES).arg(names::POSITION).arg(names::LOG).arg(holder.to_string()).arg(applied.to_string());
}

pub(super) async fn registered(pool: &Pool, deadline: Instant) -> Result<Vec<(Holder, Registration)>, StoreError> {
    let rest = |call: &mut Cmd| {
        call.arg(1).arg(names::LEASES);
    };
    let registered: Vec<(String, String)> =
        pool.run(deadline, |mut connection| async move { HOLDERS.run(&mut connection, rest).await }).await?;
    holders(&registered)
}

pub(super) async fn dismiss(pool: &Pool, deadline: Instant, holder: &Holder, renewals: u64) -> Result<(), StoreError> {
    let rest = |call: &mut Cmd| write_dismissal(call, holder, renewals);
    pool.run(deadline, |mut connection| async move { DISMISS.run(&mut connection, rest).await }).await
}

/// Writes a dismissal's names and arguments.
pub fn write_dismissal(call: &mut Cmd, holder: &Holder, renewals: u64) {
    call.arg(1).arg(names::LEASES).arg(holder.to_string()).arg(renewals);
}

/// It says nothing of any other primary, so it may be told to one.
pub(super) async fn vouch(pool: &Pool, deadline: Instant, footing: &Footing) -> Result<(), StoreError> {
    let seen = |mut connection: MultiplexedConnection| async move {
        ::redis::cmd("SET").arg(names::VOUCHED).arg(&*footing.primary).query_async(&mut connection).await
    };
    pool.run(deadline, seen).await
}

/// Waits for entries. `call`: how long a call may take, apart from its waiting.
pub(super) async fn follow(feed: &Pool, call: Duration, after: At, patience: Duration) -> Result<Pushed, StoreError> {
    let over = Instant::now() + patience;
    loop {
        let wait = over.saturating_duration_since(Instant::now()).min(BLOCKED);
        let (found, at, secured) = feed.run(Instant::now() + wait + call, |connection| next(connection, after, wait)).await?;
        let found = entries(found.keys.first().map_or(&[][..], |log| &log.ids))?;
        let here = after.position == 0 || entries(&at.ids)?.first().is_some_and(|entry| entry.at == after);
        if !found.is_empty() && !here {
            // of another log: whoever asks learns from its next renewal where it stands, and need not ask all the time until then
            sleep(ELSEWHERE.min(over.saturating_duration_since(Instant::now()))).await;
            return Ok(Pushed::default());
        }
        if !found.is_empty() || Instant::now() >= over {
            let secured = secured.filter(|_| here).map_or(Ok(At::default()), |secured| place(&secured))?;
            return Ok(Pushed { entries: found, secured });
        }
    }
}

/// What stands after a place, and at it: a stream is followed by position, whatever stood there when that was applied; and what is secured, which
/// is read when the wait is over. A node that was demoted while this waited may have nothing to say any more.
async fn next(
    mut connection: MultiplexedConnection,
    after: At,
    wait: Duration,
) -> RedisResult<(StreamReadReply, StreamRangeReply, Option<String>)> {
    let mut calls = pipe();
    calls.cmd("XREAD").arg("COUNT").arg(MOST);
    if wait >= Duration::from_millis(1) {
        // 0 would be for ever
        calls.arg("BLOCK").arg(milliseconds(wait));
    }
    let id = format!("{}-0", after.position);
    calls.arg("STREAMS").arg(names::LOG).arg(&id);
    calls.cmd("XRANGE").arg(names::LOG).arg(&id).arg(&id).cmd("GET").arg(names::SECURED).cmd("INFO").arg("replication");
    let (found, at, secured, info): (Option<StreamReadReply>, StreamRangeReply, Option<String>, String) =
        calls.query_async(&mut connection).await?;
    match Info(&info).field("role") {
        Some("master") => Ok((found.unwrap_or_default(), at, secured)),
        _ => Err(footing::no_primary()),
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}
