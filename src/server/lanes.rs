//! Where connections are served. Those of the Envoy port are spread over lanes, a thread a core with a runtime of its own: what a check needs
//! is on the thread that has read it, its connection to the store and its calls for tokens too, and no other is woken. A connection stays on its
//! lane, and the next one goes to whichever has fewest. Everything that no check waits for is on the server's own runtime.

use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::sync::Arc;
use std::thread::{self, available_parallelism};
use std::time::Duration;

use anyhow::Context as _;
use futures_util::future::{join_all, try_join_all};
use tokio::runtime::Builder;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::door::{Arrival, Door};
use super::greeter::Greeter;
use super::listen::EnvoyRouter;
use crate::store::Store;

/// How long a runtime may take to end.
const PARTING: Duration = Duration::from_secs(1);

/// The way to where connections are served.
pub(super) struct Lane {
    arrivals: UnboundedSender<Arrival>,
    /// Every connection that it serves has another of it.
    serves: Arc<()>,
}

/// A lane's runtime lives until this is closed: look-ups that were begun on it may still be waited for.
pub(super) struct Thread {
    ended: oneshot::Receiver<anyhow::Result<()>>,
    kept: oneshot::Sender<Infallible>,
    gone: oneshot::Receiver<Infallible>,
}

impl Lane {
    /// A lane, and whoever greets those who come along it.
    pub(super) fn of(door: &Door) -> (Self, Greeter) {
        let (arrivals, arriving) = unbounded_channel();
        (Self { arrivals, serves: Arc::default() }, door.greeter(arriving))
    }

    fn receive(&self, arrival: Arrival) -> anyhow::Result<()> {
        let place = arrival.place.counted(self.serves.clone());
        self.arrivals.send(Arrival { place, ..arrival }).ok().context("nobody serves connections any more")
    }
}

/// One a core that this process may use.
pub(super) fn count() -> usize {
    available_parallelism().map_or(1, usize::from)
}

/// A thread for each router.
pub(super) fn start(
    routers: Vec<EnvoyRouter>,
    door: &Door,
    stop: &CancellationToken,
    store: &Arc<impl Store + 'static>,
) -> io::Result<(Vec<Lane>, Vec<Thread>)> {
    let begin = |router| {
        let (lane, greeter) = Lane::of(door);
        let store = store.clone();
        // a thread has its own connection to the store, which the first check that needs it is to find made
        let prepare = async move { drop(store.now().await) };
        Ok((lane, Thread::start(router, greeter, stop.clone(), prepare)?))
    };
    routers.into_iter().map(begin).collect()
}

/// Shows everybody who comes in to the lane that serves fewest; ends only with a lane that has ended.
pub(super) async fn usher(door: Door, lanes: &[Lane]) -> anyhow::Result<Infallible> {
    loop {
        let arrival = door.next().await;
        if let Some(lane) = lanes.iter().min_by_key(|lane| Arc::strong_count(&lane.serves)) {
            lane.receive(arrival)?;
        }
    }
}

impl Thread {
    /// Serves on a thread of its own, until `stop`; what prepares it goes beside.
    fn start(
        router: EnvoyRouter,
        greeter: Greeter,
        stop: CancellationToken,
        prepare: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<Self> {
        let ((tell, ended), (kept, dismissed), (leave, gone)) = (oneshot::channel(), oneshot::channel(), oneshot::channel());
        let serve = async move {
            tokio::spawn(prepare);
            let served = router.serve_with_incoming_shutdown(greeter.incoming(), stop.cancelled_owned()).await;
            let _ = tell.send(served.map_err(Into::into));
            pending::<Infallible>().await
        };
        thread::Builder::new().name("keyward-lane".into()).spawn(move || {
            let _leaves: oneshot::Sender<Infallible> = leave;
            match Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime.block_on(async {
                    tokio::select! {
                        never = serve => match never {},
                        _dismissed = dismissed => {}
                    }
                }),
                Err(error) => tracing::error!(%error, "a thread of the Envoy port has no runtime"),
            }
        })?;
        Ok(Self { ended, kept, gone })
    }
}

/// Until all of them have served.
pub(super) async fn ended(threads: &mut [Thread]) -> anyhow::Result<()> {
    let all = threads.iter_mut().map(|thread| async { (&mut thread.ended).await.context("one of its threads has ended")? });
    try_join_all(all).await.map(drop)
}

/// Ends their runtimes, with whatever is still on them, and waits until they have let go of what they share.
pub(super) async fn close(threads: Vec<Thread>) {
    let (kept, gone): (Vec<_>, Vec<_>) = threads.into_iter().map(|thread| (thread.kept, thread.gone)).unzip();
    drop(kept);
    let _ = timeout(PARTING, join_all(gone)).await;
}
