//! The engines, each on ground of its own that can be crashed under it.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use keyward::store::{SharedStore, Store, StoreError};

use crate::support::redis::RedisServer;

/// An engine under test.
#[async_trait]
pub(super) trait Engine: Send {
    fn store(&self) -> SharedStore;

    /// Everything that was not made durable is lost; afterwards the engine is there again.
    async fn crash(&mut self);
}

/// Redis, which has every write on disk before it acknowledges it, and a store that is never made again.
pub(super) struct OnRedis {
    server: RedisServer,
    store: SharedStore,
}

pub(super) fn redis() -> OnRedis {
    let server = RedisServer::durable();
    let store = server.store();
    OnRedis { server, store }
}

#[async_trait]
impl Engine for OnRedis {
    fn store(&self) -> SharedStore {
        self.store.clone()
    }

    async fn crash(&mut self) {
        self.server.kill();
        self.server.restart();
        until_it_answers(&*self.store).await;
    }
}

/// Asks until the store is no longer away.
pub(super) async fn until_it_answers(store: &dyn Store) {
    let until = Instant::now() + Duration::from_mins(1);
    while let Err(error) = store.now().await {
        assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
        assert!(Instant::now() < until, "the store does not come back: {error}");
        tokio::task::yield_now().await;
    }
}
