//! Calls for tokens, which leave together, those of each part of the store by themselves: one that is slow is not to hold up what is taken from
//! the others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{Sender, channel};
use tokio::time::timeout;

use super::shared::Shared;
use super::terms::Terms;
use crate::domain::name::{KeyId, RealmId, Word};
use crate::domain::time::BootTime;
use crate::store::together::{Bounds, send_all};
use crate::store::{Charge, StoreError, SubjectName, Taken};

/// Which purse: a key's, under the plan of the format that it was presented in.
pub(super) type Name = (RealmId, KeyId, Option<Word>);

/// A call for one purse.
pub(super) struct Call {
    pub charge: Charge,
    /// Whose answer it is waiting for; `None`: only returns.
    pub whose: Option<(Name, Arc<Terms>)>,
}

/// Where calls are put.
pub(super) struct Batches {
    shared: Weak<Shared>,
    /// One for each part of the store that was ever taken from.
    queues: Mutex<HashMap<u64, Sender<Call>>>,
}

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
        Self { shared, queues: Mutex::default() }
    }

    /// Has a call made of this part of the store; where too many wait, it is handed back. To be called inside a Tokio runtime.
    pub(super) fn put(&self, part: u64, call: Call) -> Result<(), Call> {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        let queue = queues.entry(part).or_insert_with(|| {
            let (calls, queue) = channel(QUEUED);
            let shared = self.shared.clone();
            tokio::spawn(send_all(queue, BOUNDS, move |calls, permit| {
                if let Some(shared) = shared.upgrade() {
                    tokio::spawn(send(shared, calls, permit));
                }
            }));
            calls
        });
        queue.try_send(call).map_err(TrySendError::into_inner)
    }
}

/// The grant is this task's, not that of whoever waits: what it brings is known and can go back.
async fn send(shared: Arc<Shared>, calls: Vec<Call>, permit: OwnedSemaphorePermit) {
    let (charges, whose): (Vec<Charge>, Vec<_>) = calls.into_iter().map(|call| (call.charge, call.whose)).unzip();
    let mut landing = Landing { sent: shared.clock.boot(), whose: whose.into_iter(), shared };
    let answer = timeout(LONGEST, landing.shared.store.take(&charges)).await;
    drop(permit);
    match answer {
        Ok(Ok(answers)) => answers.into_iter().for_each(|answer| landing.land(answer)),
        // returns that were in it are not made again: they may have been made
        Ok(Err(error)) => landing.land_all(&error),
        Err(_) => {}
    }
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
