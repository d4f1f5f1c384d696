//! Who reads the audit log for long, and how much of it at once. Redis serves nobody else while it puts an answer together, and checks wait for it
//! for 50 ms: so an answer is kept small, few are asked for at one time, and few calls may go on asking.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Semaphore, SemaphorePermit};

use super::KeyringError;
use crate::domain::actor::Actor;
use crate::domain::audit::Sealed;

/// So many calls of one replica may watch, export and verify at one time, and so many of one caller.
const READERS: usize = 16;
const OF_ONE: usize = 4;

/// So many of them ask the store at one time.
const TURNS: usize = 2;

/// So many entries are read at once while nothing is known of their size, and so many at most: 20 kB of those that most are. But the entry of an
/// import names up to a thousand keys and owners, 30 to 65 kB, or 140 where names are as long as they may be, and fifty of those are beyond a
/// few milliseconds of Redis. So no more are read than would fit into so many bytes if all were as large as the largest of those before.
const FIRST: usize = 4;
const MOST: usize = 50;
const BYTES: usize = 256 << 10;

/// The calls that are open.
#[derive(Debug)]
pub(super) struct Readers {
    open: Mutex<HashMap<Actor, usize>>,
    turns: Semaphore,
}

/// The place of one of them, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    readers: Arc<Readers>,
    whose: Actor,
}

/// How many entries are read next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stride(usize);

impl Readers {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { open: Mutex::default(), turns: Semaphore::new(TURNS) })
    }

    /// A place for one more call, if there is one.
    pub(super) fn place(self: &Arc<Self>, whose: &Actor) -> Result<Place, KeyringError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.get(whose).is_some_and(|own| *own >= OF_ONE) {
            return Err(KeyringError::TooManyOwnReaders(OF_ONE));
        }
        if open.values().sum::<usize>() >= READERS {
            return Err(KeyringError::TooManyReaders(READERS));
        }
        *open.entry(whose.clone()).or_default() += 1;
        Ok(Place { readers: self.clone(), whose: whose.clone() })
    }

    /// Waits until the store may be asked. `None` cannot be: turns do not end.
    pub(super) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.turns.acquire().await.ok()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.readers.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = open.get_mut(&self.whose) {
            *own -= 1;
            if *own == 0 {
                open.remove(&self.whose);
            }
        }
    }
}

impl Default for Stride {
    fn default() -> Self {
        Self(FIRST)
    }
}

impl Stride {
    pub(super) fn count(self) -> usize {
        self.0
    }

    /// After these were read.
    pub(super) fn read(&mut self, page: &[Sealed]) {
        if let Some(largest) = page.iter().map(|sealed| sealed.entry.len()).max() {
            self.0 = (BYTES / largest.max(1)).clamp(1, MOST);
        }
    }
}
