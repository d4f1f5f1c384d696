//! What nobody reads of a request. HTTP/2 bears little of it on one connection: h2 takes short messages that come for a call that was answered
//! and let go of for an attack, when there have been some thousand (`too_many_data_frames`), and ends the connection with all calls on it. So a
//! client with a bad token would cut off those beside it, on a connection that a gateway shares. The rest of a request is read, and thrown away.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt as _;
use tokio::runtime::Handle;
use tokio::time::timeout;
use tonic::Status;
use tonic::body::Body;

/// So much is thrown away of one call: the largest message that is taken, and as much again. Whoever sends more, or takes longer, is reset.
const MOST: usize = 8 * 1024 * 1024;
const LONGEST: Duration = Duration::from_secs(10);

/// A body that is read to its end, by whoever is given it or after it.
#[derive(Debug)]
struct ToItsEnd {
    /// `None`: its end was read, or it broke.
    rest: Option<Body>,
}

/// The same body, read to its end when it is dropped before.
pub(super) fn to_its_end(body: Body) -> Body {
    if http_body::Body::is_end_stream(&body) { body } else { Body::new(ToItsEnd { rest: Some(body) }) }
}

impl http_body::Body for ToItsEnd {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Some(rest) = &mut self.rest else { return Poll::Ready(None) };
        let frame = std::task::ready!(Pin::new(rest).poll_frame(context));
        if !matches!(frame, Some(Ok(_))) {
            self.rest = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.rest.as_ref().is_none_or(http_body::Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.rest.as_ref().map_or_else(|| SizeHint::with_exact(0), http_body::Body::size_hint)
    }
}

impl Drop for ToItsEnd {
    fn drop(&mut self) {
        let rest = self.rest.take().filter(|rest| !http_body::Body::is_end_stream(rest));
        if let (Some(rest), Ok(runtime)) = (rest, Handle::try_current()) {
            runtime.spawn(timeout(LONGEST, thrown_away(rest)));
        }
    }
}

async fn thrown_away(mut rest: Body) {
    let mut read = 0;
    while let Some(Ok(frame)) = rest.frame().await {
        read += frame.data_ref().map_or(0, Buf::remaining);
        if read > MOST {
            return;
        }
    }
}
