//! Connections for everything but checks: borrowed, tried before they are used, and few.

use std::future::Future;
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{AsyncConnectionConfig, ConnectionInfo, RedisResult};
use deadpool_redis::{Connection, Manager, Runtime};
use tokio::time::Instant;

use super::{Settings, fault};
use crate::store::StoreError;

/// As many as an admin's calls may use at once; further ones wait.
const CONNECTIONS: usize = 8;
/// One call at a time is made on each.
const QUEUED: usize = 8;

/// Connections, one for each call.
pub(super) struct Pool(deadpool_redis::Pool);

impl Pool {
    pub(super) fn new(info: ConnectionInfo, settings: &Settings) -> Result<Self, StoreError> {
        Self::patient(info, settings, Duration::ZERO)
    }

    /// One for calls that may wait for so long before they answer.
    pub(super) fn patient(info: ConnectionInfo, settings: &Settings, waiting: Duration) -> Result<Self, StoreError> {
        let (connect, answer) = (settings.connect_timeout, settings.timeout);
        // The caller's deadline ends a call, not less: a commit that is cut off has a fate that nobody knows.
        let whole = Some(connect + answer);
        let connections = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(connect))
            .set_response_timeout(Some(connect + answer + waiting))
            .set_pipeline_buffer_size(QUEUED);
        let connections = Manager::new_with_config(info, connections).map_err(|error| fault::unusable(&error))?;
        let pool = deadpool_redis::Pool::builder(connections)
            .max_size(CONNECTIONS)
            .wait_timeout(whole)
            .create_timeout(Some(connect))
            .recycle_timeout(Some(answer))
            .runtime(Runtime::Tokio1);
        pool.build().map(Self).map_err(|error| StoreError::Unavailable(error.to_string()))
    }

    /// Makes calls on one connection. Where there is no answer before the deadline, nobody knows whether they were done.
    pub(super) async fn run<T, F, W>(&self, deadline: Instant, work: W) -> Result<T, StoreError>
    where
        W: FnOnce(MultiplexedConnection) -> F,
        F: Future<Output = RedisResult<T>>,
    {
        tokio::time::timeout_at(deadline, self.borrow(work)).await.unwrap_or_else(|_| Err(fault::no_answer()))
    }

    async fn borrow<T, F, W>(&self, work: W) -> Result<T, StoreError>
    where
        W: FnOnce(MultiplexedConnection) -> F,
        F: Future<Output = RedisResult<T>>,
    {
        let connection = self.0.get().await.map_err(|error| fault::no_connection(&error))?;
        let outcome = work(MultiplexedConnection::clone(&connection)).await;
        if outcome.as_ref().is_err_and(fault::leads_astray) {
            drop(Connection::take(connection));
        }
        outcome.map_err(|error| fault::fault(&error))
    }
}
