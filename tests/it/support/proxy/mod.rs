//! A TCP proxy between clients and a server that can be told, while it runs, to be as bad as a network: to delay, to lose bytes both ways or
//! one way without a word, to keep them back, to cut connections, and to cut the one that makes a certain call after exactly so many bytes.
//!
//! A connection that lost a byte is never heard of again, as one whose peer is unreachable: TCP would not have gone on without that byte.

mod pipe;
mod state;
mod trap;

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::task::{JoinHandle, JoinSet};

use self::pipe::Pipe;
use self::state::Shared;
pub use self::state::{Fault, Way};
pub use self::trap::{Then, Trap};

/// Runs until dropped; then all its connections end.
pub struct Proxy {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

/// What stands behind it.
#[derive(Debug, Clone)]
pub enum Server {
    Unix(PathBuf),
    Tcp(SocketAddr),
}

impl Proxy {
    /// In front of a server, faithful until it is told otherwise.
    pub async fn before(server: Server) -> Self {
        Self::new(server, vec![0..=0]).await
    }

    /// In front of a server on a unix socket. Each piece of a reply waits, and none overtakes another on its connection: connections take
    /// turns in which of `delays` (in milliseconds) their pieces draw theirs from.
    pub async fn delaying(socket: PathBuf, delays: Vec<RangeInclusive<u64>>) -> Self {
        Self::new(Server::Unix(socket), delays).await
    }

    async fn new(server: Server, delays: Vec<RangeInclusive<u64>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let accepting = tokio::spawn(accept(listener, server, delays, shared.clone()));
        Self { address, shared, accepting }
    }

    /// As Redis's clients write it.
    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// From now on. What was kept back before is let go where the new fault does not keep it.
    pub fn set(&self, fault: Fault) {
        self.shared.set(fault);
    }

    /// Ends every connection there is; new ones are made as the fault has it.
    pub fn cut(&self) {
        self.shared.cut();
    }

    /// No fault, and no connection that suffered from one.
    pub fn heal(&self) {
        self.shared.set(Fault::None);
        self.shared.cut();
    }

    /// Lays a trap in the place of the one before.
    pub fn lay(&self, trap: Trap) {
        self.shared.lay(trap);
    }

    /// Takes the trap away and lets go what it held; whether it had sprung.
    pub fn unlay(&self) -> bool {
        self.shared.unlay()
    }

    /// Whether the trap that is laid has sprung.
    pub fn sprung(&self) -> bool {
        self.shared.sprung()
    }

    /// How many connections were made to it so far.
    pub fn accepted(&self) -> u64 {
        self.shared.accepted()
    }

    /// Changes between no fault and this one, at random times from `periods` (in milliseconds), until what is returned is dropped.
    pub fn flap(&self, fault: Fault, periods: RangeInclusive<u64>) -> Flapping {
        let shared = self.shared.clone();
        let flapping = tokio::spawn(async move {
            loop {
                for fault in [fault, Fault::None] {
                    shared.set(fault);
                    tokio::time::sleep(drawn(&periods)).await;
                }
            }
        });
        Flapping { shared: self.shared.clone(), flapping }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// A proxy that changes its mind; faithful again when this is dropped.
pub struct Flapping {
    shared: Arc<Shared>,
    flapping: JoinHandle<()>,
}

impl Drop for Flapping {
    fn drop(&mut self) {
        self.flapping.abort();
        self.shared.set(Fault::None);
    }
}

/// Connections end with the task that accepts them.
async fn accept(listener: TcpListener, server: Server, delays: Vec<RangeInclusive<u64>>, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    let mut turns = delays.iter().cycle();
    while let (Ok((client, _)), Some(delay)) = (listener.accept().await, turns.next()) {
        while connections.try_join_next().is_some() {}
        shared.accept();
        let (server, shared, delay) = (server.clone(), shared.clone(), delay.clone());
        connections.spawn(async move { connect(client, server, shared, delay).await });
    }
}

async fn connect(client: TcpStream, server: Server, shared: Arc<Shared>, delay: RangeInclusive<u64>) {
    if shared.refuses() {
        return;
    }
    client.set_nodelay(true).unwrap();
    let pipe = Pipe::new(shared, delay);
    match server {
        Server::Unix(socket) => {
            let Ok(server) = UnixStream::connect(socket).await else { return };
            pipe.join(client.into_split(), server.into_split()).await;
        }
        Server::Tcp(address) => {
            let Ok(server) = TcpStream::connect(address).await else { return };
            server.set_nodelay(true).unwrap();
            pipe.join(client.into_split(), server.into_split()).await;
        }
    }
}

fn drawn(range: &RangeInclusive<u64>) -> Duration {
    Duration::from_millis(range.start() + u64::from(getrandom::u32().unwrap()) % (range.end() - range.start() + 1))
}
