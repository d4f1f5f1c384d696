//! A connection that all checks of a runtime share: the library pipelines calls on it. It is given up for another when it is lost, could not be
//! made, has gone silent, or leads to a server that is no primary any more.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use ::redis::aio::{MultiplexedConnection, SendError};
use ::redis::{AsyncConnectionConfig, PushInfo, PushKind, RedisError, RedisResult};
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout_at};
use tracing::warn;

use super::attempts::{Attempts, Round};
use super::way::Way;
use super::{Settings, fault};
use crate::store::StoreError;

/// Calls that wait for a place on the connection; more wait before it.
const QUEUED: usize = 512;

/// A connection for many calls at once.
#[derive(Clone)]
pub(super) struct Link(Arc<Inner>);

struct Inner {
    way: Arc<Way>,
    config: AsyncConnectionConfig,
    /// Where connections live.
    runtime: Handle,
    attempts: Arc<Attempts>,
    /// How long a connection may take to be made.
    connect: Duration,
    /// How long a connection may be silent while calls go unanswered.
    patience: Duration,
    current: Mutex<Current>,
}

/// A connection that is made, or was: everybody waits for the same one. With the number that the way had.
type Making = Shared<BoxFuture<'static, RedisResult<(u64, MultiplexedConnection)>>>;

struct Current {
    /// None before the first call, and after one was given up.
    connection: Option<Making>,
    /// Which one it is: what calls learn of one that was given up is no news.
    number: u64,
    since: Instant,
    /// Whether it ever brought an answer.
    heard: bool,
    /// Since when it has brought none, though it was asked.
    silent: Option<Instant>,
    /// In which it was tried.
    round: Round,
}

impl Link {
    pub(super) fn new(way: Arc<Way>, settings: &Settings, runtime: Handle, attempts: Arc<Attempts>) -> Self {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(settings.connect_timeout))
            .set_response_timeout(Some(settings.timeout + super::LATE))
            .set_pipeline_buffer_size(QUEUED);
        let current = Current { connection: None, number: 0, since: Instant::now(), heard: false, silent: None, round: Round::default() };
        let (connect, patience) = (settings.connect_timeout, (4 * settings.timeout).max(Duration::from_secs(1)));
        Self(Arc::new(Inner { way, config, runtime, attempts, connect, patience, current: Mutex::new(current) }))
    }

    /// Makes a call, once. Where there is no answer before the deadline, nobody knows whether it was done.
    pub(super) async fn run<T, F, W>(&self, deadline: Instant, work: W) -> Result<T, StoreError>
    where
        W: FnOnce(MultiplexedConnection) -> F,
        F: Future<Output = RedisResult<T>>,
    {
        self.learning(deadline, work, |_| None).await
    }

    /// The same for many calls at once, each with its own answer: one that says that this is no primary is heard.
    pub(super) async fn run_all<T, F, W>(&self, deadline: Instant, work: W) -> Result<Vec<RedisResult<T>>, StoreError>
    where
        W: FnOnce(MultiplexedConnection) -> F,
        F: Future<Output = RedisResult<Vec<RedisResult<T>>>>,
    {
        let astray = |error: &&RedisError| fault::may_lead_astray(error) && !fault::is_elsewhere(error);
        self.learning(deadline, work, |answers| answers.iter().filter_map(|answer| answer.as_ref().err()).find(astray)).await
    }

    async fn learning<T, F, W>(&self, deadline: Instant, work: W, told: impl Fn(&T) -> Option<&RedisError>) -> Result<T, StoreError>
    where
        W: FnOnce(MultiplexedConnection) -> F,
        F: Future<Output = RedisResult<T>>,
    {
        let (number, connection) = self.0.admit()?;
        let call = async { work(connection.await?.1).await };
        let outcome = timeout_at(deadline, call).await;
        self.0.with(number, |current| match &outcome {
            Ok(Ok(answer)) => match told(answer) {
                Some(error) => self.0.learn(current, error),
                None => self.0.answered(current),
            },
            Ok(Err(error)) => self.0.learn(current, error),
            Err(_) => self.0.unanswered(current),
        });
        outcome.map_err(|_| fault::no_answer())?.map_err(|error| fault::fault(&error))
    }
}

impl Inner {
    fn admit(self: &Arc<Self>) -> Result<(u64, Making), StoreError> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let made_under = current.connection.as_ref().and_then(|making| making.peek()?.as_ref().ok().map(|(number, _)| *number));
        if made_under.is_some_and(|number| number != self.way.number()) {
            warn!("the connection does not lead to the primary any more: making another");
            current.give_up();
        }
        let making = match current.connection.clone() {
            Some(making) => making,
            None => self.make(&mut current)?,
        };
        Ok((current.number, making))
    }

    /// Goes on even if nobody waits for it any more: the next call finds it made.
    fn make(self: &Arc<Self>, current: &mut Current) -> Result<Making, StoreError> {
        current.round = self.attempts.begin(Instant::now(), self.connect)?;
        let (way, number, link) = (self.way.clone(), current.number, Arc::downgrade(self));
        let tell = move |told: PushInfo| {
            if told.kind == PushKind::Disconnection {
                lost(&link, number);
            }
            Ok::<(), SendError>(())
        };
        let config = self.config.clone().set_push_sender(tell);
        let connecting = self.runtime.spawn(async move { way.connect(&config).await });
        let made = async { connecting.await.unwrap_or_else(|_| Err(fault::lost("the runtime of its connection has ended"))) };
        let making = made.boxed().shared();
        current.connection = Some(making.clone());
        self.runtime.spawn(tell_the_others(making.clone(), Arc::downgrade(self), (number, current.round)));
        Ok(making)
    }

    /// A connection that never brought anything but errors may not have been let in.
    fn learn(&self, current: &mut Current, error: &RedisError) {
        let was_made = matches!(current.connection.as_ref().and_then(Shared::peek), Some(Ok(_)));
        if was_made && error.is_timeout() {
            self.unanswered(current);
        } else if fault::leads_astray(error) && self.way.is_found() {
            self.astray(current);
            self.failed(current, error);
        } else if !was_made || !fault::is_an_answer(error) || !current.heard {
            self.failed(current, error);
        } else if fault::may_lead_astray(error) && current.since.elapsed() >= self.patience {
            warn!("the connection leads to a Redis that takes no writes: making another");
            self.astray(current);
            current.give_up();
        } else {
            self.answered(current);
        }
    }

    /// Everybody on the same way is to ask for it anew.
    fn astray(&self, current: &Current) {
        if let Some(Ok((number, _))) = current.connection.as_ref().and_then(Shared::peek) {
            self.way.leads_astray(*number);
        }
    }

    /// Another call has brought no answer in time. One alone may be a call that takes long.
    fn unanswered(&self, current: &mut Current) {
        let silent = *current.silent.get_or_insert_with(Instant::now);
        let was_made = matches!(current.connection.as_ref().and_then(Shared::peek), Some(Ok(_)));
        if was_made && silent.elapsed() >= self.patience {
            warn!("the connection to Redis has gone silent: making another");
            self.astray(current);
            current.give_up();
        }
    }

    fn answered(&self, current: &mut Current) {
        (current.heard, current.silent) = (true, None);
        self.attempts.succeeded(current.round);
    }

    fn failed(&self, current: &mut Current, error: &RedisError) {
        self.attempts.failed(Instant::now(), current.round, fault::fault(error));
        current.give_up();
    }

    fn with(&self, number: u64, work: impl FnOnce(&mut Current)) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.number == number {
            work(&mut current);
        }
    }
}

impl Current {
    fn give_up(&mut self) {
        self.connection = None;
        (self.number, self.since, self.heard, self.silent) = (self.number + 1, Instant::now(), false, None);
    }
}

/// Whoever waits for this attempt to end need not wait for a call on it.
async fn tell_the_others(making: Making, link: Weak<Inner>, (number, round): (u64, Round)) {
    let made = making.await;
    let Some(link) = link.upgrade() else { return };
    match made {
        Ok(_) => link.attempts.made(Instant::now(), round),
        Err(error) => link.with(number, |current| link.failed(current, &error)),
    }
}

/// The server ended it. If it was of use, another is made at once, so that the next call need not wait for it; if not, calls may ask for one.
fn lost(link: &Weak<Inner>, number: u64) {
    let Some(link) = link.upgrade() else { return };
    link.with(number, |current| {
        if !current.heard {
            return link.failed(current, &fault::lost("it was closed before it had brought an answer"));
        }
        current.give_up();
        drop(link.make(current));
    });
}
