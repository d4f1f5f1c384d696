//! A TCP proxy between a client and a server, that holds replies up.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// Runs until dropped.
pub struct Proxy {
    pub address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// In front of a server on a unix socket. Each piece of a reply waits, and none overtakes another on its connection: connections take
    /// turns in which of `delays` (in milliseconds) their pieces draw theirs from.
    pub async fn delaying(socket: PathBuf, delays: Vec<RangeInclusive<u64>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let accepting = tokio::spawn(async move {
            let mut turns = delays.iter().cycle();
            while let (Ok((client, _)), Some(delay)) = (listener.accept().await, turns.next()) {
                let (socket, delay) = (socket.clone(), delay.clone());
                tokio::spawn(async move {
                    let Ok(server) = UnixStream::connect(socket).await else { return };
                    join(client, server, delay).await;
                });
            }
        });
        Self { address, accepting }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn join(client: TcpStream, server: UnixStream, delay: RangeInclusive<u64>) {
    client.set_nodelay(true).unwrap();
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::select! {
        () = copy(from_client, to_server) => {}
        () = copy_late(from_server, to_client, delay) => {}
    }
}

async fn copy(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) {
    let _ = tokio::io::copy(&mut from, &mut to).await;
}

async fn copy_late(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, delay: RangeInclusive<u64>) {
    let (held, mut due) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    let read = async move {
        let mut buffer = vec![0; 65_536];
        while let Ok(count @ 1..) = from.read(&mut buffer).await {
            let wait = delay.start() + u64::from(getrandom::u32().unwrap()) % (delay.end() - delay.start() + 1);
            let _ = held.send((Instant::now() + Duration::from_millis(wait), buffer[..count].to_vec()));
        }
    };
    let write = async move {
        while let Some((at, bytes)) = due.recv().await {
            tokio::time::sleep_until(at).await;
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
    };
    tokio::join!(read, write);
}
