//! One connection through a proxy.

use std::ops::RangeInclusive;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::drawn;
use super::state::{Fault, Shared, State, Way};
use super::trap::{Laid, Passes, Search, Then};

/// A connection, with what was told to the proxy.
pub(super) struct Pipe {
    shared: Arc<Shared>,
    /// Of pieces of replies.
    delay: RangeInclusive<u64>,
    baited: Baited,
}

/// The trap whose bait was found on a connection.
type Baited = Arc<watch::Sender<Option<Arc<Laid>>>>;

impl Pipe {
    pub(super) fn new(shared: Arc<Shared>, delay: RangeInclusive<u64>) -> Self {
        Self { shared, delay, baited: Arc::default() }
    }

    /// Carries bytes both ways until either end hangs up or it is cut.
    pub(super) async fn join<R, W, S, T>(self, client: (R, W), server: (S, T))
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
        S: AsyncRead + Unpin,
        T: AsyncWrite + Unpin,
    {
        let mut state = self.shared.subscribe();
        let epoch = state.borrow().epoch;
        tokio::select! {
            () = self.direction(Way::Requests).carry(client.0, server.1, 0..=0) => {}
            () = self.direction(Way::Replies).carry(server.0, client.1, self.delay.clone()) => {}
            _ = state.wait_for(|state| state.epoch != epoch) => {}
        }
    }

    fn direction(&self, way: Way) -> Direction {
        let (shared, baited) = (self.shared.clone(), self.baited.clone());
        Direction { way, state: shared.subscribe(), shared, baited, search: Search::default(), lost: Lost::Nothing }
    }
}

/// One of the two ways.
struct Direction {
    way: Way,
    shared: Arc<Shared>,
    state: watch::Receiver<State>,
    baited: Baited,
    search: Search,
    lost: Lost,
}

/// Whether a direction has swallowed anything: then nothing passes any more.
#[derive(PartialEq, Eq)]
enum Lost {
    Nothing,
    Something,
}

/// What becomes of a piece.
enum Step {
    Pass,
    Swallow,
    /// So many of its bytes pass, and then the connection ends.
    Cut(usize, Fault),
}

impl Direction {
    async fn carry(mut self, mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, delay: RangeInclusive<u64>) {
        let (hold, mut due) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
        let read = async move {
            let mut buffer = vec![0; 65_536];
            loop {
                let count = from.read(&mut buffer).await.unwrap_or(0);
                let piece = &buffer[..count];
                match self.decide(piece).await {
                    // nobody is told that the other end hung up
                    Step::Swallow if count == 0 => std::future::pending().await,
                    Step::Swallow => {}
                    Step::Pass if count == 0 => return None,
                    Step::Pass => drop(hold.send((Instant::now() + drawn(&delay), piece.to_vec()))),
                    Step::Cut(passes, after) => {
                        let _ = hold.send((Instant::now(), piece[..passes].to_vec()));
                        return Some((self.shared, after));
                    }
                }
            }
        };
        let write = async move {
            while let Some((at, bytes)) = due.recv().await {
                tokio::time::sleep_until(at).await;
                if to.write_all(&bytes).await.is_err() {
                    return;
                }
            }
        };
        if let (Some((shared, after)), ()) = tokio::join!(read, write) {
            shared.set(after);
        }
    }

    async fn decide(&mut self, piece: &[u8]) -> Step {
        self.look(piece);
        let (way, baited) = (self.way, self.baited.borrow().clone());
        let trapped = |state: &State| baited.clone().filter(|baited| state.trap.as_ref().is_some_and(|laid| Arc::ptr_eq(baited, laid)));
        let held_by_trap = |state: &State| trapped(state).is_some_and(|laid| laid.holds(way));
        let held = |state: &State| matches!(state.fault, Fault::Held(held) if held.covers(way));
        if held_by_trap(&self.state.borrow()) {
            self.spring();
        }
        let Ok(state) = self.state.wait_for(|state| !held(state) && !held_by_trap(state)).await.map(|state| state.clone()) else {
            return Step::Swallow;
        };
        if matches!(state.fault, Fault::Lost(lost) if lost.covers(way)) {
            self.lost = Lost::Something;
        }
        if self.lost == Lost::Something {
            return Step::Swallow;
        }
        let Some(laid) = trapped(&state) else { return Step::Pass };
        match (laid.passes(way, piece.len()), laid.trap.then) {
            (Passes::Only(bytes), Then::CutAfter { after, .. }) => {
                self.spring();
                Step::Cut(bytes, after)
            }
            _ => Step::Pass,
        }
    }

    /// Looks for the bait of the trap that is laid now.
    fn look(&mut self, piece: &[u8]) {
        let laid = self.state.borrow().trap.clone();
        if let Some(laid) = laid.filter(|_| self.way == Way::Requests)
            && self.search.finds(&laid.trap.bait, piece)
        {
            self.baited.send_replace(Some(laid));
        }
    }

    fn spring(&self) {
        if let Some(laid) = self.baited.borrow().as_ref() {
            laid.spring();
        }
    }
}
