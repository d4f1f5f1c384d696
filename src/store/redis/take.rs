//! Taking tokens: one call of the script for every charge, all of a batch sent together. Never repeated where nobody knows whether it was
//! done: what a lost call took stays counted.

use std::time::Duration;

use ::redis::{Cmd, Value};
use tokio::time::Instant;

use super::calls::{Answer, Ask, Ways, place, write_now, write_returns};
use super::names;
use super::script::Script;
use crate::domain::time::StoreTime;
use crate::domain::window::{Force, Span, Spec, Told};
use crate::store::{Charge, Generations, StoreError, SubjectName, Taken};

/// The rule of [`window::take`](crate::domain::window::take), as Redis runs it.
pub const SCRIPT: &str = concat!(include_str!("windows.lua"), include_str!("take.lua"));

/// The same rule where nothing is kept of what it does: of the two functions of one name, the one that comes later is called.
const PEEKED: &str = concat!(include_str!("windows.lua"), "local function write_touched() end\n", include_str!("take.lua"));

static TAKE: Script = Script::new(SCRIPT);
/// The users who check may have scripts run on windows, and not as ones that only read.
static PEEK: Script = Script::new(PEEKED);

/// A charge that is only looked at.
struct Peeked<'a>(&'a Charge);

pub(super) async fn take(ways: Ways<'_>, deadline: Instant, charges: &[Charge]) -> Result<Vec<Taken>, StoreError> {
    Ok(ways.ask(deadline, charges).await?.into_iter().map(answered).collect())
}

/// What [`take`] would answer.
pub(super) async fn peek(ways: Ways<'_>, deadline: Instant, charges: &[Charge]) -> Result<Vec<Taken>, StoreError> {
    let charges: Vec<Peeked<'_>> = charges.iter().map(Peeked).collect();
    Ok(ways.ask(deadline, &charges).await?.into_iter().map(answered).collect())
}

fn answered(answer: Answer) -> Taken {
    answer.and_then(read).unwrap_or_else(Taken::Failed)
}

impl Ask for Charge {
    fn script() -> &'static Script {
        &TAKE
    }

    fn subject(&self) -> Option<&SubjectName> {
        subjects(self).first().copied()
    }

    fn write(&self, call: &mut Cmd) {
        write(call, self, None);
    }
}

impl Ask for Peeked<'_> {
    fn script() -> &'static Script {
        &PEEK
    }

    fn subject(&self) -> Option<&SubjectName> {
        self.0.subject()
    }

    fn write(&self, call: &mut Cmd) {
        self.0.write(call);
    }
}

/// Writes a charge's names and arguments behind the start of a call. `now` is this server's time, or, in tests of the rule, any.
pub fn write(call: &mut Cmd, charge: &Charge, now: Option<StoreTime>) {
    let names = subjects(charge);
    call.arg(names.len());
    for name in &names {
        call.arg(names::windows(name));
    }
    write_now(call, now);
    call.arg(charge.want).arg(charge.cost).arg(milliseconds(charge.ttl)).arg(charge.share);
    call.arg(u8::from(charge.generations == Generations::Confirmed)).arg(charge.subjects.len());
    for subject in &charge.subjects {
        call.arg(place(&subject.name, &names)).arg(u32::try_from(subject.generation).unwrap_or(u32::MAX)).arg(subject.windows.len());
        for window in &subject.windows {
            write_limit(call, window);
        }
    }
    write_returns(call, &charge.returns, &names);
}

fn write_limit(call: &mut Cmd, spec: &Spec) {
    let (slot_ms, [from, until, next_until]) = match spec.span {
        Span::Sliding { slot_ms, .. } => (slot_ms, [0; 3]),
        Span::Calendar(period) => (0, [period.from.0, period.until.0, period.next_until.0]),
    };
    call.arg(spec.id().0).arg(spec.most).arg(slot_ms).arg(u8::from(spec.force == Force::Shadow)).arg(from).arg(until).arg(next_until);
}

/// Reads the script's answer.
pub fn read(answer: Value) -> Result<Taken, StoreError> {
    let Value::Array(answer) = answer else { return Err(odd("no list")) };
    let mut parts = answer.into_iter();
    let word = parts.next().and_then(|word| ::redis::from_redis_value::<String>(word).ok()).unwrap_or_default();
    let numbers = parts.map(|part| if let Value::Int(number) = part { Ok(number) } else { Err(odd("no number")) });
    let numbers = numbers.collect::<Result<Vec<i64>, _>>()?;
    match (word.as_str(), numbers.as_slice()) {
        ("granted", [tokens, ttl, rest @ ..]) => {
            let ttl = Duration::from_millis(count(*ttl)?.into());
            Ok(Taken::Granted { tokens: count(*tokens)?, ttl, windows: told(rest)? })
        }
        ("refused", [wait, rest @ ..]) => {
            Ok(Taken::Refused { retry_in: u64::try_from(*wait).ok().map(Duration::from_millis), windows: told(rest)? })
        }
        ("returned", rest) => Ok(Taken::Granted { tokens: 0, ttl: Duration::ZERO, windows: told(rest)? }),
        ("stale", []) => Ok(Taken::Stale),
        ("behind", []) => Ok(Taken::Behind),
        _ => Err(odd(&word)),
    }
}

/// Everyone whose windows are touched: those who are charged, and those who only get something back.
fn subjects(charge: &Charge) -> Vec<&SubjectName> {
    let mut names: Vec<&SubjectName> = Vec::with_capacity(charge.subjects.len());
    for name in charge.subjects.iter().map(|subject| &subject.name).chain(charge.returns.iter().map(|back| &back.subject)) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// Rounded up: a token is counted as long as it may be spent.
fn milliseconds(ttl: Duration) -> u32 {
    u32::try_from(ttl.as_nanos().div_ceil(1_000_000)).unwrap_or(u32::MAX)
}

/// Three numbers a limit.
fn told(numbers: &[i64]) -> Result<Vec<Told>, StoreError> {
    let told = |numbers: &[i64]| match numbers {
        [slot, left, more_in] => {
            Ok(Told { slot: (*slot >= 0).then_some(*slot), left: count(*left)?, more_in_ms: u32::try_from(*more_in).unwrap_or(u32::MAX) })
        }
        _ => Err(odd("too few numbers")),
    };
    numbers.chunks(3).map(told).collect()
}

fn count(number: i64) -> Result<u32, StoreError> {
    u32::try_from(number).map_err(|_| odd("a count that is none"))
}

fn odd(what: &str) -> StoreError {
    StoreError::Corrupt(format!("the answer of the script that takes tokens: {what}"))
}
