//! Connections for everything but checks: borrowed, tried before they are used, and few.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{AsyncConnectionConfig, RedisError, RedisResult, cmd};
use deadpool::Runtime;
use deadpool::managed::{self, Metrics, Object, RecycleError, RecycleResult};
use tokio::time::Instant;

use super::way::Way;
use super::{Settings, fault};
use crate::store::StoreError;

/// As many as calls of one sort may use at once; further ones wait.
const CONNECTIONS: usize = 8;
/// One call at a time is made on each.
const QUEUED: usize = 8;

/// Connections to the primary, one for each call.
pub(super) struct Pool(managed::Pool<Connections>);

/// Makes them, and tries them before they are lent again.
struct Connections {
    way: Arc<Way>,
    config: AsyncConnectionConfig,
}

/// A connection, and the number that its way had.
struct Lent {
    connection: MultiplexedConnection,
    number: u64,
}

impl Pool {
    /// `waiting`: how long calls may wait before they answer, by what they are.
    pub(super) fn new(way: Arc<Way>, settings: &Settings, waiting: Duration) -> Result<Self, StoreError> {
        let connect = settings.connect_timeout;
        // The caller's deadline ends a call, not less: a commit that is cut off has a fate that nobody knows.
        let whole = Some(connect + settings.timeout);
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(connect))
            .set_response_timeout(whole.map(|whole| whole + waiting))
            .set_pipeline_buffer_size(QUEUED);
        let pool = managed::Pool::builder(Connections { way, config })
            .max_size(CONNECTIONS)
            .wait_timeout(whole)
            .create_timeout(Some(connect))
            .recycle_timeout(Some(settings.timeout))
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
        let lent = self.0.get().await.map_err(|error| fault::no_connection(&error))?;
        let outcome = work(lent.connection.clone()).await;
        if outcome.as_ref().is_err_and(fault::leads_astray) {
            self.0.manager().way.leads_astray(lent.number);
            drop(Object::take(lent));
        }
        outcome.map_err(|error| fault::fault(&error))
    }
}

impl managed::Manager for Connections {
    type Type = Lent;
    type Error = RedisError;

    async fn create(&self) -> Result<Lent, RedisError> {
        let (number, connection) = self.way.connect(&self.config).await?;
        Ok(Lent { connection, number })
    }

    async fn recycle(&self, lent: &mut Lent, _: &Metrics) -> RecycleResult<RedisError> {
        if lent.number != self.way.number() {
            return Err(RecycleError::message("the primary is another one now"));
        }
        cmd("PING").exec_async(&mut lent.connection).await.map_err(RecycleError::Backend)
    }
}
