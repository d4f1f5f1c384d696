//! The one connection that all checks share. The library pipelines calls on it and makes it again when it is lost. Here it is given up for
//! another where that is not enough: it could not be made, it has gone silent, or it leads to a server that is no primary any more.

use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ::redis::aio::{ConnectionManager, ConnectionManagerConfig};
use ::redis::{Client, RedisError, RedisResult};
use tokio::time::{Instant, timeout_at};
use tracing::warn;

use super::{Settings, fault};
use crate::store::StoreError;

/// Calls that wait for a place on the connection; more wait before it.
const QUEUED: usize = 512;

/// A connection for many calls at once.
pub(super) struct Link {
    client: Client,
    config: ConnectionManagerConfig,
    /// How long a connection may be silent while calls go unanswered.
    patience: Duration,
    current: Mutex<Current>,
}

struct Current {
    connection: ConnectionManager,
    /// Which one it is: what calls learn of one that was given up is no news.
    number: u64,
    since: Instant,
    /// When it last brought an answer.
    heard: Option<Instant>,
    /// In a row, none of which was a call too many: further calls are told why without being made.
    failures: u32,
    barred: Option<(Instant, StoreError)>,
}

impl Link {
    pub(super) fn new(client: Client, settings: &Settings) -> Result<Self, StoreError> {
        // A connection that could not be made is told of at once, not tried for again while calls wait: see `pause`.
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(settings.connect_timeout))
            .set_response_timeout(Some(settings.timeout + super::LATE))
            .set_pipeline_buffer_size(QUEUED)
            .set_number_of_retries(0);
        let connection = connection(&client, &config).map_err(|error| fault::unusable(&error))?;
        let current = Current { connection, number: 0, since: Instant::now(), heard: None, failures: 0, barred: None };
        let patience = (4 * settings.timeout).max(Duration::from_secs(1));
        Ok(Self { client, config, patience, current: Mutex::new(current) })
    }

    /// Makes a call, once. Where there is no answer before the deadline, nobody knows whether it was done.
    pub(super) async fn run<T, F, W>(&self, deadline: Instant, work: W) -> Result<T, StoreError>
    where
        W: FnOnce(ConnectionManager) -> F,
        F: Future<Output = RedisResult<T>>,
    {
        let (number, connection) = self.admit()?;
        let outcome = timeout_at(deadline, work(connection)).await;
        match &outcome {
            Ok(Err(error)) if !error.is_timeout() => self.learn(number, error),
            Ok(Ok(_)) => self.with(number, Current::answered),
            _ => self.with(number, |current| self.unanswered(current)),
        }
        outcome.map_err(|_| fault::no_answer())?.map_err(|error| fault::fault(&error))
    }

    fn admit(&self) -> Result<(u64, ConnectionManager), StoreError> {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        match &current.barred {
            Some((until, why)) if Instant::now() < *until => Err(why.clone()),
            _ => Ok((current.number, current.connection.clone())),
        }
    }

    /// A connection that never brought anything but errors may not have been let in.
    fn learn(&self, number: u64, error: &RedisError) {
        self.with(number, |current| {
            if !fault::is_an_answer(error) || current.heard.is_none() {
                current.failures = current.failures.saturating_add(1);
                current.barred = Some((Instant::now() + pause(current.failures), fault::fault(error)));
                self.give_up(current);
            } else if fault::leads_astray(error) && current.since.elapsed() >= self.patience {
                warn!("the connection leads to a Redis that is no primary: making another");
                self.give_up(current);
            } else {
                current.answered();
            }
        });
    }

    fn unanswered(&self, current: &mut Current) {
        if current.heard.is_some_and(|heard| heard.elapsed() >= self.patience) {
            warn!("the connection to Redis has gone silent: making another");
            self.give_up(current);
        }
    }

    fn give_up(&self, current: &mut Current) {
        match connection(&self.client, &self.config) {
            Ok(connection) => current.connection = connection,
            Err(error) => warn!("no other connection to Redis can be prepared: {error}"),
        }
        (current.number, current.since, current.heard) = (current.number + 1, Instant::now(), None);
    }

    fn with(&self, number: u64, work: impl FnOnce(&mut Current)) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.number == number {
            work(&mut current);
        }
    }
}

impl Current {
    fn answered(&mut self) {
        (self.heard, self.failures, self.barred) = (Some(Instant::now()), 0, None);
    }
}

/// One that is made by its first call.
fn connection(client: &Client, config: &ConnectionManagerConfig) -> RedisResult<ConnectionManager> {
    ConnectionManager::new_lazy_with_config(client.clone(), config.clone())
}

/// How long nothing is tried after so many failures in a row: not at all after the first, or a server that was only restarted would be
/// missed; half a second at most; and up to as much again at random, so that replicas do not all come back at once.
fn pause(failures: u32) -> Duration {
    let longest = match failures {
        0 | 1 => 0,
        few => (25 << few.min(5)).min(500),
    };
    let random = getrandom::u32().unwrap_or_default() % (longest + 1);
    Duration::from_millis(u64::from(longest + random))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_after_failures_grows_to_half_a_second_and_is_never_twice_that() {
        assert_eq!(pause(1), Duration::ZERO);
        for (failures, least) in [(2, 100), (3, 200), (4, 400), (5, 500), (6, 500), (u32::MAX, 500)] {
            for _ in 0..100 {
                assert!((least..=2 * least).contains(&pause(failures).as_millis()), "{failures}");
            }
        }
    }
}
