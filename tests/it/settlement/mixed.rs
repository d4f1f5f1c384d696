//! An upstream that does what a request's `x-want` says: answers a status, breaks off before or after it has begun to answer, or keeps silent;
//! and a client that tells how its request ended.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

use super::world::{Counted, HOST, SECRET};
use crate::support::until;

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Want {
    Status(u16),
    /// The upstream closes the connection without an answer.
    Reset,
    /// It closes it in the middle of one.
    Half,
    /// It keeps silent.
    Timeout,
    /// It keeps silent, and the client goes away.
    Disconnect,
    /// Never, for want of a key: the gate refuses it.
    NoKey,
}

/// Runs until dropped.
pub(super) struct Mixed {
    pub(super) address: SocketAddr,
    seen: Arc<Mutex<HashSet<usize>>>,
    _serving: AbortOnDropHandle<()>,
}

impl Mixed {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(HashSet::new()));
        let shared = seen.clone();
        let serving = async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, shared.clone()));
            }
        };
        Self { address, seen, _serving: AbortOnDropHandle::new(tokio::spawn(serving)) }
    }

    /// One request through Envoy, and how it ended; the number is one that no other request has.
    pub(super) async fn ask(&self, envoy: SocketAddr, number: usize, want: Want) -> Counted {
        let mut stream = TcpStream::connect(envoy).await.unwrap();
        let wanted = match want {
            Want::Status(status) => status.to_string(),
            other => format!("{other:?}"),
        };
        let key = if want == Want::NoKey { String::new() } else { format!("x-api-key: {SECRET}\r\n") };
        let request =
            format!("GET /{number} HTTP/1.1\r\nhost: {HOST}\r\n{key}x-want: {wanted}\r\nx-number: {number}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        if want == Want::Disconnect {
            until("the upstream has the request", || self.seen.lock().unwrap().contains(&number)).await;
            return Counted { minute: 1, hour: 1, good: 0, answered: 0, all: 1 };
        }
        let mut answer = Vec::new();
        // an answer that breaks off in the middle is a closed connection here too
        let _ = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let status: u16 = answer.split(' ').nth(1).unwrap_or_else(|| panic!("{want:?}: {answer:?}")).parse().unwrap();
        ended(want, status, &answer)
    }
}

/// What the limits of the realm count of it.
fn ended(want: Want, status: u16, answer: &str) -> Counted {
    let whole = Counted { minute: 1, hour: 1, good: 1, answered: 1, all: 1 };
    match (want, status) {
        (Want::NoKey, 401) => Counted::default(),
        (Want::Status(_), 401) => Counted { minute: 0, hour: 0, good: 0, ..whole },
        (Want::Status(_), 400 | 500) => Counted { hour: 0, good: 0, ..whole },
        (Want::Status(wanted), status) if wanted == status => Counted { good: u32::from(status / 100 == 2), ..whole },
        // a busy machine's upstream may be late with whatever it was asked for
        (_, 504) | (Want::Reset, 503) => Counted { good: 0, answered: 0, ..whole },
        (Want::Half, 200) => whole,
        _ => panic!("{want:?} ended with {status}: {answer:?}"),
    }
}

async fn serve(mut stream: TcpStream, seen: Arc<Mutex<HashSet<usize>>>) {
    let mut got = Vec::new();
    loop {
        let Some(end) = got.windows(4).position(|four| four == b"\r\n\r\n") else {
            match stream.read_buf(&mut got).await {
                Ok(read) if read > 0 => continue,
                _ => return,
            }
        };
        let head = String::from_utf8_lossy(&got[..end]).to_ascii_lowercase();
        got.drain(..end + 4);
        let header = |name: &str| head.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(": ")?.to_owned())).unwrap();
        seen.lock().unwrap().insert(header("x-number").parse().unwrap());
        let answer = match header("x-want").as_str() {
            "reset" => return,
            "half" => {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").await;
                return;
            }
            "timeout" | "disconnect" => {
                let _ = stream.read_buf(&mut got).await;
                return;
            }
            status => format!("HTTP/1.1 {status} As Told\r\ncontent-length: 0\r\n\r\n"),
        };
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}
