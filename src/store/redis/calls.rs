//! Many calls of one script, each about the windows of one owner: in one pipeline over the one link, or over those of a Cluster's nodes at once.

use ::redis::aio::MultiplexedConnection;
use ::redis::{Cmd, RedisResult, Value};
use tokio::time::Instant;

use super::links::Links;
use super::script::Script;
use super::spread::Spread;
use super::{cluster, fault, names};
use crate::domain::time::StoreTime;
use crate::store::{Return, StoreError, SubjectName};

/// What is asked about one owner's windows.
pub(super) trait Ask: Sync {
    /// That answers it.
    fn script() -> &'static Script;

    /// One of those whose windows are touched; `None`: nobody's are.
    fn subject(&self) -> Option<&SubjectName>;

    /// Writes names and arguments behind the start of a call.
    fn write(&self, call: &mut Cmd);
}

/// The ways to the windows.
pub(super) struct Ways<'a> {
    pub links: &'a Links,
    /// Where they are on several nodes.
    pub spread: Option<&'a Spread>,
}

/// What became of one call: the fault of one is none of the others'.
pub(super) type Answer = Result<Value, StoreError>;

impl Ways<'_> {
    /// Asks all of it, and answers in its order.
    pub(super) async fn ask<A: Ask>(&self, deadline: Instant, asks: &[A]) -> Result<Vec<Answer>, StoreError> {
        if asks.is_empty() {
            return Ok(Vec::new());
        }
        if let Some(spread) = self.spread {
            return spread.ask(deadline, asks).await;
        }
        let asks: Vec<&A> = asks.iter().collect();
        let answers = self.links.here().run_all(deadline, |connection| async move { answers(connection, &asks).await }).await?;
        Ok(answers.into_iter().map(|answer| answer.map_err(|error| fault::fault(&error))).collect())
    }
}

/// The Cluster's slot that it belongs in.
pub(super) fn slot(ask: &impl Ask) -> u16 {
    ask.subject().map_or(0, |subject| cluster::slot(&names::tag(subject)))
}

/// Of all calls, in their order. Those that met a server without the script are sent again with it: it has run nothing of them. Where one
/// fails, what the others did stays done.
pub(super) async fn answers<A: Ask>(mut connection: MultiplexedConnection, asks: &[&A]) -> RedisResult<Vec<RedisResult<Value>>> {
    let mut answers = send(&mut connection, asks.iter().map(|ask| call(A::script().by_hash(), *ask))).await?;
    let unknown = |answer: &RedisResult<Value>| answer.as_ref().is_err_and(fault::is_unknown_script);
    let again: Vec<usize> = (0..answers.len()).filter(|at| unknown(&answers[*at])).collect();
    if !again.is_empty() {
        let repeated = send(&mut connection, again.iter().map(|at| call(A::script().by_text(), asks[*at]))).await?;
        for (at, answer) in again.into_iter().zip(repeated) {
            answers[at] = answer;
        }
    }
    Ok(answers)
}

async fn send(connection: &mut MultiplexedConnection, calls: impl Iterator<Item = Cmd>) -> RedisResult<Vec<RedisResult<Value>>> {
    let mut all = ::redis::pipe();
    all.ignore_errors();
    for call in calls {
        all.add_command(call);
    }
    all.query_async(connection).await
}

fn call(mut start: Cmd, ask: &impl Ask) -> Cmd {
    ask.write(&mut start);
    start
}

/// `None`: the server's time.
pub(super) fn write_now(call: &mut Cmd, now: Option<StoreTime>) {
    match now {
        Some(now) => call.arg(now.0),
        None => call.arg(""),
    };
}

/// Of these subjects, in this order.
pub(super) fn write_returns(call: &mut Cmd, returns: &[Return], subjects: &[&SubjectName]) {
    call.arg(returns.len());
    for back in returns {
        call.arg(place(&back.subject, subjects)).arg(back.window.0).arg(back.slot).arg(back.tokens);
    }
}

/// Where one is among them, as Lua counts.
pub(super) fn place(name: &SubjectName, of: &[&SubjectName]) -> usize {
    of.iter().position(|other| *other == name).map_or(0, |at| at + 1)
}
