//! What a node's answer is worth: which node it was, who follows it, how durable its writes are. It is asked in one go with the call itself and
//! behind it, on the same connection: whatever changed up to the call is seen.

use std::collections::HashMap;
use std::time::Duration;

use ::redis::aio::ConnectionLike;
use ::redis::{Cmd, ErrorKind, FromRedisValue, Pipeline, RedisError, RedisResult, ServerErrorKind, Value, from_redis_value};
use tokio::time::Instant;

use super::script::Script;
use super::{Settings, fault, names};
use crate::revocation::{Firmness, Footing, Keeps, Level, Whole, is_everywhere};

/// Settings of a server that decide whether an answered write is on its disk.
pub(super) const ON_DISK: [(&str, &str); 3] = [("appendonly", "yes"), ("appendfsync", "always"), ("no-appendfsync-on-rewrite", "no")];
/// A server that evicts what it holds may forget who holds a lease.
const EVICTION: (&str, &str) = ("maxmemory-policy", "noeviction");

/// Redis looks ten times a second whether somebody has waited long enough.
const LATE: Duration = Duration::from_millis(150);

/// What the operator asks of a set of nodes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Demand {
    /// What a change must reach; `None`: what it reaches is told.
    pub(super) level: Option<Level>,
    /// How many nodes may be promoted.
    pub(super) replicas: u32,
}

/// An answer, and what it is worth.
pub(super) struct Told<T> {
    pub(super) answer: T,
    pub(super) footing: Footing,
    /// What everything that was written up to the answer has reached.
    pub(super) level: Level,
}

impl Demand {
    pub(super) fn of(settings: &Settings) -> Self {
        Self { level: settings.level, replicas: settings.replicas }
    }

    /// Whether a change counts only when all nodes have it.
    pub(super) fn is_of_all(self) -> bool {
        self.replicas > 0 && self.level.is_none_or(|level| level == Level::Replicated)
    }

    /// Until when a write is waited for, if it is.
    pub(super) fn wait(self, deadline: Instant) -> Option<Instant> {
        self.is_of_all().then_some(deadline)
    }

    /// What an answered write has reached by that alone. A server that keeps its settings to itself is what the operator says that it is.
    fn on_disk(self, settings: Option<&HashMap<String, String>>) -> Level {
        let told = settings.filter(|settings| ON_DISK.iter().all(|(name, _)| settings.contains_key(*name)));
        match told.map(|settings| unlike_on_disk(settings).is_none()) {
            Some(true) => Level::Single,
            Some(false) => Level::Volatile,
            None => self.level.map_or(Level::Volatile, |level| level.min(Level::Single)),
        }
    }
}

/// The first setting by which an answered write may not be on disk yet, with what it should be.
pub(super) fn unlike_on_disk(settings: &HashMap<String, String>) -> Option<(&'static str, &'static str)> {
    ON_DISK.into_iter().find(|(name, fit)| settings.get(*name).is_some_and(|is| is != fit))
}

/// Runs a script that writes, waits until that moment for all nodes that may be promoted to have its write and so everything before it, and asks
/// who did it.
pub(super) async fn run<T, C>(
    connection: &mut C,
    script: &Script,
    rest: impl Fn(&mut Cmd),
    (demand, wait): (Demand, Option<Instant>),
) -> RedisResult<Told<T>>
where
    T: FromRedisValue,
    C: ConnectionLike,
{
    let Some(deadline) = wait else {
        let mut answers = with_script(script.by_hash(), &rest).query_async(connection).await?;
        if first(&answers).is_some_and(fault::is_unknown_script) {
            answers = with_script(script.by_text(), &rest).query_async(connection).await?;
        }
        let [answer, who @ ..] = exactly(answers)?;
        return read(from_redis_value(answer?)?, 0, who, demand);
    };
    // by itself: a server that does not know the script would wait all the same
    let answer = script.run(connection, rest).await?;
    let mut all = ::redis::pipe();
    all.ignore_errors().cmd("WAIT").arg(demand.replicas).arg(milliseconds(deadline));
    let [acknowledged, who @ ..] = exactly(who_it_is(&mut all).query_async(connection).await?)?;
    read(answer, from_redis_value(acknowledged?)?, who, demand)
}

fn with_script(mut script: Cmd, rest: impl Fn(&mut Cmd)) -> Pipeline {
    rest(&mut script);
    let mut all = ::redis::pipe();
    who_it_is(all.ignore_errors().add_command(script));
    all
}

fn who_it_is(all: &mut Pipeline) -> &mut Pipeline {
    all.cmd("INFO").arg(&["server", "replication", "stats"]);
    all.cmd("CONFIG").arg("GET").arg(ON_DISK.map(|(name, _)| name).as_slice()).arg(EVICTION.0);
    all.cmd("GET").arg(names::VOUCHED)
}

type Answers = Vec<RedisResult<Value>>;

fn first(answers: &Answers) -> Option<&RedisError> {
    answers.first().and_then(|answer| answer.as_ref().err())
}

fn exactly(answers: Answers) -> RedisResult<[RedisResult<Value>; 4]> {
    answers.try_into().map_err(|_| odd("not as many as were asked"))
}

fn read<T>(answer: T, acknowledged: u32, [info, settings, vouched]: [RedisResult<Value>; 3], demand: Demand) -> RedisResult<Told<T>> {
    let (info, vouched): (String, Option<String>) = (from_redis_value(info?)?, from_redis_value(vouched?)?);
    let settings: Option<HashMap<String, String>> = match settings {
        Err(error) if fault::is_forbidden(&error) => None,
        settings => Some(from_redis_value(settings?)?),
    };
    let info = Info(&info);
    if info.field("role") != Some("master") {
        return Err(no_primary());
    }
    let on_disk = demand.on_disk(settings.as_ref());
    let is = |(name, value): (&str, &str)| settings.as_ref().is_none_or(|settings| settings.get(name).is_none_or(|is| is == value));
    let footing = match info.footing(demand, on_disk, vouched.as_deref()) {
        footing if !is(EVICTION) => Footing { whole: Whole::Missing, level: Level::Volatile, ..footing },
        // a primary that is back before another is promoted would come back empty
        footing if !is(ON_DISK[0]) => Footing { level: Level::Volatile, ..footing },
        footing => footing,
    };
    let everywhere = footing.level == Level::Replicated && is_everywhere(Keeps::ALL, acknowledged, demand.replicas);
    let level = if everywhere { Level::Replicated } else { on_disk.min(footing.level) };
    Ok(Told { answer, footing, level })
}

/// What INFO says.
pub(super) struct Info<'a>(pub(super) &'a str);

impl<'a> Info<'a> {
    pub(super) fn field(&self, name: &str) -> Option<&'a str> {
        self.0.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
    }

    /// How many nodes follow it.
    pub(super) fn followers(&self) -> u32 {
        let follows = |line: &&str| line.starts_with("slave") && line.contains("state=online");
        u32::try_from(self.0.lines().filter(follows).count()).unwrap_or(u32::MAX)
    }

    fn footing(&self, demand: Demand, on_disk: Level, vouched: Option<&str>) -> Footing {
        let field = |name| self.field(name).unwrap_or_default();
        let whole = if self.followers() == demand.replicas { Whole::Whole } else { Whole::Missing };
        let level = if demand.is_of_all() && whole == Whole::Whole { Level::Replicated } else { on_disk };
        let primary = format!("{}/{}/{}", field("run_id"), field("master_replid"), field("sync_full"));
        let vouched = if vouched == Some(&*primary) { Firmness::Firm } else { Firmness::Shifting };
        Footing { primary: primary.into(), whole, level, vouched }
    }
}

/// A node that is no primary any more: another connection may lead to the one that is.
pub(super) fn no_primary() -> RedisError {
    (ErrorKind::Server(ServerErrorKind::ReadOnly), "it is no primary").into()
}

/// Until the deadline, but for what it takes to hear the answer. 0 would be for ever.
fn milliseconds(deadline: Instant) -> u64 {
    let rest = deadline.saturating_duration_since(Instant::now());
    let wait = rest.saturating_sub(LATE.max(rest / 8)).max(rest / 2);
    u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1)
}

fn odd(what: &'static str) -> RedisError {
    (ErrorKind::UnexpectedReturnType, what).into()
}
