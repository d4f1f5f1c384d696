//! The tokens of one key at one replica, as a state machine: without clock, lock or network, the same one in production and in the simulation.
//! Tokens are spent from what was granted in advance; where there is none, whoever asks waits for the one call that is under way.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::lots::Lots;
pub use super::lots::{Drawn, Grant};
use super::pace::Pace;
use super::terms::Terms;
use crate::domain::time::BootTime;
use crate::domain::window::Told;
use crate::store::{Charge, Generations, Return, StoreError, Taken};

/// What a replica holds for one key. `W`: whoever waits.
pub struct Purse<W> {
    terms: Arc<Terms>,
    lots: Lots,
    pace: Pace,
    waiting: VecDeque<Waiting<W>>,
    flight: Option<Flight>,
    stock: Stock,
    /// One for each cost that was refused lately.
    refusals: Vec<Refusal>,
    used: BootTime,
}

/// Somebody who waits.
struct Waiting<W> {
    cost: u32,
    /// What its terms' generations are worth.
    generations: Generations,
    who: W,
}

/// Whoever waits for a call.
pub trait Waits {
    /// Whether nobody would hear the answer: nothing is asked for them any more.
    fn is_gone(&self) -> bool;
}

/// Some window is full.
#[derive(Debug, Clone)]
pub struct Refusal {
    pub terms: Arc<Terms>,
    pub told: Arc<[Told]>,
    /// When that was told.
    pub at: BootTime,
    /// When as much may fit; `None`: it never will.
    pub retry_at: Option<BootTime>,
    /// What did not fit.
    pub cost: u32,
    until: BootTime,
}

/// How a wait ends.
#[derive(Debug)]
pub enum Served {
    Drawn(Drawn),
    Refused(Refusal),
    /// The record has to be read again.
    Stale,
    /// And so has the time.
    Behind,
    /// A grant came when it could not be spent any more. It goes back.
    TooLate,
    Failed(StoreError),
}

/// What the last answer told of windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stock {
    Plenty,
    Scarce,
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
/// A realm has few costs; of more, the oldest refusal is forgotten.
const REFUSALS: usize = 8;

impl<W: Waits> Purse<W> {
    #[must_use]
    pub fn new(terms: Arc<Terms>, now: BootTime) -> Self {
        Self {
            terms,
            lots: Lots::default(),
            pace: Pace::new(now),
            waiting: VecDeque::new(),
            flight: None,
            stock: Stock::Scarce,
            refusals: Vec::new(),
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
            self.lots.end_all();
            self.refusals.clear();
            self.waiting.iter_mut().for_each(|waiting| waiting.generations = Generations::Heard);
        }
        self.terms = terms;
    }

    /// The most that one draw could take now, if it came under these terms, and what the next call would return.
    pub(super) fn glance(&self, terms: &Terms, now: BootTime) -> (u32, Vec<Return>) {
        (if terms.subjects == self.terms.subjects { self.lots.most(now) } else { 0 }, self.lots.pending().to_vec())
    }

    /// Takes tokens out of what is held. `None`: too few are.
    pub fn draw(&mut self, tokens: u32, now: BootTime) -> Option<Drawn> {
        self.used = now;
        let drawn = self.lots.draw(tokens, now)?;
        self.pace.spent(tokens);
        Some(drawn)
    }

    /// Whether a call would be refused, as far as is known. Another cost may fit, or fit at another time, so each is asked for itself.
    #[must_use]
    pub fn refuses(&self, tokens: u32, now: BootTime) -> Option<&Refusal> {
        self.refusals.iter().find(|refusal| refusal.cost == tokens && now < refusal.until)
    }

    /// Has someone wait until a call has brought enough.
    pub fn wait(&mut self, tokens: u32, who: W) {
        self.wait_under(Generations::Heard, tokens, who);
    }

    /// The same, of somebody for whom the terms may have been confirmed: the log has brought nothing newer, whatever windows have heard of.
    pub fn wait_under(&mut self, generations: Generations, cost: u32, who: W) {
        self.pace.spent(cost);
        self.waiting.push_back(Waiting { cost, generations, who });
    }

    /// The call that is to be made now, if any: for those who wait, or because what is held comes to its end. One at a time. `once`: how long
    /// tokens may be spent that somebody waits for; `share`: of what is left, one call takes one in so many.
    ///
    /// Whoever may have changed what this decides by asks again: after each draw, wait and landing. So nobody waits without a call.
    pub fn ask(&mut self, now: BootTime, once: Duration, share: u32) -> Option<Charge> {
        if self.flight.is_some() {
            return None;
        }
        self.waiting.retain(|waiting| !waiting.who.is_gone());
        if self.waiting.is_empty() && !self.runs_low(now) {
            return None;
        }
        let cost = self.waiting.front().map_or(1, |waiting| waiting.cost);
        let waited_for = self.waiting.iter().map(|waiting| waiting.cost).fold(0, u32::saturating_add);
        let ahead = self.ahead(once);
        let more = self.pace.next(now, ahead, waited_for.max(1));
        if more == 0 && waited_for == 0 {
            return None;
        }
        let want = waited_for.saturating_add(more).max(cost);
        let ttl = if more == 0 { once } else { ahead };
        // what is held in advance is shared; who waits is served, or a burst would need a call for each of the last tokens
        let share = if more == 0 { 1 } else { share };
        self.flight = Some(Flight { cost, ttl, aboard: self.waiting.len() });
        let confirmed = self.waiting.iter().find(|waiting| waiting.generations == Generations::Confirmed);
        let generations = confirmed.map_or(Generations::Heard, |waiting| waiting.generations);
        Some(Charge { subjects: self.terms.subjects.clone(), want, cost, ttl, share, generations, returns: self.lots.returns() })
    }

    /// The call's answer, with whom it serves. `sent`: when the call left; `now`: when the answer came. Another call may be due: ask again.
    pub fn landed(&mut self, terms: &Arc<Terms>, taken: Taken, sent: BootTime, now: BootTime) -> Vec<(W, Served)> {
        let Some(flight) = self.flight.take() else { return Vec::new() };
        let is_of_now = terms.subjects == self.terms.subjects;
        match taken {
            Taken::Granted { tokens, ttl, windows } => {
                self.stock = if terms.have_plenty(&windows) { Stock::Plenty } else { Stock::Scarce };
                let deadline = sent.deadline(ttl);
                let grant = Arc::new(Grant { terms: terms.clone(), told: windows, at: now, size: tokens, deadline });
                if !is_of_now || now >= deadline {
                    self.lots.give_back(&grant, tokens);
                    // cut short by the end of a period: it is the next one's now
                    let is_another = !is_of_now || ttl < flight.ttl;
                    return if is_another { Vec::new() } else { self.dismiss(flight.aboard, || Served::TooLate) };
                }
                self.lots.hold(grant);
                self.refusals.retain(|refusal| refusal.cost > flight.cost);
                self.serve(now)
            }
            Taken::Refused { .. } | Taken::Behind if !is_of_now => Vec::new(),
            Taken::Refused { retry_in, windows } => self.refused(flight.cost, retry_in, windows.into(), now),
            Taken::Stale => self.stale(flight.aboard),
            Taken::Behind => self.dismiss(usize::MAX, || Served::Behind),
            Taken::Failed(error) => self.dismiss(flight.aboard, || Served::Failed(error.clone())),
        }
    }

    /// The call was not sent, and will not be: what it would have returned is returned by another, and whoever waits for it is told why.
    pub fn unsent(&mut self, charge: Charge, why: &StoreError) -> Vec<(W, Served)> {
        self.lots.bring_back(charge.returns);
        let Some(flight) = self.flight.take() else { return Vec::new() };
        self.dismiss(flight.aboard, || Served::Failed(why.clone()))
    }

    /// Tokens that were drawn and not spent.
    pub fn take_back(&mut self, drawn: &Drawn, now: BootTime) {
        self.lots.take_back(drawn, now, &self.terms.subjects);
    }

    /// Ends what is over. What no call takes along for a while is to be returned by one of its own.
    pub fn tidy(&mut self, now: BootTime) -> Option<Charge> {
        self.lots.end(now);
        let is_alone = self.flight.is_none() && now.0.saturating_sub(self.used.0) >= RETURNED_AFTER;
        if !is_alone || !self.lots.has_returns() {
            return None;
        }
        let returns = self.lots.returns();
        Some(Charge { subjects: Vec::new(), want: 0, cost: 0, ttl: Duration::ZERO, share: 1, generations: Generations::Heard, returns })
    }

    /// How many tokens it has given back since this was asked last: to be asked when a call takes them along.
    pub fn returned(&mut self) -> u32 {
        self.lots.returned()
    }

    /// Whether anything is left that is worth keeping.
    #[must_use]
    pub fn is_of_use(&self, now: BootTime) -> bool {
        let holds = !self.lots.is_empty() || self.lots.has_returns() || !self.waiting.is_empty();
        holds || self.flight.is_some() || now.0.saturating_sub(self.used.0) < IDLE
    }

    /// How long tokens may be held in advance. Where they are scarce, and cannot be held for as long as a call may take, each is asked for when
    /// it is needed. Where there is plenty nobody minds that a short window forgets a call's time later; only an exact log is kept exact.
    fn ahead(&self, once: Duration) -> Duration {
        let terms = self.terms.ahead;
        match self.stock {
            Stock::Plenty if terms.plenty.is_zero() => Duration::ZERO,
            Stock::Plenty => terms.plenty.max(once),
            Stock::Scarce if terms.scarce < once / 2 => Duration::ZERO,
            Stock::Scarce => terms.scarce.max(once),
        }
    }

    /// Nothing is asked for in advance of what would be refused.
    fn runs_low(&self, now: BootTime) -> bool {
        self.lots.run_low(now) && self.refuses(1, now).is_none()
    }

    /// All who wait for as much are told at once. Others are asked for next.
    fn refused(&mut self, cost: u32, retry_in: Option<Duration>, told: Arc<[Told]>, now: BootTime) -> Vec<(W, Served)> {
        let remembered = retry_in.unwrap_or(self.terms.refusal).min(self.terms.refusal);
        let retry_at = retry_in.map(|wait| BootTime(now.0 + wait));
        let refusal = Refusal { terms: self.terms.clone(), told, at: now, retry_at, cost, until: BootTime(now.0 + remembered) };
        self.refusals.retain(|known| known.cost != cost && now < known.until);
        if self.refusals.len() == REFUSALS {
            self.refusals.remove(0);
        }
        self.refusals.push(refusal.clone());
        let (refused, waiting): (VecDeque<_>, _) = std::mem::take(&mut self.waiting).into_iter().partition(|waiting| waiting.cost == cost);
        self.waiting = waiting;
        refused.into_iter().map(|Waiting { who, .. }| (who, Served::Refused(refusal.clone()))).collect()
    }

    /// In the order in which they came. They were counted when they began to wait.
    fn serve(&mut self, now: BootTime) -> Vec<(W, Served)> {
        let mut served = Vec::new();
        while let Some(drawn) = self.waiting.front().and_then(|waiting| self.lots.draw(waiting.cost, now)) {
            served.extend(self.waiting.pop_front().map(|Waiting { who, .. }| (who, Served::Drawn(drawn))));
        }
        served
    }

    /// Everyone looks again, but for whoever came after the call had left and knows better.
    fn stale(&mut self, aboard: usize) -> Vec<(W, Served)> {
        let mut all = std::mem::take(&mut self.waiting);
        let later = all.split_off(aboard.min(all.len()));
        let (know_better, others): (VecDeque<_>, VecDeque<_>) =
            later.into_iter().partition(|waiting| waiting.generations == Generations::Confirmed);
        self.waiting = know_better;
        all.into_iter().chain(others).map(|Waiting { who, .. }| (who, Served::Stale)).collect()
    }

    fn dismiss(&mut self, count: usize, why: impl Fn() -> Served) -> Vec<(W, Served)> {
        let count = count.min(self.waiting.len());
        self.waiting.drain(..count).map(|Waiting { who, .. }| (who, why())).collect()
    }
}
