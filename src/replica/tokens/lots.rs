//! The tokens that a purse holds, a lot for each grant, and those that it gives back.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::terms::Terms;
use crate::domain::time::BootTime;
use crate::domain::window::Told;
use crate::store::{Return, Subject, undo};

/// What the store granted.
#[derive(Debug)]
pub struct Grant {
    pub terms: Arc<Terms>,
    pub told: Vec<Told>,
    /// When that was told.
    pub at: BootTime,
    pub(super) size: u32,
    pub(super) deadline: BootTime,
}

/// Tokens that were taken out of a purse. They are spent, or go back once.
#[derive(Debug)]
pub struct Drawn {
    pub grant: Arc<Grant>,
    pub tokens: u32,
    /// What the purse still holds of the same grant.
    pub held: u32,
}

/// Tokens of one grant.
struct Lot {
    grant: Arc<Grant>,
    balance: u32,
}

/// All that is held for one key.
#[derive(Default)]
pub(super) struct Lots {
    /// That which ends first stands first: where the first one lasts, all do.
    held: VecDeque<Lot>,
    /// They leave with the next call.
    returns: Vec<Return>,
    /// How many tokens that is, each once whatever number of windows counts it.
    returned: u32,
}

impl Drawn {
    /// Whether they may still be spent. To be asked at the moment of spending.
    #[must_use]
    pub fn lasts(&self, now: BootTime) -> bool {
        now < self.grant.deadline
    }
}

impl Lots {
    /// Takes so many out of one lot. `None`: no lot that lasts has as many.
    pub(super) fn draw(&mut self, tokens: u32, now: BootTime) -> Option<Drawn> {
        self.end(now);
        let lot = self.held.iter_mut().find(|lot| lot.balance >= tokens)?;
        lot.balance -= tokens;
        Some(Drawn { grant: lot.grant.clone(), tokens, held: lot.balance })
    }

    /// The most that one draw could take now.
    pub(super) fn most(&self, now: BootTime) -> u32 {
        self.held.iter().filter(|lot| now < lot.grant.deadline).map(|lot| lot.balance).max().unwrap_or(0)
    }

    /// What waits to be returned.
    pub(super) fn pending(&self) -> &[Return] {
        &self.returns
    }

    /// Holds a grant.
    pub(super) fn hold(&mut self, grant: Arc<Grant>) {
        let balance = grant.size;
        self.put(Lot { grant, balance });
    }

    /// Tokens that were drawn and not spent. They are held on only for who is charged in the same way.
    pub(super) fn take_back(&mut self, drawn: &Drawn, now: BootTime, subjects: &[Subject]) {
        match self.held.iter_mut().find(|lot| Arc::ptr_eq(&lot.grant, &drawn.grant)) {
            Some(lot) => lot.balance += drawn.tokens,
            None if drawn.lasts(now) && drawn.grant.terms.subjects == subjects => {
                self.put(Lot { grant: drawn.grant.clone(), balance: drawn.tokens });
            }
            None => self.give_back(&drawn.grant, drawn.tokens),
        }
    }

    /// Gives back what is over, and forgets lots that are spent but for the last: it tells how much came.
    pub(super) fn end(&mut self, now: BootTime) {
        while self.held.front().is_some_and(|lot| now >= lot.grant.deadline || lot.balance == 0 && self.held.len() > 1) {
            if let Some(lot) = self.held.pop_front() {
                self.give_back(&lot.grant, lot.balance);
            }
        }
    }

    /// Gives everything back.
    pub(super) fn end_all(&mut self) {
        for lot in std::mem::take(&mut self.held) {
            self.give_back(&lot.grant, lot.balance);
        }
    }

    /// Has tokens of a grant returned.
    pub(super) fn give_back(&mut self, grant: &Grant, tokens: u32) {
        if tokens == 0 {
            return;
        }
        self.returned = self.returned.saturating_add(tokens);
        self.bring_back(undo(&grant.terms.subjects, tokens, &grant.told));
    }

    /// Has these returned: also what was in a call that never left.
    pub(super) fn bring_back(&mut self, returns: Vec<Return>) {
        for back in returns {
            let same = |known: &&mut Return| (&known.subject, known.window, known.slot) == (&back.subject, back.window, back.slot);
            match self.returns.iter_mut().find(same) {
                Some(known) => known.tokens = known.tokens.saturating_add(back.tokens),
                None => self.returns.push(back),
            }
        }
    }

    /// What is to be returned, to be sent at most once: nobody knows what became of a call that left and failed.
    pub(super) fn returns(&mut self) -> Vec<Return> {
        std::mem::take(&mut self.returns)
    }

    /// How many tokens were given back since this was asked last.
    pub(super) fn returned(&mut self) -> u32 {
        std::mem::take(&mut self.returned)
    }

    pub(super) fn has_returns(&self) -> bool {
        !self.returns.is_empty()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Whether little is left, or little time to spend it in: a quarter of what came last. A single token is no stock.
    pub(super) fn run_low(&self, now: BootTime) -> bool {
        let Some(Lot { grant, .. }) = self.held.back().filter(|lot| lot.grant.size > 1) else { return false };
        let balance = self.held.iter().map(|lot| lot.balance).fold(0, u32::saturating_add);
        balance <= grant.size / 4 || grant.left(now) <= grant.deadline.0.saturating_sub(grant.at.0) / 4
    }

    fn put(&mut self, lot: Lot) {
        let at = self.held.iter().position(|other| other.grant.deadline > lot.grant.deadline).unwrap_or(self.held.len());
        self.held.insert(at, lot);
    }
}

impl Grant {
    /// How long its tokens may still be spent.
    fn left(&self, now: BootTime) -> Duration {
        self.deadline.0.saturating_sub(now.0)
    }
}
