//! From sheets to the store, in the background. A store that is away is asked again; what it could not take is held up to a bound, then the
//! sheets fill, and what they have no room for is dropped and counted.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::Meter;
use super::pieces::{Numbered, checks, pieces};
use super::sheet::Sheet;
use crate::replica::session::Session;
use crate::store::{SharedStore, StoreError, UsagePiece};
use crate::telemetry::metrics::Metrics;

/// Brings what a meter counts to the store.
pub struct Flusher {
    parts: Parts,
    numbered: Numbered,
    /// Sheets that were read, to be written on again.
    emptied: Vec<Sheet>,
    /// Pieces that the store has not taken yet, in their order.
    held: Vec<UsagePiece>,
}

/// What it is made of.
pub struct Parts {
    pub meter: Arc<Meter>,
    pub store: SharedStore,
    /// Tells the store's time.
    pub session: Arc<Session>,
    pub metrics: Arc<Metrics>,
    /// How long counts stay in memory.
    pub every: Duration,
    /// Drawn at random.
    pub by: u64,
}

/// How long counts stay in memory unless a test says otherwise: so much is lost when a replica is killed.
pub const EVERY: Duration = Duration::from_secs(10);
/// Pieces in one call.
const TOGETHER: usize = 256;
/// Keys and owners whose counts are held while the store is away.
const MOST_HELD: usize = 1 << 16;

impl Flusher {
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let numbered = Numbered { by: parts.by, last: 0 };
        Self { parts, numbered, emptied: Vec::new(), held: Vec::new() }
    }

    /// Flushes again and again until `over`, and then once more: for no longer than `patience`.
    pub async fn run(mut self, over: impl Future<Output = ()>, patience: Duration) {
        tokio::pin!(over);
        loop {
            let meter = self.parts.meter.clone();
            tokio::select! {
                () = &mut over => break,
                () = sleep(self.parts.every) => self.flush().await,
                () = meter.filling.notified() => self.flush().await,
            }
        }
        if timeout(patience, self.flush()).await.is_err() || !self.held.is_empty() {
            tracing::warn!("the last seconds' usage could not be added to the store: it is not counted");
        }
    }

    /// Collects what was counted, and adds it.
    pub async fn flush(&mut self) {
        if self.held.iter().map(|piece| piece.counts.len()).sum::<usize>() < MOST_HELD {
            self.collect();
        }
        let mut again = Vec::new();
        let mut pieces = std::mem::take(&mut self.held).into_iter().peekable();
        let mut why = None;
        while pieces.peek().is_some() {
            let some: Vec<UsagePiece> = pieces.by_ref().take(TOGETHER).collect();
            let answers = match self.parts.store.add_usage(&some).await {
                Ok(answers) => answers,
                Err(error) => vec![Err(error); some.len()],
            };
            for (piece, answer) in some.into_iter().zip(answers) {
                if let Err(error) = self.told(piece, answer, &mut again) {
                    why = why.or(Some(error));
                }
            }
        }
        self.parts.metrics.usage_flushed(if why.is_none() { "ok" } else { "failed" }, again.len());
        if let Some(error) = why {
            tracing::warn!(%error, held = again.len(), "usage could not be added to the store");
        }
        self.held = again;
    }

    /// A piece that the store could not take now is kept for the next time. One that it never will is not.
    fn told(&self, piece: UsagePiece, answer: Result<(), StoreError>, again: &mut Vec<UsagePiece>) -> Result<(), StoreError> {
        let metrics = &self.parts.metrics;
        match answer {
            Ok(()) => metrics.usage_checks("added", checks(&piece)),
            Err(StoreError::Unavailable(_) | StoreError::Unfit(_) | StoreError::Overloaded) => again.push(piece),
            Err(_) => metrics.usage_checks("dropped", checks(&piece)),
        }
        answer
    }

    fn collect(&mut self) {
        let sheets = self.parts.meter.collect(&mut self.emptied);
        self.parts.metrics.usage_checks("dropped", sheets.iter().map(Sheet::dropped).sum());
        self.held.extend(pieces(&sheets, &mut self.numbered, self.parts.session.now()));
        self.emptied.extend(sheets.into_iter().map(Sheet::emptied));
    }
}
