//! A call of one message each way, as gRPC over HTTP/2 has it: read from the body of a request, and the whole of its answer.
//! <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use http_body::Frame;
use http_body_util::BodyExt as _;
use tonic::body::Body;
use tonic::codegen::http::{self, HeaderMap, HeaderName, HeaderValue};

/// Before each message: whether it is compressed, and how long it is.
const PREFIX: usize = 5;

/// A message behind its prefix.
#[derive(Debug, Clone)]
pub struct LengthPrefixed(Bytes);

/// Why there is no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unread {
    /// Nobody waits for an answer any more.
    Gone,
    /// It is none: too short, too long, or compressed, which nobody offered.
    Odd,
}

/// The first message of a body; whatever follows is left. A body that is dropped before its end resets its call.
pub(super) async fn message(body: &mut Body, most: usize) -> Result<Bytes, Unread> {
    let mut first = more(body).await?;
    if let Some(length) = length(&first, most)?
        && first.len() - PREFIX >= length
    {
        first.advance(PREFIX);
        first.truncate(length);
        return Ok(first);
    }
    let mut all = BytesMut::from(first);
    loop {
        all.put(more(body).await?);
        if let Some(length) = length(&all, most)?
            && all.len() - PREFIX >= length
        {
            all.advance(PREFIX);
            all.truncate(length);
            return Ok(all.freeze());
        }
    }
}

async fn more(body: &mut Body) -> Result<Bytes, Unread> {
    let frame = body.frame().await.ok_or(Unread::Odd)?.map_err(|_| Unread::Gone)?;
    frame.into_data().map_err(|_trailers| Unread::Odd)
}

/// That of the message which begins here; `None`: its prefix is not whole yet.
fn length(bytes: &[u8], most: usize) -> Result<Option<usize>, Unread> {
    let Some(([compressed, length @ ..], _)) = bytes.split_first_chunk::<PREFIX>() else { return Ok(None) };
    let length = usize::try_from(u32::from_be_bytes(*length)).ok().filter(|length| *compressed == 0 && *length <= most);
    length.map(Some).ok_or(Unread::Odd)
}

/// What goes before a message of this length.
pub(super) fn prefix(length: usize) -> [u8; PREFIX] {
    let [a, b, c, d] = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    [0, a, b, c, d]
}

impl LengthPrefixed {
    /// Bytes that are so already.
    pub(super) fn new(bytes: Bytes) -> Self {
        Self(bytes)
    }

    /// A message with its prefix.
    #[must_use]
    pub fn of(message: &[u8]) -> Self {
        Self([&prefix(message.len())[..], message].concat().into())
    }

    /// The message itself.
    #[must_use]
    pub fn message(&self) -> Bytes {
        self.0.slice(PREFIX..)
    }

    /// The whole of a call's answer: this message, and a `grpc-status` of 0.
    #[must_use]
    pub fn into_response(self) -> http::Response<Body> {
        let mut response = http::Response::new(Body::new(Parts { message: Some(self.0), status: Some(()) }));
        response.headers_mut().insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        response
    }
}

/// What is still to be sent.
struct Parts {
    message: Option<Bytes>,
    status: Option<()>,
}

impl http_body::Body for Parts {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let status = |()| HeaderMap::from_iter([(HeaderName::from_static("grpc-status"), HeaderValue::from_static("0"))]);
        let message = self.message.take().map(Frame::data);
        Poll::Ready(message.or_else(|| self.status.take().map(status).map(Frame::trailers)).map(Ok))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use http_body_util::StreamBody;
    use proptest::prelude::*;

    use super::*;

    fn read(frames: Vec<Bytes>) -> Result<Bytes, Unread> {
        let frames = frames.into_iter().map(|bytes| Ok::<_, Infallible>(Frame::data(bytes)));
        let mut body = Body::new(StreamBody::new(stream::iter(frames)));
        futures_util::FutureExt::now_or_never(message(&mut body, 1000)).unwrap()
    }

    fn prefixed(message: &[u8]) -> Vec<u8> {
        let length = u32::try_from(message.len()).unwrap().to_be_bytes();
        [&[0][..], &length, message].concat()
    }

    proptest! {
        #[test]
        fn a_message_is_read_however_it_is_cut(
            message in prop::collection::vec(any::<u8>(), 0..1000),
            cuts in prop::collection::vec(0_usize..1010, 0..5),
            after in prop::collection::vec(any::<u8>(), 0..9),
        ) {
            let sent = [prefixed(&message), after].concat();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(sent.len())).chain([0, sent.len()]).collect();
            cuts.sort_unstable();
            let frames = cuts.windows(2).map(|cut| Bytes::copy_from_slice(&sent[cut[0]..cut[1]])).collect();
            prop_assert_eq!(read(frames), Ok(Bytes::from(message)));
        }
    }

    #[test]
    fn what_is_no_message_is_told_apart_and_nothing_is_read_for_a_length_that_is_too_much() {
        let mut compressed = prefixed(b"message");
        compressed[0] = 1;
        let short = prefixed(b"message")[..9].to_vec();
        let long = [0, 0, 0, 3, 233].to_vec();
        for odd in [compressed, short, long, vec![0, 0], Vec::new()] {
            assert_eq!(read(vec![odd.clone().into()]), Err(Unread::Odd), "{odd:?}");
        }
        assert_eq!(read(vec![prefixed(&[7; 1000]).into()]), Ok(Bytes::from(vec![7; 1000])), "control: as long as may be");
    }

    #[tokio::test]
    async fn an_answer_is_a_message_and_a_status() {
        let answer = LengthPrefixed::of(b"message");
        assert_eq!(answer.message(), "message");
        let body = answer.into_response().into_body().collect().await.unwrap();
        assert_eq!(body.trailers().unwrap()["grpc-status"], "0");
        assert_eq!(body.to_bytes(), prefixed(b"message"));
    }
}
