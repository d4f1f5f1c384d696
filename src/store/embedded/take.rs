//! Takes tokens from windows, and settles tickets. Every answer waits for its transaction: what was granted is counted after a crash, and a
//! ticket that was settled stays so. What cannot be read fails the one charge or ticket that it is about.
//!
//! The turn reads the boot clock before the store's time, and after the last of its jobs has come. A caller counts the life of its tokens from
//! before it asked, so they are spent before their slot is forgotten, as long as the store's time does not run ahead of the boot clock: it does
//! so only where the wall clock is set forward (see `clock`).

use std::time::Duration;

use super::disk::Stop;
use super::turn::Turn;
use super::windows::Kept;
use crate::domain::time::StoreTime;
use crate::domain::window::{self, Answer, Ask, Spec, Windows};
use crate::store::{Charge, Generations, Return, Settled, Settlement, StoreError, Subject, SubjectName, TICKETS_LIVE, Taken};

/// Where a charge finds windows, and leaves them.
pub(super) trait Past {
    /// The store's time.
    fn now(&self) -> StoreTime;
    fn load(&self, name: &SubjectName) -> Result<Kept, Stop>;
    fn keep(&mut self, name: &SubjectName, kept: &Kept) -> Result<(), Stop>;
    /// Of a subject's limits, as its record has it.
    fn generation(&self, subject: &Subject) -> Result<u64, Stop>;
}

/// Answers charges within the turn's transaction.
pub(super) fn take(turn: &mut Turn<'_>, charges: &[Charge]) -> Result<Vec<Taken>, Stop> {
    charges.iter().map(|charge| unless_refused(take_one(turn, charge), Taken::Failed)).collect()
}

/// Settles tickets within the turn's transaction.
pub(super) fn settle(turn: &mut Turn<'_>, settlements: &[Settlement]) -> Result<Vec<Settled>, Stop> {
    settlements.iter().map(|settlement| unless_refused(settle_one(turn, settlement), Settled::Failed)).collect()
}

/// A disk that fails ends the turn; what was refused is the answer to one.
pub(super) fn unless_refused<T>(answer: Result<T, Stop>, refused: impl Fn(StoreError) -> T) -> Result<T, Stop> {
    match answer {
        Err(Stop::Refused(why)) => Ok(refused(why)),
        other => other,
    }
}

/// Answers one charge, with what the past holds.
pub(super) fn take_one(past: &mut impl Past, charge: &Charge) -> Result<Taken, Stop> {
    for (name, kept) in returned(past, &charge.returns)? {
        past.keep(name, &kept)?;
    }
    let mut kept = charge.subjects.iter().map(|subject| past.load(&subject.name)).collect::<Result<Vec<_>, _>>()?;
    if is_stale(past, charge, &mut kept)? {
        return Ok(Taken::Stale);
    }
    let now = past.now();
    let ask = Ask { now, want: charge.want, cost: charge.cost, ttl_ms: ceil_ms(charge.ttl), share: charge.share };
    let answer = asked(&mut kept, charge, &ask);
    Ok(match answer {
        Answer::Granted { tokens, ttl_ms, windows } => {
            if tokens > 0 {
                for (subject, kept) in charge.subjects.iter().zip(&kept) {
                    past.keep(&subject.name, kept)?;
                }
            }
            Taken::Granted { tokens, ttl: Duration::from_millis(ttl_ms.into()), windows }
        }
        Answer::Refused { retry_at, windows } => Taken::Refused { retry_in: retry_at.map(|at| now.until(at)), windows },
        Answer::Behind => Taken::Behind,
    })
}

fn settle_one(turn: &mut Turn<'_>, settlement: &Settlement) -> Result<Settled, Stop> {
    if settlement.returns.is_empty() {
        return Ok(Settled::Done);
    }
    if settlement.minted.until(turn.at.now) >= TICKETS_LIVE {
        return Ok(Settled::TooLate);
    }
    // read before the ticket is noted: it is not settled where its windows cannot be read
    let returned = returned(turn, &settlement.returns)?;
    if !turn.settles(settlement)? {
        return Ok(Settled::Replayed);
    }
    returned.iter().try_for_each(|(name, kept)| turn.keep(name, kept))?;
    Ok(Settled::Done)
}

fn asked(kept: &mut [Kept], charge: &Charge, ask: &Ask) -> Answer {
    let windows = kept.iter_mut().map(|kept| &mut kept.windows);
    let mut subjects: Vec<(&mut Windows, &[Spec])> =
        windows.zip(&charge.subjects).map(|(windows, subject)| (windows, subject.windows.as_slice())).collect();
    window::take(&mut subjects, ask)
}

/// Whether a subject has newer limits than the charge knows. What the charge knows is kept where that is newer or confirmed, whatever its
/// answer is, or a charge that knows only older ones would be granted by them.
fn is_stale(past: &mut impl Past, charge: &Charge, kept: &mut [Kept]) -> Result<bool, Stop> {
    let mut stale = false;
    for (subject, kept) in charge.subjects.iter().zip(kept) {
        let heard_of = if charge.generations == Generations::Confirmed { 0 } else { kept.generation };
        stale |= subject.generation < heard_of.max(past.generation(subject)?);
        let newest = heard_of.max(subject.generation);
        if newest != kept.generation {
            kept.generation = newest;
            past.keep(&subject.name, kept)?;
        }
    }
    Ok(stale)
}

/// Whose windows hold less for these returns.
fn returned<'a>(past: &impl Past, returns: &'a [Return]) -> Result<Vec<(&'a SubjectName, Kept)>, Stop> {
    let mut changed = Vec::new();
    for (nth, back) in returns.iter().enumerate() {
        if returns[..nth].iter().any(|other| other.subject == back.subject) {
            continue;
        }
        let mut kept = past.load(&back.subject)?;
        let before = kept.windows.clone();
        for same in returns.iter().filter(|same| same.subject == back.subject) {
            kept.windows.give_back(same.window, same.slot, same.tokens);
        }
        if kept.windows != before {
            changed.push((&back.subject, kept));
        }
    }
    Ok(changed)
}

/// In whole milliseconds, never less: a slot must not be forgotten before its last token.
fn ceil_ms(ttl: Duration) -> u32 {
    u32::try_from(ttl.as_nanos().div_ceil(1_000_000)).unwrap_or(u32::MAX)
}
