//! One look-up at a time for one key, however many checks wait for it.
//!
//! A look-up is closed to newcomers **before** what it brought is judged. For a check that waits, so: it saw a lease; every revocation that had
//! returned before it came was applied before that lease was extended; and what it is given was judged after it had come, against all of
//! that. If it could join later it might be given what was judged before the revocation was applied, though the revocation had returned before
//! the check began. Whoever comes between waits until it has landed and looks at what is remembered since.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::memory::ByDigest;
use crate::domain::bearer::Bearer;
use crate::domain::key::Digest;
use crate::store::StoreError;

/// What a look-up brought: whose key it is, if anybody's.
pub(super) type Landed = Result<Option<Arc<Bearer>>, StoreError>;

/// Look-ups that are on their way.
pub(super) struct Flights {
    flying: Mutex<HashMap<Digest, Flying, ByDigest>>,
    /// So many at once: a store that hangs must not pile them up.
    most: usize,
}

struct Flying {
    waiting: watch::Receiver<Option<Landed>>,
    open: bool,
}

/// How a check gets aboard, if it has to.
pub(super) enum Aboard<T> {
    /// Nobody looks it up, because it is known by now.
    Known(T),
    /// Somebody else looks it up already.
    Joined(Seat),
    /// Somebody else is about to land with it, and nobody may join any more.
    Missed(Seat),
    /// The caller has to look it up.
    Begun(Flight, Seat),
}

/// A place to wait for what a look-up brings.
pub(super) struct Seat(watch::Receiver<Option<Landed>>);

/// A look-up. Dropped without landing, it leaves nobody waiting.
pub(super) struct Flight {
    flights: Arc<Flights>,
    key: Digest,
    landing: watch::Sender<Option<Landed>>,
    landed: Option<Landed>,
}

impl Flights {
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { flying: Mutex::default(), most })
    }

    /// Joins the look-up of a digest, or begins it if it is not known; none of them, if too many are on their way. What a look-up brings has to
    /// be known before it lands: then nothing is looked up twice.
    pub(super) fn board<T>(self: &Arc<Self>, key: Digest, known: impl FnOnce() -> Option<T>) -> Option<Aboard<T>> {
        let mut flying = self.flying();
        if let Some(Flying { waiting, open }) = flying.get(&key) {
            let seat = Seat(waiting.clone());
            return Some(if *open { Aboard::Joined(seat) } else { Aboard::Missed(seat) });
        }
        if let Some(known) = known() {
            return Some(Aboard::Known(known));
        }
        if flying.len() >= self.most {
            return None;
        }
        let (landing, waiting) = watch::channel(None);
        flying.insert(key, Flying { waiting: waiting.clone(), open: true });
        Some(Aboard::Begun(Flight { flights: self.clone(), key, landing, landed: None }, Seat(waiting)))
    }

    fn flying(&self) -> MutexGuard<'_, HashMap<Digest, Flying, ByDigest>> {
        self.flying.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Flight {
    /// Lets nobody join any more.
    pub(super) fn close(&self) {
        if let Some(flying) = self.flights.flying().get_mut(&self.key) {
            flying.open = false;
        }
    }

    /// Tells everybody who waits.
    pub(super) fn land(mut self, landed: Landed) {
        self.landed = Some(landed);
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        // before anybody is told: whoever missed it is not to find it again
        self.flights.flying().remove(&self.key);
        if let Some(landed) = self.landed.take() {
            self.landing.send_replace(Some(landed));
        }
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

    fn board(flights: &Arc<Flights>, key: Digest) -> Option<Aboard<()>> {
        flights.board(key, || None)
    }

    fn begun(flights: &Arc<Flights>) -> (Flight, Seat) {
        match board(flights, KEY) {
            Some(Aboard::Begun(flight, seat)) => (flight, seat),
            _ => panic!("it was joined, or there was no room"),
        }
    }

    #[tokio::test]
    async fn who_comes_when_it_is_closed_waits_until_it_has_landed_and_then_looks_for_what_is_known() {
        let flights = Flights::new(9);
        let (first, seat) = begun(&flights);
        let Some(Aboard::Joined(joined)) = board(&flights, KEY) else { panic!("control: before, it is joined") };
        first.close();
        let Some(Aboard::Missed(missed)) = flights.board(KEY, || Some("not asked for")) else { panic!("it is not over yet") };
        first.land(Ok(None));
        assert_eq!((seat.landed().await, joined.landed().await, missed.landed().await), (Ok(None), Ok(None), Ok(None)));
        assert!(matches!(flights.board(KEY, || Some("what it brought")), Some(Aboard::Known("what it brought"))));
        begun(&flights);
    }

    #[tokio::test]
    async fn one_that_breaks_down_leaves_nobody_waiting_and_makes_room() {
        let flights = Flights::new(1);
        let (flight, seat) = begun(&flights);
        assert!(board(&flights, Digest([8; 32])).is_none(), "there is room for one");
        drop(flight);
        assert!(matches!(seat.landed().await, Err(StoreError::Unfit(_))));
        begun(&flights);
    }
}
