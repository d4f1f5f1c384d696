//! One look-up at a time for one key, however many checks wait for it.
//!
//! A look-up is closed to newcomers **before** what it brought is judged. For a check that waits, so: it saw a lease; every revocation that had
//! returned before it came was applied before that lease was extended; and what it is given was judged after it had come, against all of
//! that. If it could join later it might be given what was judged before the revocation was applied, though the revocation had returned before
//! the check began.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::memory::ByDigest;
use crate::domain::bearer::Bearer;
use crate::domain::key::Digest;
use crate::store::StoreError;

/// What a look-up brought: whose key it is, if anybody's.
pub(super) type Landed = Result<Option<Arc<Bearer>>, StoreError>;

/// Look-ups that are on their way and may be joined.
pub(super) struct Flights {
    open: Mutex<HashMap<Digest, Waiting, ByDigest>>,
    /// So many at once: a store that hangs must not pile them up.
    most: usize,
}

type Waiting = watch::Receiver<Option<Landed>>;

/// How a check gets aboard.
pub(super) enum Aboard {
    /// Somebody else looks it up already.
    Joined(Seat),
    /// The caller has to look it up.
    Begun(Flight, Seat),
}

/// A place to wait for what a look-up brings.
pub(super) struct Seat(Waiting);

/// A look-up. Dropped without landing, it leaves nobody waiting.
pub(super) struct Flight {
    flights: Arc<Flights>,
    key: Digest,
    landing: watch::Sender<Option<Landed>>,
    open: bool,
}

impl Flights {
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { open: Mutex::default(), most })
    }

    /// Joins the look-up of a digest, or begins it; neither, if too many are on their way.
    pub(super) fn board(self: &Arc<Self>, key: Digest) -> Option<Aboard> {
        let mut open = self.open();
        if let Some(waiting) = open.get(&key) {
            return Some(Aboard::Joined(Seat(waiting.clone())));
        }
        if open.len() >= self.most {
            return None;
        }
        let (landing, waiting) = watch::channel(None);
        open.insert(key, waiting.clone());
        Some(Aboard::Begun(Flight { flights: self.clone(), key, landing, open: true }, Seat(waiting)))
    }

    fn open(&self) -> MutexGuard<'_, HashMap<Digest, Waiting, ByDigest>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Flight {
    /// Lets nobody join any more.
    pub(super) fn close(&mut self) {
        if std::mem::take(&mut self.open) {
            self.flights.open().remove(&self.key);
        }
    }

    /// Tells everybody who waits.
    pub(super) fn land(mut self, landed: Landed) {
        self.close();
        self.landing.send_replace(Some(landed));
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.close();
    }
}

impl Seat {
    /// Waits for what it brings.
    pub(super) async fn landed(mut self) -> Landed {
        match self.0.wait_for(Option::is_some).await {
            Ok(landed) => landed.clone().unwrap_or(Ok(None)),
            Err(_) => Err(StoreError::Unfit("a look-up broke down".into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Digest = Digest([7; 32]);

    fn begun(flights: &Arc<Flights>) -> (Flight, Seat) {
        match flights.board(KEY) {
            Some(Aboard::Begun(flight, seat)) => (flight, seat),
            _ => panic!("it was joined, or there was no room"),
        }
    }

    #[tokio::test]
    async fn who_comes_when_it_is_closed_begins_another() {
        let flights = Flights::new(9);
        let (mut first, seat) = begun(&flights);
        let Some(Aboard::Joined(joined)) = flights.board(KEY) else { panic!("control: before, it is joined") };
        first.close();
        let (_second, _) = begun(&flights);
        first.land(Ok(None));
        assert_eq!((seat.landed().await, joined.landed().await), (Ok(None), Ok(None)));
        assert!(matches!(flights.board(KEY), Some(Aboard::Joined(_))), "the second is still open");
    }

    #[tokio::test]
    async fn one_that_breaks_down_leaves_nobody_waiting_and_makes_room() {
        let flights = Flights::new(1);
        let (flight, seat) = begun(&flights);
        assert!(flights.board(Digest([8; 32])).is_none(), "there is room for one");
        drop(flight);
        assert!(matches!(seat.landed().await, Err(StoreError::Unfit(_))));
        begun(&flights);
    }
}
