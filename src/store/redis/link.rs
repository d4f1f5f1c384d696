//! The one connection that all checks share. The library makes it again when it is lost; here it is also given up when it has gone silent,
//! or leads to a server that is no primary any more, neither of which a socket ever tells.

use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ::redis::aio::{ConnectionManager, ConnectionManagerConfig};
use ::redis::{Client, RedisError, RedisResult};
use tokio::time::Instant;
use tracing::warn;

use super::{Settings, fault};
use crate::store::StoreError;

/// Calls that wait for a place on the connection; more wait before it.
const QUEUED: usize = 512;
/// Between attempts to connect: at first, and at most. Up to as much again is added at random, so that replicas do not come all at once.
const DELAYS: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(400));
/// Attempts in a row; the call after that begins anew.
const ATTEMPTS: usize = 10;

/// A connection for many calls at once.
pub(super) struct Link {
    client: Client,
    config: ConnectionManagerConfig,
    /// How long a connection may be silent while calls go unanswered.
    patience: Duration,
    current: Mutex<Current>,
}

struct Current {
    manager: ConnectionManager,
    /// When it last brought an answer. `None`: not yet, so it is still being made, which the library does in its own time.
    heard: Option<Instant>,
    /// When it took the place of another.
    since: Instant,
}

impl Link {
    pub(super) fn new(client: Client, settings: &Settings) -> Result<Self, StoreError> {
        let (first, longest) = DELAYS;
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(settings.connect_timeout))
            .set_response_timeout(Some(settings.timeout))
            .set_pipeline_buffer_size(QUEUED)
            .set_min_delay(first)
            .set_max_delay(longest)
            .set_number_of_retries(ATTEMPTS);
        let current = Mutex::new(Current::new(&client, &config).map_err(|error| fault::unusable(&error))?);
        Ok(Self { client, config, patience: (4 * settings.timeout).max(Duration::from_secs(1)), current })
    }

    /// Makes a call, once. Where there is no answer before the deadline, nobody knows whether it was done.
    pub(super) async fn run<T, F, W>(&self, deadline: Instant, work: W) -> Result<T, StoreError>
    where
        W: FnOnce(ConnectionManager) -> F,
        F: Future<Output = RedisResult<T>>,
    {
        let manager = self.with_current(|current| current.manager.clone());
        let Ok(outcome) = tokio::time::timeout_at(deadline, work(manager)).await else {
            self.heard_nothing();
            return Err(fault::no_answer());
        };
        self.learn(outcome.as_ref().err());
        outcome.map_err(|error| fault::fault(&error))
    }

    fn learn(&self, error: Option<&RedisError>) {
        match error {
            Some(error) if error.is_timeout() => self.heard_nothing(),
            Some(error) if fault::leads_astray(error) => self.with_current(|current| {
                if current.since.elapsed() >= self.patience {
                    self.replace(current, "leads to a Redis that is no primary");
                }
            }),
            Some(error) if !fault::is_an_answer(error) => {}
            _ => self.with_current(|current| current.heard = Some(Instant::now())),
        }
    }

    fn heard_nothing(&self) {
        self.with_current(|current| {
            if current.heard.is_some_and(|heard| heard.elapsed() >= self.patience) {
                self.replace(current, "has gone silent");
            }
        });
    }

    fn replace(&self, current: &mut Current, why: &str) {
        warn!("the connection to Redis {why}: making another");
        match Current::new(&self.client, &self.config) {
            Ok(new) => *current = new,
            Err(error) => warn!("no other connection to Redis could be prepared: {error}"),
        }
    }

    fn with_current<T>(&self, work: impl FnOnce(&mut Current) -> T) -> T {
        work(&mut self.current.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Current {
    fn new(client: &Client, config: &ConnectionManagerConfig) -> RedisResult<Self> {
        let manager = ConnectionManager::new_lazy_with_config(client.clone(), config.clone())?;
        Ok(Self { manager, heard: None, since: Instant::now() })
    }
}
