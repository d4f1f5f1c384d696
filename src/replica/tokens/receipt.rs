//! What came of a charge: tokens that are spent, or a window that is full.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::name::Name;
use super::purse::{Drawn, Refusal};
use super::shared::Shared;
use super::terms::Terms;
use crate::domain::allowance::{Allowance, State};
use crate::domain::limit::Limit;
use crate::domain::outcome::Counts;
use crate::domain::ticket::{Charged, Ticket, TicketId};
use crate::domain::time::{BootTime, StoreTime};
use crate::domain::window::{Force, Told};

/// Tokens in hand. Dropped unkept, they go back: the check was cancelled, and nobody heard its answer.
pub struct Receipt {
    shared: Arc<Shared>,
    name: Name,
    /// `None`: kept.
    drawn: Option<Drawn>,
    now: BootTime,
}

/// Some window is full.
#[derive(Debug)]
pub struct Exhausted {
    refusal: Refusal,
    now: BootTime,
}

impl Receipt {
    pub(super) fn new(shared: &Arc<Shared>, name: Name, drawn: Drawn, now: BootTime) -> Self {
        Self { shared: shared.clone(), name, drawn: Some(drawn), now }
    }

    pub(super) fn lasts(&self, now: BootTime) -> bool {
        self.drawn.as_ref().is_some_and(|drawn| drawn.lasts(now))
    }

    /// The answer goes out: the tokens are spent.
    pub fn keep(mut self) {
        self.drawn = None;
    }

    /// How every limit stands now.
    #[must_use]
    pub fn allowances(&self) -> Vec<Allowance> {
        let Some(drawn) = &self.drawn else { return Vec::new() };
        let grant = &drawn.grant;
        let state = |told: &Told, _| if told.slot.is_some() { State::Counted } else { State::WouldRefuse };
        let held = |told: &Told| if told.slot.is_some() { drawn.held } else { 0 };
        allowances(&grant.terms, &grant.told, self.now.0.saturating_sub(grant.at.0), state, held)
    }

    /// Whether some shadow would have refused it.
    #[must_use]
    pub fn is_over_a_shadow(&self) -> bool {
        self.drawn.as_ref().is_some_and(|drawn| drawn.grant.told.iter().any(|told| told.slot.is_none()))
    }

    /// The ticket that settles this charge, where some limit does not count everything. `id`: one that no other has.
    #[must_use]
    pub fn ticket(&self, id: impl FnOnce() -> TicketId) -> Option<Ticket> {
        let drawn = self.drawn.as_ref().filter(|drawn| drawn.grant.terms.depend_on_the_outcome())?;
        let (terms, bearer) = (&drawn.grant.terms, drawn.grant.terms.bearer());
        let charged = terms.limits.iter().zip(&drawn.grant.told).filter_map(|((limit, _), told)| {
            let counts = (limit.counts != Counts::All).then(|| limit.counts.clone())?;
            Some(Charged { per: limit.per, window: limit.window(), slot: told.slot?, counts })
        });
        Some(Ticket {
            id: id(),
            minted: self.minted(),
            tokens: drawn.tokens,
            realm: bearer.owner.realm.clone(),
            owner: bearer.owner.id.clone(),
            key: bearer.key.clone(),
            windows: charged.collect(),
        })
    }

    fn minted(&self) -> StoreTime {
        self.shared.session.now()
    }
}

/// Ids of tickets: drawn once a process, and counted up.
pub struct TicketIds {
    process: u64,
    next: AtomicU64,
}

impl TicketIds {
    /// `process`: a number that no other process has.
    #[must_use]
    pub fn new(process: u64) -> Self {
        Self { process, next: AtomicU64::new(0) }
    }

    #[must_use]
    pub fn next(&self) -> TicketId {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let mut id = [0; 16];
        id[..8].copy_from_slice(&self.process.to_be_bytes());
        id[8..].copy_from_slice(&number.to_be_bytes());
        TicketId(id)
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        if let Some(drawn) = self.drawn.take() {
            self.shared.take_back(&self.name, &drawn);
        }
    }
}

impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Receipt({:?})", self.drawn)
    }
}

impl Exhausted {
    pub(super) fn new(refusal: Refusal, now: BootTime) -> Self {
        Self { refusal, now }
    }

    /// How long until it may fit; `None`: it never will.
    #[must_use]
    pub fn retry_in(&self) -> Option<Duration> {
        self.refusal.retry_at.map(|at| at.0.saturating_sub(self.now.0))
    }

    /// How every limit stands now.
    #[must_use]
    pub fn allowances(&self) -> Vec<Allowance> {
        untouched(&self.refusal.terms, &self.refusal.told, self.now.0.saturating_sub(self.refusal.at.0), self.refusal.cost)
    }
}

/// How every limit stands of which nothing was taken, and what each has to say of such a cost.
pub(super) fn untouched(terms: &Terms, told: &[Told], since: Duration, cost: u32) -> Vec<Allowance> {
    let state = |told: &Told, force| match (told.left < cost, force) {
        (false, _) => State::Spared,
        (true, Force::Enforced) => State::Exceeded,
        (true, Force::Shadow) => State::WouldRefuse,
    };
    allowances(terms, told, since, state, |_| 0)
}

fn allowances(
    terms: &Terms,
    told: &[Told],
    since: Duration,
    state: impl Fn(&Told, Force) -> State,
    held: impl Fn(&Told) -> u32,
) -> Vec<Allowance> {
    let of = |((limit, most), told): (&(Limit, u32), &Told)| Allowance {
        limit: limit.name.clone(),
        per: limit.per,
        most: *most,
        length: limit.length.clone(),
        left: told.left.saturating_add(held(told)).min(*most),
        more_in: Duration::from_millis(told.more_in_ms.into()).saturating_sub(since),
        force: limit.force,
        state: state(told, limit.force),
    };
    terms.limits.iter().zip(told).map(of).collect()
}
