//! Where connections are served. Those of the Envoy port are spread over lanes, a thread a core with a runtime of its own: what a check needs
//! is on the thread that has read it, and no other is woken. A connection stays on its lane, and the next one goes to whichever has fewest.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::thread::{self, available_parallelism};

use futures_util::future::try_join_all;
use tokio::runtime::Builder;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tonic::transport::server::Router;

use super::door::{Arrival, Door};
use super::greeter::Greeter;

/// The way to where connections are served.
pub(super) struct Lane {
    arrivals: UnboundedSender<Arrival>,
    /// Every connection that it serves has another of it.
    serves: Arc<()>,
}

/// A lane's runtime lives until this is dropped: a store may have been connected on it that others still need.
pub(super) struct Thread {
    ended: oneshot::Receiver<anyhow::Result<()>>,
    _kept: oneshot::Sender<Infallible>,
}

impl Lane {
    /// A lane, and whoever greets those who come along it.
    pub(super) fn of(door: &Door) -> (Self, Greeter) {
        let (arrivals, arriving) = unbounded_channel();
        (Self { arrivals, serves: Arc::default() }, door.greeter(arriving))
    }

    fn receive(&self, arrival: Arrival) {
        let place = arrival.place.counted(self.serves.clone());
        let _ = self.arrivals.send(Arrival { place, ..arrival });
    }
}

/// One a core that this process may use.
pub(super) fn count() -> usize {
    available_parallelism().map_or(1, usize::from)
}

/// A thread for each router.
pub(super) fn start(routers: Vec<Router>, door: &Door, stop: &CancellationToken) -> io::Result<(Vec<Lane>, Vec<Thread>)> {
    let begin = |router| {
        let (lane, greeter) = Lane::of(door);
        Ok((lane, Thread::start(router, greeter, stop.clone())?))
    };
    routers.into_iter().map(begin).collect()
}

/// Shows everybody who comes in to the lane that serves fewest.
pub(super) async fn usher(door: Door, lanes: &[Lane]) -> Infallible {
    loop {
        let arrival = door.next().await;
        if let Some(lane) = lanes.iter().min_by_key(|lane| Arc::strong_count(&lane.serves)) {
            lane.receive(arrival);
        }
    }
}

impl Thread {
    /// Serves on a thread of its own, until `stop`.
    fn start(router: Router, greeter: Greeter, stop: CancellationToken) -> io::Result<Self> {
        let ((tell, ended), (kept, dismissed)) = (oneshot::channel(), oneshot::channel());
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let serve = async move {
            let served = router.serve_with_incoming_shutdown(greeter.incoming(), stop.cancelled_owned()).await;
            let _ = tell.send(served.map_err(Into::into));
            let _ = dismissed.await;
        };
        thread::Builder::new().name("keyward-lane".into()).spawn(move || runtime.block_on(serve))?;
        Ok(Self { ended, _kept: kept })
    }
}

/// Until all of them have served.
pub(super) async fn ended(threads: &mut [Thread]) -> anyhow::Result<()> {
    let all = threads.iter_mut().map(|thread| async { (&mut thread.ended).await? });
    try_join_all(all).await.map(drop)
}
