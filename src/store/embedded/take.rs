//! Takes tokens from windows, durably, in blocks.
//!
//! # Why no true window exceeds its limit
//!
//! - **Counted before spent.** A block's tokens are in every slot of its windows in a transaction that has reached the disk before a
//!   caller may have the first of them, or, where the disk failed, the block is forgotten and none is ever spent. So a crash at any
//!   instant finds every token counted that was ever granted; what the crash wipes from memory is the right to spend the rest.
//! - **Spent before its slot is forgotten.** The turn reads the boot clock (`b`), then the store's time (`t`). A block of `ttl` may be
//!   granted from until `deadline(ttl)` counted from `b`, its slots last until `t + ttl`. A caller who asks at `s` spends until its own
//!   deadline, counted from `s`. A grant from a block needs `s' + charge.ttl <= deadline`, where `s' >= s` was read after the call came
//!   in; a grant that is the whole block has `ttl >= charge.ttl` and `s <= b`. So every token is spent at or before its slot's `last`,
//!   as long as the store's time does not run ahead of the boot clock: it does so only where the wall clock is set forward (see `clock`).
//! - **Taken with the rule of [`window::take`]**, whose argument then holds: a slot counts in full until `last` has left the window.
//! - **Given back at most once.** Tokens go back only out of a block's balance, which is emptied first, or by a caller's return, which
//!   never takes more from a slot than what blocks do not hold of it.
//!
//! # Why nothing is refused while a sibling sits on tokens
//!
//! Before a charge is refused by a window of the owner, the balances of all the owner's blocks go back into the windows and it is asked
//! again, unless the charge would not fit even then.

use std::time::Duration;

use super::account::{Account, By, Purses};
use super::accounts::{Held, Name};
use super::block::{self, Block, Durable, Past, Refusal};
use super::disk::Stop;
use super::turn::{Due, Turn};
use super::windows::{self, Kept};
use crate::domain::time::BootTime;
use crate::domain::window::{self, Answer, Ask, Spec, Windows};
use crate::store::{Charge, Return, SubjectName, Taken};

/// For how long a refusal is remembered at most.
const REFUSED: Duration = Duration::from_secs(1);

/// Answers one charge within the turn's transaction.
pub(super) fn take(turn: &mut Turn<'_>, charge: &Charge) -> Result<Held, Stop> {
    take_returns(turn, &charge.returns)?;
    let Some(subject) = charge.subjects.first() else { return Ok(Held::plain(unlimited(turn, charge))) };
    if let Some(held) = turn.accounts.answer(charge, turn.at, By::Writer) {
        return Ok(held);
    }
    let name = Name::of(&subject.name);
    let past = turn.accounts.with(&name, |account| account.past(&subject.name)).flatten();
    turn.reclaim(&name, Purses::Of(&subject.name))?;
    if is_stale(turn, charge)? {
        return Ok(Held::plain(Taken::Stale));
    }
    let mut asked = ask(turn, charge, past)?;
    if siblings_help(turn, &name, charge, &asked.answer) {
        turn.reclaim(&name, Purses::All)?;
        asked = ask(turn, charge, past)?;
    }
    match asked.answer {
        Answer::Granted { tokens: 0, slots, left } => {
            let left = turn.accounts.open(&name, |account| account.look(&charge.subjects, &left, 0));
            Ok(Held::plain(Taken::Granted { tokens: 0, slots, left }))
        }
        Answer::Granted { tokens, slots, left } => grant(turn, charge, Counted { tokens, slots, left, ttl: asked.ttl, kept: asked.kept }),
        Answer::Refused { retry_at, left } => {
            let until = BootTime(turn.at.boot.0 + retry_at.map_or(REFUSED, |at| turn.at.now.until(at).min(REFUSED)));
            let subjects = charge.subjects.clone();
            Ok(Held::plain(refuse(turn, &subject.name, Refusal { subjects, cost: charge.cost, retry_at, left, until })))
        }
    }
}

/// What the windows would be after the answer.
struct Asked {
    answer: Answer,
    ttl: Duration,
    kept: Vec<Kept>,
}

struct Counted {
    tokens: u32,
    slots: Vec<i64>,
    left: Vec<u32>,
    ttl: Duration,
    kept: Vec<Kept>,
}

/// Asks the windows for what the charge costs, and if that fits, for a block of as much more as it will likely spend.
fn ask(turn: &Turn<'_>, charge: &Charge, past: Option<Past>) -> Result<Asked, Stop> {
    let kept = charge.subjects.iter().map(|subject| windows::load(&turn.tables, &subject.name)).collect::<Result<Vec<_>, _>>()?;
    let ask = Ask { now: turn.at.now, want: charge.want, cost: charge.cost, ttl_ms: ceil_ms(charge.ttl), share: charge.share };
    let once = asked(kept.clone(), charge, &ask, charge.ttl);
    let Answer::Granted { left, tokens, .. } = &once.answer else { return Ok(once) };
    let room = left.iter().min().map_or(u32::MAX, |left| left.saturating_add(*tokens));
    let size = block::size(charge, past, turn.at.boot, room);
    if charge.want != charge.cost || size <= charge.cost {
        return Ok(once);
    }
    let ttl = charge.ttl + block::life(charge);
    Ok(asked(kept, charge, &Ask { want: size, ttl_ms: ceil_ms(ttl), share: 1, ..ask }, ttl))
}

fn asked(mut kept: Vec<Kept>, charge: &Charge, ask: &Ask, ttl: Duration) -> Asked {
    let windows = kept.iter_mut().map(|kept| &mut kept.windows);
    let mut subjects: Vec<(&mut Windows, &[Spec])> =
        windows.zip(&charge.subjects).map(|(windows, subject)| (windows, subject.windows.as_slice())).collect();
    let answer = window::take(&mut subjects, ask);
    Asked { answer, ttl, kept }
}

/// Keeps the windows, and what the charge does not cost as a block.
fn grant(turn: &mut Turn<'_>, charge: &Charge, counted: Counted) -> Result<Held, Stop> {
    let Some(first) = charge.subjects.first() else { return Ok(Held::plain(unlimited(turn, charge))) };
    for (subject, mut kept) in charge.subjects.iter().zip(counted.kept) {
        kept.generation = kept.generation.max(subject.generation);
        turn.keep(&subject.name, &kept)?;
    }
    let tokens = if charge.want == charge.cost { charge.cost } else { counted.tokens };
    let block = Block {
        id: turn.accounts.next_id(),
        subjects: charge.subjects.clone(),
        slots: counted.slots.clone(),
        left: counted.left,
        size: counted.tokens,
        balance: counted.tokens - tokens,
        taken: turn.at.boot,
        deadline: turn.at.boot.deadline(counted.ttl),
        durable: Durable::Pending,
    };
    let (name, whose, id, due) = (Name::of(&first.name), first.name.clone(), block.id, block.deadline);
    let left = turn.accounts.open(&name, |account| account.install(&whose, block, id));
    turn.effects.due.push(Due { at: due, event: id, whose: whose.clone() });
    turn.effects.blocks.push((whose, id));
    turn.effects.touched.insert(name);
    Ok(Held::granted(turn.accounts, &first.name, id, Taken::Granted { tokens, slots: counted.slots, left }))
}

fn refuse(turn: &mut Turn<'_>, first: &SubjectName, refusal: Refusal) -> Taken {
    let (name, event) = (Name::of(first), turn.accounts.next_id());
    let (retry_at, until) = (refusal.retry_at, refusal.until);
    let left = turn.accounts.open(&name, |account| account.refuse(first, refusal, event));
    turn.effects.due.push(Due { at: until, event, whose: first.clone() });
    Taken::Refused { retry_in: retry_at.map(|at| turn.at.now.until(at)), left }
}

/// Whether a subject has newer limits than the charge knows. Where the charge knows newer ones of the owner, blocks taken under the older
/// end.
fn is_stale(turn: &mut Turn<'_>, charge: &Charge) -> Result<bool, Stop> {
    for subject in &charge.subjects {
        let taken_under = windows::load(&turn.tables, &subject.name)?.generation;
        if subject.generation < taken_under.max(turn.generation(subject)?) {
            return Ok(true);
        }
        if subject.generation > taken_under && subject.name.key.is_none() {
            turn.renew(&subject.name)?;
        }
    }
    Ok(false)
}

/// Whether a refused charge fits if the owner's other blocks are given back.
fn siblings_help(turn: &Turn<'_>, name: &Name, charge: &Charge, answer: &Answer) -> bool {
    let Answer::Refused { left, .. } = answer else { return false };
    let unspent = turn.accounts.with(name, |account| account.unspent()).unwrap_or(0);
    let of_owner = charge.subjects.iter().flat_map(|subject| subject.windows.iter().map(|_| subject.name.key.is_none()));
    let fits = |(left, of_owner): (&u32, bool)| left.saturating_add(if of_owner { unspent } else { 0 }) >= charge.cost;
    unspent > 0 && left.iter().zip(of_owner).all(fits)
}

/// Returns of a caller: what blocks still hold of a slot is not theirs to return.
fn take_returns(turn: &mut Turn<'_>, returns: &[Return]) -> Result<(), Stop> {
    for back in returns {
        let name = Name::of(&back.subject);
        let mut kept = windows::load(&turn.tables, &back.subject)?;
        let window = kept.windows.windows.iter().find(|window| window.length_ms == back.length_ms);
        let counted = window.and_then(|window| window.slots.iter().find(|slot| slot.start == back.slot)).map_or(0, |slot| slot.count);
        let held = turn.accounts.with(&name, |account| account.held_in(&back.subject, back.length_ms, back.slot)).unwrap_or(0);
        let tokens = back.tokens.min(counted.saturating_sub(held));
        if tokens > 0 {
            turn.accounts.with(&name, Account::forget_refusals);
            kept.windows.give_back(back.length_ms, back.slot, tokens);
            turn.keep(&back.subject, &kept)?;
        }
    }
    Ok(())
}

/// A charge without subjects takes from no window.
fn unlimited(turn: &Turn<'_>, charge: &Charge) -> Taken {
    let ask = Ask { now: turn.at.now, want: charge.want, cost: charge.cost, ttl_ms: 0, share: charge.share };
    match window::take(&mut [], &ask) {
        Answer::Granted { tokens, slots, left } => Taken::Granted { tokens, slots, left },
        Answer::Refused { left, .. } => Taken::Refused { retry_in: None, left },
    }
}

/// In whole milliseconds, never less: a slot must not be forgotten before its last token.
fn ceil_ms(ttl: Duration) -> u32 {
    u32::try_from(ttl.as_nanos().div_ceil(1_000_000)).unwrap_or(u32::MAX)
}
