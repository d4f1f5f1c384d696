//! What a proxy was told, seen by all its connections.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::watch;

use super::trap::{Laid, Trap};

/// How bad the network is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fault {
    #[default]
    None,
    /// Bytes are swallowed, and nobody is told: no connection ends, none is refused.
    Lost(Way),
    /// Bytes are kept, and come when it is over.
    Held(Way),
    /// Connections are cut, and new ones end at once.
    Refused,
}

/// In which direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Both,
    Requests,
    Replies,
}

impl Way {
    /// Whether it is this way, or both.
    pub(super) fn covers(self, way: Way) -> bool {
        self == Self::Both || self == way
    }
}

#[derive(Debug, Clone, Default)]
pub(super) struct State {
    pub(super) fault: Fault,
    /// Connections of an earlier epoch are cut.
    pub(super) epoch: u64,
    /// Where one is laid.
    pub(super) trap: Option<Arc<Laid>>,
}

#[derive(Default)]
pub(super) struct Shared {
    state: watch::Sender<State>,
    accepted: AtomicU64,
    /// So that a change is made of what it was decided on.
    changing: Mutex<()>,
}

impl Shared {
    pub(super) fn subscribe(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    pub(super) fn set(&self, fault: Fault) {
        self.change(|state| {
            state.fault = fault;
            state.epoch += u64::from(fault == Fault::Refused);
        });
    }

    pub(super) fn cut(&self) {
        self.change(|state| state.epoch += 1);
    }

    pub(super) fn lay(&self, trap: Trap) {
        self.change(|state| state.trap = Some(Arc::new(Laid::new(trap))));
    }

    pub(super) fn unlay(&self) -> bool {
        let sprung = self.sprung();
        self.change(|state| state.trap = None);
        sprung
    }

    pub(super) fn sprung(&self) -> bool {
        self.state.borrow().trap.as_ref().is_some_and(|trap| trap.sprung())
    }

    pub(super) fn refuses(&self) -> bool {
        self.state.borrow().fault == Fault::Refused
    }

    pub(super) fn accept(&self) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let _changing = self.changing.lock().unwrap();
        self.state.send_modify(change);
    }
}
