//! HTTP/2 by the frame: a client that keeps none of the rules unless it is told to.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Kinds of frames.
pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const CONTINUATION: u8 = 9;

/// Flags.
pub const END_STREAM: u8 = 1;
pub const ACK: u8 = 1;
pub const END_HEADERS: u8 = 4;

const CHECK: &str = "/envoy.service.auth.v3.Authorization/Check";

/// A connection.
pub struct Raw(TcpStream);

/// A frame that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

impl Raw {
    /// Connects and says the first words.
    pub async fn connect(address: SocketAddr) -> io::Result<Self> {
        let mut raw = Self(TcpStream::connect(address).await?);
        raw.0.set_nodelay(true)?;
        raw.send(&[PREFACE, &frame(SETTINGS, 0, 0, &[])].concat()).await?;
        Ok(raw)
    }

    /// The beginning of a check: all of its headers, nothing of its message.
    pub fn headers(stream: u32) -> Vec<u8> {
        frame(HEADERS, END_HEADERS, stream, &block(CHECK))
    }

    /// A check that asks nothing, whole.
    pub fn check(stream: u32) -> Vec<u8> {
        [Self::headers(stream), frame(DATA, END_STREAM, stream, &[0; 5])].concat()
    }

    /// One begun and given up.
    pub fn reset(stream: u32) -> Vec<u8> {
        [Self::headers(stream), frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes())].concat()
    }

    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes).await
    }

    /// The next frame; `None`: the server has closed.
    pub async fn next(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        self.0.read_exact(&mut head).await.ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        self.0.read_exact(&mut payload).await.ok()?;
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        Some(Frame { kind: head[3], flags: head[4], stream, payload })
    }

    /// Reads until such a frame comes; `None`: the server has closed before.
    pub async fn wait_for(&mut self, mut wanted: impl FnMut(&Frame) -> bool) -> Option<Frame> {
        loop {
            let frame = self.next().await?;
            if wanted(&frame) {
                return Some(frame);
            }
        }
    }

    /// Sends the same again and again while everything that comes is thrown away, until the server has had enough; how often it was sent.
    pub async fn flood(self, bytes: &[u8]) -> usize {
        let (mut reading, mut writing) = self.0.into_split();
        let swallowing = tokio::spawn(async move { tokio::io::copy(&mut reading, &mut tokio::io::sink()).await });
        let mut sent = 0;
        while writing.write_all(bytes).await.is_ok() {
            sent += 1;
        }
        swallowing.abort();
        sent
    }
}

/// A frame as it is sent.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A header that is in no table, neither before nor after.
pub fn literal(name: &str, value: &str) -> Vec<u8> {
    [&[0], &text(name)[..], &text(value)].concat()
}

/// The headers of a gRPC call.
pub fn block(path: &str) -> Vec<u8> {
    // POST, http; then :path and :authority, whose names are in the static table
    let mut block = vec![0x83, 0x86, 0x04];
    block.extend(text(path));
    block.push(0x01);
    block.extend(text("keyward.test"));
    block.extend(literal("content-type", "application/grpc"));
    block.extend(literal("te", "trailers"));
    block
}

/// Its length first, which is below 127 or takes more bytes (RFC 7541, 5.1).
fn text(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    if text.len() < 127 {
        bytes.push(u8::try_from(text.len()).unwrap());
    } else {
        bytes.push(127);
        let mut rest = text.len() - 127;
        while rest >= 128 {
            bytes.push(u8::try_from(rest % 128 + 128).unwrap());
            rest /= 128;
        }
        bytes.push(u8::try_from(rest).unwrap());
    }
    bytes.extend(text.as_bytes());
    bytes
}
