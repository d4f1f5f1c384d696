//! Where connections come in. So many may be there at once; whoever finds no place is hung up on.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;

use super::greeter::{Greeter, Greets};
use crate::telemetry::metrics::Metrics;

/// An open port.
pub(super) struct Door {
    listener: TcpListener,
    address: SocketAddr,
    port: Port,
    greets: Greets,
    places: Arc<Semaphore>,
}

/// As metrics know it.
#[derive(Clone)]
pub(super) struct Port {
    pub(super) name: &'static str,
    pub(super) metrics: Arc<Metrics>,
}

/// Somebody who has come in and has said nothing yet. No runtime has him: whichever greets him will.
pub(super) struct Arrival {
    pub(super) stream: TcpStream,
    pub(super) place: Place,
}

/// One of a door's places, given back when it is dropped, and counted by the lane that serves it.
pub(super) struct Place {
    _one: OwnedSemaphorePermit,
    _of_lane: Option<Arc<()>>,
}

impl Place {
    pub(super) fn counted(self, lane: Arc<()>) -> Self {
        Self { _of_lane: Some(lane), ..self }
    }
}

impl Door {
    /// Opens a port to so many connections at once.
    pub(super) async fn open(address: SocketAddr, port: Port, greets: Greets, most: usize) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        Ok(Self { address: listener.local_addr()?, listener, port, greets, places: Arc::new(Semaphore::new(most)) })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whoever greets some of those who come in here.
    pub(super) fn greeter(&self, arrivals: UnboundedReceiver<Arrival>) -> Greeter {
        Greeter::new(arrivals, self.greets.clone(), self.port.clone(), self.address)
    }

    /// The next one who finds a place. The others are told at once, by being hung up on: they may ask another replica.
    pub(super) async fn next(&self) -> Arrival {
        loop {
            match self.listener.accept().await.and_then(|(stream, _)| stream.into_std()) {
                Ok(stream) => match self.places.clone().try_acquire_owned() {
                    Ok(place) => return Arrival { stream, place: Place { _one: place, _of_lane: None } },
                    Err(_full) => self.port.refused("full"),
                },
                Err(error) => rest(error).await,
            }
        }
    }
}

impl Port {
    pub(super) fn refused(&self, why: &'static str) {
        self.metrics.refused_connection(self.name, why);
    }
}

/// A connection that broke before it was accepted is nobody's loss. Any other failure, such as having no more files, would come again at once.
async fn rest(error: io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    if !matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted) {
        tracing::warn!(%error, "a connection cannot be accepted");
        sleep(Duration::from_millis(100)).await;
    }
}
