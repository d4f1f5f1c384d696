//! Asking several servers the same at once, each on a connection that is kept.

use std::pin::pin;
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{AsyncConnectionConfig, Client, FromRedisValue, Pipeline, RedisResult};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::door::Door;
use super::fault;

/// A server that is asked now and then.
pub(super) struct Asked {
    client: Client,
    config: AsyncConnectionConfig,
    patience: Duration,
    /// Held while it is asked: one question at a time.
    connection: Mutex<Option<MultiplexedConnection>>,
}

impl Asked {
    pub(super) fn new(door: &Door, patience: Duration) -> RedisResult<Self> {
        let config = AsyncConnectionConfig::new().set_connection_timeout(Some(patience)).set_response_timeout(Some(patience));
        Ok(Self { client: door.client()?, config, patience, connection: Mutex::default() })
    }

    /// Asks. A connection that brings no answer is not used again.
    pub(super) async fn ask<T: FromRedisValue>(&self, words: &Pipeline) -> RedisResult<T> {
        timeout(self.patience, self.ask_at_leisure(words)).await.unwrap_or_else(|_| Err(fault::lost("no answer in time")))
    }

    async fn ask_at_leisure<T: FromRedisValue>(&self, words: &Pipeline) -> RedisResult<T> {
        let mut kept = self.connection.lock().await;
        // Taken out: if this ends before the answer is there, so does the connection.
        let known = kept.take();
        let was_known = known.is_some();
        let mut connection = match known {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        let mut answer = words.query_async(&mut connection).await;
        if was_known && answer.as_ref().is_err_and(|error: &::redis::RedisError| error.is_io_error() && !error.is_timeout()) {
            connection = self.connect().await?;
            answer = words.query_async(&mut connection).await;
        }
        if answer.is_ok() {
            *kept = Some(connection);
        }
        answer
    }

    async fn connect(&self) -> RedisResult<MultiplexedConnection> {
        self.client.get_multiplexed_async_connection_with_config(&self.config).await
    }
}

/// The answers of more than half of those asked, or of all who have one. Where nobody has, why the first one has none.
pub(super) async fn most<T>(asked: impl Iterator<Item = impl Future<Output = RedisResult<T>>>) -> RedisResult<Vec<T>> {
    let mut pending = pin!(asked.collect::<FuturesUnordered<_>>());
    let (all, mut answers, mut first) = (pending.len(), Vec::new(), None);
    while let Some(answer) = pending.next().await {
        match answer {
            Ok(answer) => answers.push(answer),
            Err(error) => first = first.or(Some(error)),
        }
        if 2 * answers.len() > all {
            break;
        }
    }
    match first {
        Some(error) if answers.is_empty() => Err(error),
        _ => Ok(answers),
    }
}
