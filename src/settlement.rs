//! Use case 3: what became of a request comes back with its ticket, and what its limits do not count goes back.
//!
//! A charge is counted until it is settled, so whatever is lost here errs towards counting. Settling is done once by the store, whoever asks
//! for it and however often: a call whose fate is unknown is made again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::mpsc::{Sender, channel};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::sleep;

use crate::domain::key::Peppers;
use crate::domain::limit::Per;
use crate::domain::outcome::Outcome;
use crate::domain::ticket::{Charged, Ticket, TicketError};
use crate::domain::time::StoreTime;
use crate::replica::session::Session;
use crate::store::together::{Bounds, ByPart, send_all};
use crate::store::{Return, Settled, Settlement, SharedStore, StoreError, SubjectName, TICKETS_LIVE};
use crate::telemetry::metrics::Metrics;
use crate::usage::Meter;

/// Takes tickets in and has them settled in the background.
pub struct Settlements {
    runtime: Handle,
    queues: ByPart<Queue>,
    shared: Arc<Shared>,
}

/// What settlements are made of.
pub struct Parts {
    pub store: SharedStore,
    /// Tells the store's time.
    pub session: Arc<Session>,
    pub peppers: Arc<Peppers>,
    pub metrics: Arc<Metrics>,
    /// Counts how requests ended.
    pub meter: Arc<Meter>,
}

/// What became of a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// All of its limits count what came of its request.
    Counted,
    /// What some limit does not count has gone back.
    Settled,
    /// That had been done before.
    Replayed,
    /// Older than tickets live: it stays counted.
    TooLate,
    Malformed,
    /// Of no live pepper.
    Forged,
    /// Too many wait already: it stays counted.
    Overflow,
    /// The store did not settle it as long as it lived, or cannot: it stays counted.
    Abandoned,
}

/// Settlements of one part of the store: where that is away, the others' are not held up.
struct Queue {
    settlements: Sender<Settlement>,
    /// How many are taken in and not done with.
    waiting: Arc<AtomicUsize>,
}

struct Shared {
    parts: Parts,
    /// How many are taken in and not done with.
    waiting: watch::Sender<usize>,
}

/// Settlements of one part that wait, for their first call or for another. Beyond it what tickets stand for stays counted.
const QUEUED: usize = 65_536;
/// Of settlements of one part.
const BOUNDS: Bounds = Bounds { together: 256, in_flight: 4 };
/// Before a call is made again: twice as long each time, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

impl Settlements {
    /// To be called inside a Tokio runtime, which makes the calls.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self { runtime: Handle::current(), queues: ByPart::default(), shared: Arc::new(Shared { parts, waiting: watch::Sender::new(0) }) }
    }

    /// A sealed ticket came back, and with it what became of its request. Waits for nothing.
    pub fn settle(&self, sealed: &[u8], outcome: Outcome) {
        if let Err(fate) = self.take_in(sealed, outcome) {
            self.shared.tell(fate);
        }
    }

    /// Resolves when nothing waits any more.
    pub async fn done(&self) {
        let _ = self.shared.waiting.subscribe().wait_for(|waiting| *waiting == 0).await;
    }

    fn take_in(&self, sealed: &[u8], outcome: Outcome) -> Result<(), Fate> {
        let ticket = Ticket::open(sealed, &self.shared.parts.peppers)?;
        if !self.shared.lives(ticket.minted) {
            return Err(Fate::TooLate);
        }
        self.shared.parts.meter.ended(&ticket, outcome, self.shared.parts.session.now());
        let settlement = settlement(&ticket, outcome).ok_or(Fate::Counted)?;
        let part = settlement.returns.first().map_or(0, |back| self.shared.parts.store.part(&back.subject));
        self.queues.with(part, || self.begin(), |queue| self.put(queue, settlement))
    }

    fn begin(&self) -> Queue {
        let (settlements, queued) = channel(QUEUED);
        let (shared, waiting) = (self.shared.clone(), Arc::<AtomicUsize>::default());
        let queue = Queue { settlements, waiting: waiting.clone() };
        let sending = move |open, permit| drop(tokio::spawn(send(shared.clone(), waiting.clone(), open, permit)));
        self.runtime.spawn(send_all(queued, BOUNDS, sending));
        queue
    }

    fn put(&self, queue: &Queue, settlement: Settlement) -> Result<(), Fate> {
        if queue.waiting.load(Ordering::Relaxed) >= QUEUED {
            return Err(Fate::Overflow);
        }
        let place = queue.settlements.try_reserve().map_err(|_| Fate::Overflow)?;
        queue.waiting.fetch_add(1, Ordering::Relaxed);
        self.shared.waiting.send_modify(|waiting| *waiting += 1);
        place.send(settlement);
        Ok(())
    }
}

/// What goes back; `None` where all of the ticket's limits count the outcome.
fn settlement(ticket: &Ticket, outcome: Outcome) -> Option<Settlement> {
    let back = |charged: &Charged| Return {
        subject: SubjectName {
            realm: ticket.realm.clone(),
            owner: ticket.owner.clone(),
            key: (charged.per == Per::Key).then(|| ticket.key.clone()),
        },
        window: charged.window,
        slot: charged.slot,
        tokens: ticket.tokens,
    };
    let returns: Vec<Return> = ticket.uncounted(outcome).map(back).collect();
    (!returns.is_empty()).then_some(Settlement { ticket: ticket.id, minted: ticket.minted, returns })
}

/// Calls the store until it has answered for all of them, or they live no more.
///
/// Nobody else waits for those that have to be asked for again: they keep no place between two calls.
async fn send(shared: Arc<Shared>, waiting: Arc<AtomicUsize>, mut open: Vec<Settlement>, mut permit: OwnedSemaphorePermit) {
    let in_flight = permit.semaphore().clone();
    let mut attempt = Attempt::First;
    let mut pause = FIRST_PAUSE;
    loop {
        let mut answers = match shared.parts.store.settle(&open).await {
            Ok(answers) => answers,
            Err(error) => vec![Settled::Failed(error); open.len()],
        };
        answers.resize(open.len(), Settled::Failed(StoreError::Corrupt("a settlement without an answer".into())));
        let failed = answers.iter().find_map(|answer| if let Settled::Failed(error) = answer { Some(error.clone()) } else { None });
        let before = open.len();
        let pairs = open.into_iter().zip(answers);
        open = pairs.filter_map(|(settlement, answer)| shared.answered(settlement, &answer, attempt)).collect();
        waiting.fetch_sub(before - open.len(), Ordering::Relaxed);
        if let (Some(error), Attempt::First) = (failed, attempt) {
            tracing::warn!(%error, again = open.len(), "tickets could not be settled");
        }
        if open.is_empty() {
            return;
        }
        drop(permit);
        sleep(pause).await;
        let Ok(another) = in_flight.clone().acquire_owned().await else { return };
        permit = another;
        (attempt, pause) = (Attempt::Again, LONGEST_PAUSE.min(2 * pause));
    }
}

/// Whether the store was asked before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attempt {
    First,
    /// It may have done then what it says now was done.
    Again,
}

impl Shared {
    /// Counts what the answer says, or hands the settlement back to be tried again.
    fn answered(&self, settlement: Settlement, answer: &Settled, attempt: Attempt) -> Option<Settlement> {
        let fate = match (answer, attempt) {
            (Settled::Done, _) | (Settled::Replayed, Attempt::Again) => Fate::Settled,
            (Settled::Replayed, Attempt::First) => Fate::Replayed,
            (Settled::TooLate, _) => Fate::TooLate,
            (Settled::Failed(StoreError::Unavailable(_) | StoreError::Unfit(_)), _) if self.lives(settlement.minted) => {
                return Some(settlement);
            }
            (Settled::Failed(_), _) => Fate::Abandoned,
        };
        self.tell(fate);
        self.waiting.send_modify(|waiting| *waiting -= 1);
        None
    }

    fn tell(&self, fate: Fate) {
        self.parts.metrics.ticket(fate.name());
    }

    /// Whether a ticket of this age can still be settled.
    fn lives(&self, minted: StoreTime) -> bool {
        minted.until(self.parts.session.now()) < TICKETS_LIVE
    }
}

impl From<TicketError> for Fate {
    fn from(error: TicketError) -> Self {
        match error {
            TicketError::Malformed => Self::Malformed,
            TicketError::Forged => Self::Forged,
        }
    }
}

impl Fate {
    fn name(self) -> &'static str {
        match self {
            Self::Counted => "counted",
            Self::Settled => "settled",
            Self::Replayed => "replayed",
            Self::TooLate => "too_late",
            Self::Malformed => "malformed",
            Self::Forged => "forged",
            Self::Overflow => "overflow",
            Self::Abandoned => "abandoned",
        }
    }
}
