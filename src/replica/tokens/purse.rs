//! The tokens of one key at one replica, as a state machine: without clock, lock or network, the same one in production and in the simulation.
//! Tokens are spent from what was granted in advance; where there is none, whoever asks waits for the one call that is under way.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::pace::Pace;
use super::terms::Terms;
use crate::domain::time::BootTime;
use crate::domain::window::Told;
use crate::store::{Charge, Return, StoreError, Taken, undo};

/// What a replica holds for one key. `W`: whoever waits.
pub struct Purse<W> {
    terms: Arc<Terms>,
    /// That which ends first stands first.
    lots: VecDeque<Lot>,
    pace: Pace,
    waiting: VecDeque<(u32, W)>,
    flight: Option<Flight>,
    refusal: Option<Refusal>,
    /// They leave with the next call.
    returns: Vec<Return>,
    used: BootTime,
}

/// Tokens of one grant.
struct Lot {
    grant: Arc<Grant>,
    balance: u32,
}

/// What the store granted.
#[derive(Debug)]
pub struct Grant {
    pub terms: Arc<Terms>,
    pub told: Vec<Told>,
    /// When that was told.
    pub at: BootTime,
    size: u32,
    deadline: BootTime,
}

/// Tokens that were taken out of a purse.
#[derive(Debug)]
pub struct Drawn {
    pub grant: Arc<Grant>,
    pub tokens: u32,
    /// What the purse still holds of the same grant.
    pub held: u32,
}

/// Some window is full.
#[derive(Debug, Clone)]
pub struct Refusal {
    pub terms: Arc<Terms>,
    pub told: Arc<[Told]>,
    /// When that was told.
    pub at: BootTime,
    /// When it may fit; `None`: it never will.
    pub retry_at: Option<BootTime>,
    cost: u32,
    until: BootTime,
}

/// How a wait ends.
#[derive(Debug)]
pub enum Served {
    Drawn(Drawn),
    Refused(Refusal),
    /// The record has to be read again.
    Stale,
    Failed(StoreError),
}

/// A call that is under way.
#[derive(Debug, Clone, Copy)]
struct Flight {
    cost: u32,
    ttl: Duration,
    /// So many of those who wait were there when it left.
    aboard: usize,
}

/// A purse that was not used for so long knows nothing worth knowing.
const IDLE: Duration = Duration::from_secs(1);
/// Returns wait so long for a call that takes them along.
const RETURNED_AFTER: Duration = Duration::from_millis(100);

impl Refusal {
    pub(super) fn cost(&self) -> u32 {
        self.cost
    }
}

impl Drawn {
    /// Whether they may still be spent. To be asked at the moment of spending.
    #[must_use]
    pub fn lasts(&self, now: BootTime) -> bool {
        now < self.grant.deadline
    }
}

impl<W> Purse<W> {
    #[must_use]
    pub fn new(terms: Arc<Terms>, now: BootTime) -> Self {
        Self {
            terms,
            lots: VecDeque::new(),
            pace: Pace::new(now),
            waiting: VecDeque::new(),
            flight: None,
            refusal: None,
            returns: Vec::new(),
            used: now,
        }
    }

    #[must_use]
    pub fn terms(&self) -> &Arc<Terms> {
        &self.terms
    }

    /// Goes on under these terms. Where they charge otherwise, what is held under the former ones can only be given back.
    pub fn adopt(&mut self, terms: Arc<Terms>) {
        if terms.subjects != self.terms.subjects {
            self.lots.drain(..).for_each(|lot| give_back(&mut self.returns, &lot.grant, lot.balance));
            self.refusal = None;
        }
        self.terms = terms;
    }

    /// Takes tokens out of what is held. `None`: too few are.
    pub fn draw(&mut self, tokens: u32, now: BootTime) -> Option<Drawn> {
        self.used = now;
        self.end(now);
        let lot = self.lots.iter_mut().find(|lot| lot.balance >= tokens)?;
        lot.balance -= tokens;
        self.pace.spent(tokens);
        Some(Drawn { grant: lot.grant.clone(), tokens, held: lot.balance })
    }

    /// Whether a call would be refused, as far as is known.
    #[must_use]
    pub fn refuses(&self, tokens: u32, now: BootTime) -> Option<&Refusal> {
        self.refusal.as_ref().filter(|refusal| refusal.cost <= tokens && now < refusal.until)
    }

    /// Has someone wait until a call has brought enough.
    pub fn wait(&mut self, tokens: u32, who: W) {
        self.pace.spent(tokens);
        self.waiting.push_back((tokens, who));
    }

    /// The call that is to be made now, if any: for those who wait, or because what is held comes to its end. One at a time. `once`: how long
    /// tokens may be spent that somebody waits for; `share`: of what is left, one call takes one in so many.
    pub fn ask(&mut self, now: BootTime, once: Duration, share: u32) -> Option<Charge> {
        if self.flight.is_some() || !(self.is_waited_for() || self.runs_low(now)) {
            return None;
        }
        let cost = self.waiting.front().map_or(1, |(cost, _)| *cost);
        let waited_for = self.waiting.iter().map(|(cost, _)| *cost).fold(0, u32::saturating_add);
        // where tokens cannot be held for as long as a call may take, each is asked for when it is needed
        let ahead = if self.terms.ahead < once / 2 { Duration::ZERO } else { self.terms.ahead.max(once) };
        let more = self.pace.next(now, ahead, waited_for.max(1));
        if more == 0 && waited_for == 0 {
            return None;
        }
        let want = waited_for.saturating_add(more).max(cost);
        let ttl = if more == 0 { once } else { ahead };
        self.flight = Some(Flight { cost, ttl, aboard: self.waiting.len() });
        let returns = std::mem::take(&mut self.returns);
        Some(Charge { subjects: self.terms.subjects.clone(), want, cost, ttl, share, returns })
    }

    /// The call's answer, with whom it serves. `sent`: when the call left; `now`: when the answer came. Another call may be due: ask again.
    pub fn landed(&mut self, terms: &Arc<Terms>, taken: Taken, sent: BootTime, now: BootTime) -> Vec<(W, Served)> {
        let Some(flight) = self.flight.take() else { return Vec::new() };
        let is_of_now = terms.subjects == self.terms.subjects;
        match taken {
            Taken::Granted { tokens, ttl, windows } => {
                let deadline = sent.deadline(ttl);
                let grant = Arc::new(Grant { terms: terms.clone(), told: windows, at: now, size: tokens, deadline });
                if !is_of_now || now >= deadline {
                    give_back(&mut self.returns, &grant, tokens);
                    // cut short by the end of a period: it is the next one's now
                    let cut = !is_of_now || ttl < flight.ttl;
                    return if cut { Vec::new() } else { self.dismiss(flight.aboard, || Served::Failed(too_late())) };
                }
                let at = self.lots.iter().position(|lot| lot.grant.deadline > deadline).unwrap_or(self.lots.len());
                self.lots.insert(at, Lot { grant, balance: tokens });
                self.refusal = None;
                self.serve(now)
            }
            Taken::Refused { retry_in, windows } => {
                let wait = retry_in.unwrap_or(self.terms.refusal).min(self.terms.refusal);
                let refusal = Refusal {
                    terms: terms.clone(),
                    told: windows.into(),
                    at: now,
                    retry_at: retry_in.map(|wait| BootTime(now.0 + wait)),
                    cost: flight.cost,
                    until: BootTime(now.0 + wait),
                };
                if !is_of_now {
                    return Vec::new();
                }
                self.refusal = Some(refusal.clone());
                let waiting = std::mem::take(&mut self.waiting);
                let (refused, waiting) = waiting.into_iter().partition::<VecDeque<_>, _>(|(cost, _)| *cost >= flight.cost);
                self.waiting = waiting;
                refused.into_iter().map(|(_, who)| (who, Served::Refused(refusal.clone()))).collect()
            }
            Taken::Stale => self.dismiss(usize::MAX, || Served::Stale),
            Taken::Failed(error) => self.dismiss(flight.aboard, || Served::Failed(error.clone())),
        }
    }

    /// Tokens that were drawn and not spent.
    pub fn take_back(&mut self, drawn: &Drawn, now: BootTime) {
        match self.lots.iter_mut().find(|lot| Arc::ptr_eq(&lot.grant, &drawn.grant)) {
            Some(lot) => lot.balance += drawn.tokens,
            None if now < drawn.grant.deadline && drawn.grant.terms.subjects == self.terms.subjects => {
                self.lots.push_front(Lot { grant: drawn.grant.clone(), balance: drawn.tokens });
            }
            None => give_back(&mut self.returns, &drawn.grant, drawn.tokens),
        }
    }

    /// Ends what is over. What nobody has taken along is to be returned by a call of its own.
    pub fn tidy(&mut self, now: BootTime) -> Option<Charge> {
        self.end(now);
        let alone = self.flight.is_none() && now.0.saturating_sub(self.used.0) >= RETURNED_AFTER;
        if !alone || self.returns.is_empty() {
            return None;
        }
        let returns = std::mem::take(&mut self.returns);
        Some(Charge { subjects: Vec::new(), want: 0, cost: 0, ttl: Duration::ZERO, share: 1, returns })
    }

    /// Whether anything is left that is worth keeping.
    #[must_use]
    pub fn is_of_use(&self, now: BootTime) -> bool {
        let holds = !self.lots.is_empty() || !self.returns.is_empty() || !self.waiting.is_empty();
        holds || self.flight.is_some() || now.0.saturating_sub(self.used.0) < IDLE
    }

    fn is_waited_for(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether a quarter is left of what came last, or less. Nothing is asked for in advance of what would be refused.
    fn runs_low(&self, now: BootTime) -> bool {
        let balance: u32 = self.lots.iter().map(|lot| lot.balance).fold(0, u32::saturating_add);
        let size = self.lots.back().map_or(0, |lot| lot.grant.size);
        size > 1 && balance <= size / 4 && self.refusal.as_ref().is_none_or(|refusal| now >= refusal.until)
    }

    fn serve(&mut self, now: BootTime) -> Vec<(W, Served)> {
        let mut served = Vec::new();
        while let Some((cost, who)) = self.waiting.pop_front() {
            let Some(drawn) = self.draw_for_waiting(cost, now) else {
                self.waiting.push_front((cost, who));
                break;
            };
            served.push((who, Served::Drawn(drawn)));
        }
        served
    }

    /// Counted when they began to wait.
    fn draw_for_waiting(&mut self, cost: u32, now: BootTime) -> Option<Drawn> {
        let pace = self.pace.clone();
        let drawn = self.draw(cost, now);
        self.pace = pace;
        drawn
    }

    fn dismiss(&mut self, count: usize, why: impl Fn() -> Served) -> Vec<(W, Served)> {
        let count = count.min(self.waiting.len());
        self.waiting.drain(..count).map(|(_, who)| (who, why())).collect()
    }

    fn end(&mut self, now: BootTime) {
        while self.lots.front().is_some_and(|lot| now >= lot.grant.deadline || lot.balance == 0 && self.lots.len() > 1) {
            if let Some(lot) = self.lots.pop_front() {
                give_back(&mut self.returns, &lot.grant, lot.balance);
            }
        }
    }
}

fn give_back(returns: &mut Vec<Return>, grant: &Grant, tokens: u32) {
    if tokens == 0 {
        return;
    }
    for back in undo(&grant.terms.subjects, tokens, &grant.told) {
        let same = |known: &&mut Return| (&known.subject, known.window, known.slot) == (&back.subject, back.window, back.slot);
        match returns.iter_mut().find(same) {
            Some(known) => known.tokens = known.tokens.saturating_add(back.tokens),
            None => returns.push(back),
        }
    }
}

fn too_late() -> StoreError {
    StoreError::Unavailable("its grant came too late to be spent".into())
}
