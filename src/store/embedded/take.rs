//! Takes tokens from windows, and settles tickets. Every answer waits for its transaction: what was granted is counted after a crash, and a
//! ticket that was settled stays so.
//!
//! The turn reads the boot clock before the store's time, and after the last of its jobs has come. A caller counts the life of its tokens from
//! before it asked, so they are spent before their slot is forgotten, as long as the store's time does not run ahead of the boot clock: it does
//! so only where the wall clock is set forward (see `clock`).

use std::time::Duration;

use super::disk::Stop;
use super::turn::Turn;
use super::windows::{self, Kept};
use crate::domain::window::{self, Answer, Ask, Spec, Windows};
use crate::store::{Charge, Return, Settled, Settlement, TICKETS_LIVE, Taken};

/// Answers one charge within the turn's transaction.
pub(super) fn take(turn: &mut Turn<'_>, charge: &Charge) -> Result<Taken, Stop> {
    give_back(turn, &charge.returns)?;
    let mut kept = charge.subjects.iter().map(|subject| windows::load(&turn.tables, &subject.name)).collect::<Result<Vec<_>, _>>()?;
    if is_stale(turn, charge, &mut kept)? {
        return Ok(Taken::Stale);
    }
    let ask = Ask { now: turn.at.now, want: charge.want, cost: charge.cost, ttl_ms: ceil_ms(charge.ttl), share: charge.share };
    let answer = asked(&mut kept, charge, &ask);
    Ok(match answer {
        Answer::Granted { tokens, ttl_ms, windows } => {
            if tokens > 0 {
                for (subject, kept) in charge.subjects.iter().zip(&kept) {
                    turn.keep(&subject.name, kept)?;
                }
            }
            Taken::Granted { tokens, ttl: Duration::from_millis(ttl_ms.into()), windows }
        }
        Answer::Refused { retry_at, windows } => Taken::Refused { retry_in: retry_at.map(|at| turn.at.now.until(at)), windows },
        Answer::Behind => Taken::Stale,
    })
}

/// Settles one ticket within the turn's transaction.
pub(super) fn settle(turn: &mut Turn<'_>, settlement: &Settlement) -> Result<Settled, Stop> {
    if settlement.minted.until(turn.at.now) >= TICKETS_LIVE {
        return Ok(Settled::TooLate);
    }
    if !turn.settles(settlement)? {
        return Ok(Settled::Replayed);
    }
    give_back(turn, &settlement.returns)?;
    Ok(Settled::Done)
}

fn asked(kept: &mut [Kept], charge: &Charge, ask: &Ask) -> Answer {
    let windows = kept.iter_mut().map(|kept| &mut kept.windows);
    let mut subjects: Vec<(&mut Windows, &[Spec])> =
        windows.zip(&charge.subjects).map(|(windows, subject)| (windows, subject.windows.as_slice())).collect();
    window::take(&mut subjects, ask)
}

/// Whether a subject has newer limits than the charge knows. What the charge knows is kept where that is newer, whatever its answer is, or a
/// charge that knows only older ones would be granted by them.
fn is_stale(turn: &mut Turn<'_>, charge: &Charge, kept: &mut [Kept]) -> Result<bool, Stop> {
    let mut stale = false;
    for (subject, kept) in charge.subjects.iter().zip(kept) {
        stale |= subject.generation < kept.generation.max(turn.generation(subject)?);
        if subject.generation > kept.generation {
            kept.generation = subject.generation;
            turn.keep(&subject.name, kept)?;
        }
    }
    Ok(stale)
}

fn give_back(turn: &mut Turn<'_>, returns: &[Return]) -> Result<(), Stop> {
    for same in returns.chunk_by(|a, b| a.subject == b.subject) {
        let Some(first) = same.first() else { continue };
        let mut kept = windows::load(&turn.tables, &first.subject)?;
        let before = kept.windows.clone();
        for back in same {
            kept.windows.give_back(back.window, back.slot, back.tokens);
        }
        if kept.windows != before {
            turn.keep(&first.subject, &kept)?;
        }
    }
    Ok(())
}

/// In whole milliseconds, never less: a slot must not be forgotten before its last token.
fn ceil_ms(ttl: Duration) -> u32 {
    u32::try_from(ttl.as_nanos().div_ceil(1_000_000)).unwrap_or(u32::MAX)
}
