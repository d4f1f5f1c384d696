//! Use case 4: what is counted of keys and owners, for people. A check counts in a sheet of the thread that decides it, which is memory that no
//! other check waits for; every ten seconds the sheets are collected and added to the store ([`flush`]).
//!
//! These numbers err towards less, and by little: what a replica counted and had not added yet is lost when it is killed. What is added is added
//! once. Only the classes of upstreams' answers may be too many, where an access log comes twice.

pub mod flush;
mod pieces;
mod sheet;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::available_parallelism;

use tokio::sync::Notify;

use self::sheet::{Room, Sheet};
use crate::domain::bearer::Bearer;
use crate::domain::outcome::Outcome;
use crate::domain::ticket::Ticket;
use crate::domain::time::StoreTime;
use crate::domain::usage::{Counter, LastUse};

/// Counts.
pub struct Meter {
    /// A sheet for every thread that decides checks, and some more.
    sheets: Box<[Apart]>,
    /// One of them has little room left.
    filling: Notify,
}

/// On cache lines of its own: threads that count do not slow each other down.
#[repr(align(128))]
#[derive(Default)]
struct Apart(Mutex<Sheet>);

static THREADS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static THREAD: usize = THREADS.fetch_add(1, Ordering::Relaxed);
}

impl Default for Meter {
    fn default() -> Self {
        let threads = 2 * available_parallelism().map_or(1, usize::from) + 2;
        Self { sheets: (0..threads).map(|_| Apart::default()).collect(), filling: Notify::new() }
    }
}

impl Meter {
    /// A check of a key was decided.
    pub fn decided(&self, bearer: &Arc<Bearer>, counter: Counter, used: LastUse) {
        let room = self.here().decided(bearer, counter, used);
        self.note(room);
    }

    /// The request of a ticket has ended.
    pub fn ended(&self, ticket: &Ticket, outcome: Outcome, now: StoreTime) {
        if let Some(counter) = Counter::of(outcome) {
            let room = self.here().ended(ticket, counter, now);
            self.note(room);
        }
    }

    /// That of this thread. Nobody waits for it but while it is collected, which is one exchange.
    fn here(&self) -> MutexGuard<'_, Sheet> {
        let thread = THREAD.with(|thread| *thread);
        lock(&self.sheets[thread % self.sheets.len()])
    }

    fn note(&self, room: Room) {
        if room == Room::Little {
            self.filling.notify_one();
        }
    }

    /// Takes what was counted, and leaves empty sheets in its place.
    fn collect(&self, emptied: &mut Vec<Sheet>) -> Vec<Sheet> {
        let exchange = |apart: &Apart| std::mem::replace(&mut *lock(apart), emptied.pop().unwrap_or_default());
        self.sheets.iter().map(exchange).collect()
    }
}

fn lock(apart: &Apart) -> MutexGuard<'_, Sheet> {
    apart.0.lock().unwrap_or_else(PoisonError::into_inner)
}
