//! Where connections come in. So many may be there at once, whoever begins one has to say what he wants in time, and until he has he costs
//! little more than his socket. Tonic and axum get those that are worth serving.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::Stream;
use futures_util::stream::unfold;
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::connection::{Channel, Connection};
use crate::telemetry::metrics::Metrics;

/// TLS and the first words of HTTP/2 together.
const GREETING: Duration = Duration::from_secs(5);

/// How long a connection for pages lasts: time for one request.
const VISIT: Duration = Duration::from_secs(10);

/// With which every client of HTTP/2 begins (RFC 9113, 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// An open port.
pub(super) struct Door {
    listener: TcpListener,
    port: Port,
    greets: Greets,
    places: Arc<Semaphore>,
    greeting: JoinSet<io::Result<Connection>>,
}

/// As metrics know it.
#[derive(Clone)]
pub(super) struct Port {
    pub(super) name: &'static str,
    pub(super) metrics: Arc<Metrics>,
}

/// What is spoken there.
#[derive(Clone)]
pub(super) enum Greets {
    Http2,
    Http2OverTls(TlsAcceptor),
    Pages,
}

impl Door {
    /// Opens a port to so many connections at once.
    pub(super) async fn open(address: SocketAddr, port: Port, greets: Greets, most: usize) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        Ok(Self { listener, port, greets, places: Arc::new(Semaphore::new(most)), greeting: JoinSet::new() })
    }

    pub(super) fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// The connections that come, one after another and without end.
    pub(super) fn incoming(self) -> impl Stream<Item = io::Result<Connection>> {
        unfold(self, |mut door| async move { Some((Ok(door.next().await), door)) })
    }

    async fn next(&mut self) -> Connection {
        loop {
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => self.receive(stream),
                    Err(error) => rest(error).await,
                },
                Some(greeted) = self.greeting.join_next() => if let Ok(Ok(connection)) = greeted {
                    return connection;
                },
            }
        }
    }

    /// Whoever finds no place is told so at once, by being hung up on: he may ask another replica.
    fn receive(&mut self, stream: TcpStream) {
        let Ok(place) = self.places.clone().try_acquire_owned() else { return self.port.refused("full") };
        let (port, greets) = (self.port.clone(), self.greets.clone());
        self.greeting.spawn(async move {
            let greeted = timeout(GREETING, greet(stream, &greets, place)).await.unwrap_or_else(|late| Err(late.into()));
            greeted.inspect_err(|error| match error.kind() {
                io::ErrorKind::TimedOut => port.refused("slow"),
                io::ErrorKind::InvalidData => port.refused("foreign"),
                // a probe that looks whether the port is open
                _ => {}
            })
        });
    }
}

impl axum::serve::Listener for Door {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        let connection = self.next().await;
        let from = connection.from;
        (connection, from)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.address()
    }
}

impl Port {
    fn refused(&self, why: &'static str) {
        self.metrics.refused_connection(self.name, why);
    }
}

/// A connection whose client has said the first words.
async fn greet(stream: TcpStream, greets: &Greets, place: OwnedSemaphorePermit) -> io::Result<Connection> {
    stream.set_nodelay(true)?;
    let from = stream.peer_addr()?;
    // what follows needs memory
    stream.readable().await?;
    match greets {
        Greets::Pages => Ok(Connection::new(Box::new(stream), from, place).lasting(VISIT)),
        Greets::Http2 => heard(Box::new(stream), from, place).await,
        Greets::Http2OverTls(tls) => heard(Box::new(tls.accept(stream).await?), from, place).await,
    }
}

/// The preface is taken off, and given back to whoever reads next.
async fn heard(mut channel: Box<dyn Channel>, from: SocketAddr, place: OwnedSemaphorePermit) -> io::Result<Connection> {
    let mut words = [0; PREFACE.len()];
    channel.read_exact(&mut words).await?;
    if words != *PREFACE {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "this is not HTTP/2"));
    }
    Ok(Connection::new(channel, from, place).after(PREFACE))
}

/// A connection that broke before it was accepted is nobody's loss. Any other failure, such as having no more files, would come again at once.
async fn rest(error: io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    if !matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted) {
        tracing::warn!(%error, "a connection cannot be accepted");
        sleep(Duration::from_millis(100)).await;
    }
}
