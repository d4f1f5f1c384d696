//! Calls for tokens, which leave together, those of each part of the store by themselves: one that is slow is not to hold up what is taken from
//! the others. Each runtime makes its own: what a check waits for is done on the thread that waits.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::runtime::{Handle, Id};
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::{Sender, channel};
use tokio::time::timeout;

use super::name::Name;
use super::shared::Shared;
use super::terms::Terms;
use crate::domain::time::BootTime;
use crate::store::together::{Bounds, ByPart, send_all};
use crate::store::{Charge, StoreError, SubjectName, Taken};

/// A call for one purse.
pub(super) struct Call {
    pub charge: Charge,
    /// Whose answer it is waiting for; `None`: only returns.
    pub whose: Option<(Name, Arc<Terms>)>,
    /// Since when it waits to be sent.
    pub since: BootTime,
}

/// Where calls are put.
pub(super) struct Batches {
    shared: Weak<Shared>,
    queues: ByPart<Sender<Call>, (Id, u64)>,
    answered: ByPart<Arc<Answered>>,
}

/// When a part of the store last answered a call in time, in nanoseconds on the boot clock; 0: never. It tells whose fault a wait is: what waits while the
/// store answers others waits for its turn, and more would wait the more were asked.
#[derive(Default)]
struct Answered(AtomicU64);

/// Calls that wait to be sent to one part. Beyond it a call fails at once, and its returns wait in their purse.
const QUEUED: usize = 16_384;
/// Of charges to one part.
const BOUNDS: Bounds = Bounds { together: 256, in_flight: 16 };
/// A store answers sooner, by its contract.
const LONGEST: Duration = Duration::from_secs(30);

impl Call {
    /// Whose windows it is about.
    pub(super) fn owner(&self) -> Option<&SubjectName> {
        let asked = self.charge.subjects.first().map(|subject| &subject.name);
        asked.or_else(|| self.charge.returns.first().map(|back| &back.subject))
    }
}

impl Batches {
    pub(super) fn new(shared: Weak<Shared>) -> Self {
        Self { shared, queues: ByPart::default(), answered: ByPart::default() }
    }

    /// Has the runtime in which this is called make a call of this part of the store; where too many wait, it is handed back.
    pub(super) fn put(&self, part: u64, call: Call) -> Result<(), Box<Call>> {
        let put = |queue: &Sender<Call>| queue.try_send(call).map_err(|full| Box::new(full.into_inner()));
        self.queues.with((Handle::current().id(), part), || self.begin(part), put)
    }

    /// Why this part has not answered who waits since then.
    pub(super) fn why(&self, part: u64, since: BootTime) -> StoreError {
        self.answered(part).why(since)
    }

    /// Whichever runtime asked.
    fn answered(&self, part: u64) -> Arc<Answered> {
        self.answered.with(part, Arc::default, Arc::clone)
    }

    fn begin(&self, part: u64) -> Sender<Call> {
        let (calls, queue) = channel(QUEUED);
        let (shared, answered) = (self.shared.clone(), self.answered(part));
        tokio::spawn(send_all(queue, BOUNDS, move |calls, permit| {
            if let Some(shared) = shared.upgrade() {
                tokio::spawn(send(shared, calls, permit, answered.clone()));
            }
        }));
        calls
    }
}

impl Answered {
    fn told(&self, now: BootTime) {
        self.0.fetch_max(nanoseconds(now), Ordering::Relaxed);
    }

    fn why(&self, since: BootTime) -> StoreError {
        match self.0.load(Ordering::Relaxed) {
            0 => too_slow(),
            last if last < nanoseconds(since) => too_slow(),
            _ => StoreError::Overloaded,
        }
    }
}

fn nanoseconds(time: BootTime) -> u64 {
    u64::try_from(time.0.as_nanos()).unwrap_or(u64::MAX)
}

fn too_slow() -> StoreError {
    StoreError::Unavailable("it did not answer within the check's deadline".into())
}

/// The grant is this task's, not that of whoever waits: what it brings is known and can go back.
async fn send(shared: Arc<Shared>, calls: Vec<Call>, permit: OwnedSemaphorePermit, answered: Arc<Answered>) {
    let calls = in_time(&shared, calls, &answered);
    if calls.is_empty() {
        return;
    }
    let (charges, whose): (Vec<Charge>, Vec<_>) = calls.into_iter().map(|call| (call.charge, call.whose)).unzip();
    let mut landing = Landing { sent: shared.clock.boot(), whose: whose.into_iter(), shared };
    let answer = timeout(LONGEST, landing.shared.store.take(&charges)).await;
    drop(permit);
    match answer {
        Ok(Ok(answers)) => {
            let now = landing.shared.clock.boot();
            let is_told = answers.iter().any(|answer| !matches!(answer, Taken::Failed(_)));
            if is_told && now.0.saturating_sub(landing.sent.0) <= landing.shared.once {
                answered.told(now);
            }
            for answer in answers {
                landing.land(answer);
            }
        }
        // returns that were in it are not made again: they may have been made
        Ok(Err(error)) => landing.land_all(&error),
        Err(_) => {}
    }
}

/// Those that have not waited for longer than a call may take. Nobody waits for the others any more, or should: they are not sent.
fn in_time(shared: &Arc<Shared>, calls: Vec<Call>, answered: &Answered) -> Vec<Call> {
    let now = shared.clock.boot();
    let is_late = |call: &mut Call| call.whose.is_some() && now.0.saturating_sub(call.since.0) > shared.once;
    let mut calls = calls;
    for Call { charge, whose, since } in calls.extract_if(.., is_late) {
        if let Some((name, _)) = whose {
            shared.unsent(&name, charge, &answered.why(since));
        }
    }
    calls
}

/// Calls that were sent. Each is answered, whatever comes: nobody asks for a purse whose call never lands.
struct Landing {
    shared: Arc<Shared>,
    sent: BootTime,
    whose: std::vec::IntoIter<Option<(Name, Arc<Terms>)>>,
}

impl Landing {
    fn land(&mut self, answer: Taken) {
        if let Some(Some((name, terms))) = self.whose.next() {
            self.shared.landed(&name, &terms, answer, self.sent);
        }
    }

    fn land_all(&mut self, error: &StoreError) {
        while !self.whose.as_slice().is_empty() {
            self.land(Taken::Failed(error.clone()));
        }
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        self.land_all(&StoreError::Unavailable("a call for tokens was never answered".into()));
    }
}
