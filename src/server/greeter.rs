//! Greets those who have come in: whoever begins a connection has to say what he wants in time, and until he has he costs little more than his
//! socket. Tonic and axum get those that are worth serving.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::Stream;
use futures_util::stream::unfold;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::connection::{Channel, Connection};
use super::door::{Arrival, Place, Port};
use super::tls;

/// TLS and the first words of HTTP/2 together.
const GREETING: Duration = Duration::from_secs(5);

/// How long a connection for pages lasts: time for one request.
const VISIT: Duration = Duration::from_secs(10);

/// With which every client of HTTP/2 begins (RFC 9113, 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What is spoken there.
#[derive(Clone)]
pub(super) enum Greets {
    Http2,
    Http2OverTls(TlsAcceptor),
    Pages,
}

/// Why a connection is not served.
#[derive(Debug)]
enum Unfit {
    /// It has not said in time what it wants.
    Slow,
    /// It does not speak HTTP/2.
    Foreign,
    /// TLS has not come about.
    Untrusted,
    /// It has gone: a probe that looks whether the port is open, as a rule.
    Gone,
}

impl Unfit {
    /// As metrics have it.
    fn why(&self) -> &'static str {
        match self {
            Self::Slow => "slow",
            Self::Foreign => "foreign",
            Self::Untrusted => "tls",
            Self::Gone => "gone",
        }
    }
}

impl From<io::Error> for Unfit {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

/// Makes connections of arrivals, on the runtime that serves them.
pub(super) struct Greeter {
    /// As many at most as there are places.
    arrivals: UnboundedReceiver<Arrival>,
    greets: Greets,
    port: Port,
    address: SocketAddr,
    greeting: JoinSet<Option<Connection>>,
}

impl Greeter {
    pub(super) fn new(arrivals: UnboundedReceiver<Arrival>, greets: Greets, port: Port, address: SocketAddr) -> Self {
        Self { arrivals, greets, port, address, greeting: JoinSet::new() }
    }

    /// The connections, one after another, until nobody can come any more.
    pub(super) fn incoming(self) -> impl Stream<Item = io::Result<Connection>> {
        unfold(self, |mut greeter| async move { greeter.next().await.map(|connection| (Ok(connection), greeter)) })
    }

    async fn next(&mut self) -> Option<Connection> {
        loop {
            tokio::select! {
                arrived = self.arrivals.recv() => self.greet(arrived?),
                Some(greeted) = self.greeting.join_next() => if let Ok(Some(connection)) = greeted {
                    return Some(connection);
                },
            }
        }
    }

    fn greet(&mut self, arrival: Arrival) {
        let (port, greets) = (self.port.clone(), self.greets.clone());
        self.greeting.spawn(async move {
            let greeted = timeout(GREETING, greet(arrival, &greets)).await.unwrap_or(Err(Unfit::Slow));
            greeted.map_err(|unfit| port.refused(unfit.why())).ok()
        });
    }
}

impl axum::serve::Listener for Greeter {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        match self.next().await {
            Some(connection) => {
                let from = connection.from;
                (connection, from)
            }
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

/// A connection whose client has said the first words.
async fn greet(arrival: Arrival, greets: &Greets) -> Result<Connection, Unfit> {
    let Arrival { stream, place } = arrival;
    let stream = TcpStream::from_std(stream)?;
    stream.set_nodelay(true)?;
    let from = stream.peer_addr()?;
    // what follows needs memory
    stream.readable().await?;
    match greets {
        Greets::Pages => Ok(Connection::new(Box::new(stream), from, place).lasting(VISIT)),
        Greets::Http2 => heard(Box::new(stream), from, place).await,
        Greets::Http2OverTls(tls) => {
            let stream = tls.accept(stream).await.map_err(|error| untrusted(&error))?;
            let names = tls::names(stream.get_ref().1);
            Ok(heard(Box::new(stream), from, place).await?.certified(names))
        }
    }
}

fn untrusted(error: &io::Error) -> Unfit {
    tracing::debug!(%error, "TLS has not come about");
    if error.kind() == io::ErrorKind::UnexpectedEof { Unfit::Gone } else { Unfit::Untrusted }
}

/// The preface is taken off, and given back to whoever reads next.
async fn heard(mut channel: Box<dyn Channel>, from: SocketAddr, place: Place) -> Result<Connection, Unfit> {
    let mut words = [0; PREFACE.len()];
    channel.read_exact(&mut words).await?;
    if words != *PREFACE {
        return Err(Unfit::Foreign);
    }
    Ok(Connection::new(channel, from, place).after(PREFACE))
}
