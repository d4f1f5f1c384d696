//! The codec of `StreamAccessLogs`: messages reach the service as they came, so that one that does not decode does not end the stream.

use bytes::{Buf as _, Bytes};
use prost::Message as _;
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

use crate::proto::envoy::service::accesslog::v3::StreamAccessLogsResponse;

/// The codec, on both sides.
#[derive(Debug, Clone, Copy, Default)]
pub struct AccessLogCodec;

/// A server hands messages on and encodes the response.
#[derive(Debug, Clone, Copy, Default)]
pub struct Messages;

/// See [`Messages`].
#[derive(Debug, Clone, Copy, Default)]
pub struct Responses;

impl Codec for AccessLogCodec {
    type Encode = StreamAccessLogsResponse;
    type Decode = Bytes;
    type Encoder = Responses;
    type Decoder = Messages;

    fn encoder(&mut self) -> Responses {
        Responses
    }

    fn decoder(&mut self) -> Messages {
        Messages
    }
}

impl Decoder for Messages {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, bytes: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        // all of it, whatever becomes of it: what is left would be taken for the next message's head
        Ok(Some(bytes.copy_to_bytes(bytes.remaining())))
    }
}

impl Encoder for Responses {
    type Item = StreamAccessLogsResponse;
    type Error = Status;

    fn encode(&mut self, response: StreamAccessLogsResponse, bytes: &mut EncodeBuf<'_>) -> Result<(), Status> {
        response.encode(bytes).map_err(|error| Status::internal(error.to_string()))
    }
}
