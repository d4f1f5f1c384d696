//! A connection with a place, and where it is wanted with an end.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};
use tonic::transport::server::Connected;

use super::door::Place;
use crate::domain::actor::San;
use crate::grpc::peer::Peer;

/// A socket, with TLS or without.
pub(super) trait Channel: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Channel for T {}

/// Gives its place back when it is dropped.
pub(super) struct Connection {
    channel: Box<dyn Channel>,
    pub(super) from: SocketAddr,
    names: Arc<[San]>,
    /// Was read from it already.
    head: &'static [u8],
    end: Option<Pin<Box<Sleep>>>,
    _place: Place,
}

impl Connection {
    pub(super) fn new(channel: Box<dyn Channel>, from: SocketAddr, place: Place) -> Self {
        Self { channel, from, names: Arc::default(), head: &[], end: None, _place: place }
    }

    /// The other end has shown a certificate with these names.
    pub(super) fn certified(self, names: Arc<[San]>) -> Self {
        Self { names, ..self }
    }

    /// These bytes are read from it first.
    pub(super) fn after(self, head: &'static [u8]) -> Self {
        Self { head, ..self }
    }

    /// It ends after this time, whatever is under way.
    pub(super) fn lasting(self, time: Duration) -> Self {
        Self { end: Some(Box::pin(sleep(time))), ..self }
    }

    fn lasts(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        match self.end.as_mut().map(|end| end.as_mut().poll(context)) {
            Some(Poll::Ready(())) => Err(io::ErrorKind::TimedOut.into()),
            _ => Ok(()),
        }
    }
}

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        Peer { address: self.from.ip(), names: self.names.clone() }
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.lasts(context)?;
        if self.head.is_empty() {
            return Pin::new(&mut self.channel).poll_read(context, buffer);
        }
        let (now, later) = self.head.split_at(self.head.len().min(buffer.remaining()));
        buffer.put_slice(now);
        self.head = later;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.lasts(context)?;
        Pin::new(&mut self.channel).poll_write(context, bytes)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, all: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        self.lasts(context)?;
        Pin::new(&mut self.channel).poll_write_vectored(context, all)
    }

    fn is_write_vectored(&self) -> bool {
        self.channel.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.channel).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.channel).poll_shutdown(context)
    }
}
