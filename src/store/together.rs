//! Calls of the store leave together: what has queued while the last ones were being sent goes into the next.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc::Receiver;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How much there is of it.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Jobs in one call.
    pub together: usize,
    /// Calls at one time.
    pub in_flight: usize,
}

/// A queue for each part of the store that was ever asked: one that is slow is not to hold up what is asked of the others. `P` tells parts apart.
#[derive(Debug)]
pub struct ByPart<Q, P = u64>(Mutex<HashMap<P, Q>>);

impl<Q, P: Hash + Eq> ByPart<Q, P> {
    /// Does something with the queue of this part, one at a time; `begin`: makes it, when it is asked for the first time.
    pub fn with<R>(&self, part: P, begin: impl FnOnce() -> Q, act: impl FnOnce(&Q) -> R) -> R {
        let mut parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        act(parts.entry(part).or_insert_with(begin))
    }
}

impl<Q, P> Default for ByPart<Q, P> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

/// Has calls made of what comes, until nobody can put anything any more. A call is under way for as long as its permit is held.
pub async fn send_all<T>(mut queue: Receiver<T>, bounds: Bounds, mut send: impl FnMut(Vec<T>, OwnedSemaphorePermit)) {
    let in_flight = Arc::new(Semaphore::new(bounds.in_flight));
    let mut jobs = Vec::with_capacity(bounds.together);
    while queue.recv_many(&mut jobs, bounds.together).await > 0 {
        // what comes until there is room for another call goes along
        let Ok(permit) = in_flight.clone().acquire_owned().await else { return };
        while jobs.len() < bounds.together
            && let Ok(job) = queue.try_recv()
        {
            jobs.push(job);
        }
        send(std::mem::take(&mut jobs), permit);
    }
}
