//! Settling tickets: one call of the script for every ticket, all of a batch sent together. A ticket that was settled is in a set of those
//! that were minted in the same ten minutes, beside its owner's windows; the set ends when none of them can be settled any more. So a call
//! whose fate nobody knows may be repeated.

use ::redis::{Cmd, Value};
use tokio::time::Instant;

use super::calls::{Answer, Ask, Ways, write_now, write_returns};
use super::names;
use super::script::Script;
use crate::domain::time::StoreTime;
use crate::store::{Settled, Settlement, StoreError, SubjectName, TICKETS_LIVE};

/// Gives back what a ticket does not count, once.
pub const SCRIPT: &str = concat!(include_str!("windows.lua"), include_str!("settle.lua"));

static SETTLE: Script = Script::new(SCRIPT);

pub(super) async fn settle(ways: Ways<'_>, deadline: Instant, settlements: &[Settlement]) -> Result<Vec<Settled>, StoreError> {
    // of a ticket that gives nothing back there is nothing to note, nor an owner to note it beside
    let open: Vec<Open<'_>> = settlements.iter().filter_map(Open::new).collect();
    let mut answers = ways.ask(deadline, &open).await?.into_iter();
    let settled = |settlement: &Settlement| match Open::new(settlement) {
        Some(_) => answers.next().map_or_else(|| Settled::Failed(odd("none")), answered),
        None => Settled::Done,
    };
    Ok(settlements.iter().map(settled).collect())
}

/// A settlement that gives something back.
struct Open<'a> {
    settlement: &'a Settlement,
    /// Whose all of it is.
    owner: &'a SubjectName,
}

impl<'a> Open<'a> {
    fn new(settlement: &'a Settlement) -> Option<Self> {
        settlement.returns.first().map(|back| Self { settlement, owner: &back.subject })
    }
}

impl Ask for Open<'_> {
    fn script() -> &'static Script {
        &SETTLE
    }

    fn subject(&self) -> Option<&SubjectName> {
        Some(self.owner)
    }

    fn write(&self, call: &mut Cmd) {
        write(call, self.settlement, self.owner, None);
    }
}

/// Writes names and arguments behind the start of a call. `now` is this server's time, or, in tests of the rule, any.
pub fn write(call: &mut Cmd, settlement: &Settlement, owner: &SubjectName, now: Option<StoreTime>) {
    let live = i64::try_from(TICKETS_LIVE.as_millis()).unwrap_or(i64::MAX);
    let (minted, together) = (settlement.minted.0, settlement.minted.0.div_euclid(live));
    let mut subjects: Vec<&SubjectName> = Vec::with_capacity(2);
    for back in &settlement.returns {
        if !subjects.contains(&&back.subject) {
            subjects.push(&back.subject);
        }
    }
    call.arg(1 + subjects.len()).arg(names::settled(owner, together));
    for subject in &subjects {
        call.arg(names::windows(subject));
    }
    write_now(call, now);
    // the last of these ten minutes' tickets is minted where the next ones begin
    call.arg(&settlement.ticket.0[..]).arg(minted).arg(live).arg((together + 2).saturating_mul(live));
    write_returns(call, &settlement.returns, &subjects);
}

fn answered(answer: Answer) -> Settled {
    answer.and_then(read).unwrap_or_else(Settled::Failed)
}

/// Reads the script's answer.
pub fn read(answer: Value) -> Result<Settled, StoreError> {
    match ::redis::from_redis_value::<String>(answer).as_deref() {
        Ok("done") => Ok(Settled::Done),
        Ok("replayed") => Ok(Settled::Replayed),
        Ok("too late") => Ok(Settled::TooLate),
        other => Err(odd(other.unwrap_or("no word"))),
    }
}

fn odd(what: &str) -> StoreError {
    StoreError::Corrupt(format!("the answer of the script that settles tickets: {what}"))
}
