//! Connections for everything but checks: borrowed, tried before they are used, and few.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{AsyncConnectionConfig, RedisResult};
use deadpool_redis::{Connection, Hook, HookError, Manager, PoolError, Runtime, Timeouts};
use tokio::time::{Instant, timeout, timeout_at};

use super::door::{Door, Node};
use super::way::{self, Way};
use super::{Settings, fault};
use crate::store::StoreError;

/// As many as calls of one sort may use at once; further ones wait.
const CONNECTIONS: usize = 8;
/// One call at a time is made on each.
const QUEUED: usize = 8;

/// Connections to the primary, one for each call.
pub(super) struct Pool {
    way: Arc<Way>,
    config: AsyncConnectionConfig,
    timeouts: Timeouts,
    connect: Duration,
    /// None before the first call. One leads to one node, and is given up when the way has another number.
    current: Mutex<Option<Numbered>>,
}

/// Connections to one node, and the number that the way had.
type Numbered = (u64, deadpool_redis::Pool);

impl Pool {
    /// `waiting`: how long calls may wait before they answer, by what they are.
    pub(super) fn new(way: Arc<Way>, settings: &Settings, waiting: Duration) -> Self {
        let connect = settings.connect_timeout;
        // The caller's deadline ends a call, not less: a commit that is cut off has a fate that nobody knows.
        let whole = connect + settings.timeout;
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(connect))
            .set_response_timeout(Some(whole + waiting))
            .set_pipeline_buffer_size(QUEUED);
        let timeouts = Timeouts { wait: Some(whole), create: Some(connect), recycle: Some(settings.timeout) };
        Self { way, config, timeouts, connect, current: Mutex::default() }
    }

    /// Makes calls on one connection. Where there is no answer before the deadline, nobody knows whether they were done.
    pub(super) async fn run<T, F, W>(&self, deadline: Instant, work: W) -> Result<T, StoreError>
    where
        W: FnOnce(MultiplexedConnection) -> F,
        F: Future<Output = RedisResult<T>>,
    {
        timeout_at(deadline, self.borrow(work)).await.unwrap_or_else(|_| Err(fault::no_answer()))
    }

    async fn borrow<T, F, W>(&self, work: W) -> Result<T, StoreError>
    where
        W: FnOnce(MultiplexedConnection) -> F,
        F: Future<Output = RedisResult<T>>,
    {
        let (number, connection) = self.lend().await?;
        let outcome = work(MultiplexedConnection::clone(&connection)).await;
        if outcome.as_ref().is_err_and(fault::leads_astray) {
            self.way.leads_astray(number);
            drop(Connection::take(connection));
        }
        outcome.map_err(|error| fault::fault(&error))
    }

    /// Where the way turns out to have another number, by this or meanwhile, it is gone once more: nothing was asked for yet.
    async fn lend(&self) -> Result<(u64, Connection), StoreError> {
        let known = match self.known() {
            Some(known) => known,
            None => self.find().await?,
        };
        let lent = self.get(&known).await;
        if known.0 == self.way.number() {
            return Ok((known.0, lent?));
        }
        drop(lent);
        let found = self.find().await?;
        Ok((found.0, self.get(&found).await?))
    }

    async fn get(&self, (number, pool): &Numbered) -> Result<Connection, StoreError> {
        let lent = pool.get().await;
        if matches!(lent, Err(PoolError::Backend(_) | PoolError::PostCreateHook(_))) {
            self.way.leads_astray(*number);
        }
        lent.map_err(|error| fault::no_connection(&error))
    }

    fn known(&self) -> Option<Numbered> {
        let number = self.way.number();
        self.current().clone().filter(|(made_under, _)| *made_under == number)
    }

    async fn find(&self) -> Result<Numbered, StoreError> {
        let (number, door) = self.way.door().await.map_err(|error| fault::fault(&error))?;
        let mut current = self.current();
        match &*current {
            // Another call was faster.
            Some(known) if known.0 >= number => Ok(known.clone()),
            _ => Ok(current.insert((number, self.make(&door)?)).clone()),
        }
    }

    fn make(&self, door: &Door) -> Result<deadpool_redis::Pool, StoreError> {
        let info = door.info().map_err(|error| fault::unusable(&error))?;
        let connections = Manager::new_with_config(info, self.config.clone()).map_err(|error| fault::unusable(&error))?;
        let mut pool = deadpool_redis::Pool::builder(connections).max_size(CONNECTIONS).timeouts(self.timeouts).runtime(Runtime::Tokio1);
        if let Some(node) = door.node().filter(|_| self.way.is_found()) {
            pool = pool.post_create(is_primary(node, self.connect));
        }
        pool.build().map_err(|error| StoreError::Unavailable(error.to_string()))
    }

    fn current(&self) -> MutexGuard<'_, Option<Numbered>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whoever is named as the primary has to say so itself. The pool's time for making a connection is over by then: this has its own.
fn is_primary(node: Node, patience: Duration) -> Hook {
    Hook::async_fn(move |connection, _| {
        let node = node.clone();
        Box::pin(async move {
            let told = timeout(patience, way::is_primary(connection, &node)).await;
            told.unwrap_or_else(|_| Err(fault::lost(&format!("{node} did not answer in time")))).map_err(HookError::Backend)
        })
    })
}
