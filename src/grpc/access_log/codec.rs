//! The codec of `StreamAccessLogs`: a message that does not decode reaches the service as such, instead of ending the stream.

use bytes::Buf as _;
use prost::Message as _;
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

use crate::proto::envoy::service::accesslog::v3::{StreamAccessLogsMessage, StreamAccessLogsResponse};

/// A message of the stream, or why it is none.
pub type Decoded = Result<StreamAccessLogsMessage, prost::DecodeError>;

/// The codec, on both sides.
#[derive(Debug, Clone, Copy, Default)]
pub struct AccessLogCodec;

/// A server decodes messages and encodes the response.
#[derive(Debug, Clone, Copy, Default)]
pub struct Messages;

/// See [`Messages`].
#[derive(Debug, Clone, Copy, Default)]
pub struct Responses;

impl Codec for AccessLogCodec {
    type Encode = StreamAccessLogsResponse;
    type Decode = Decoded;
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
    type Item = Decoded;
    type Error = Status;

    fn decode(&mut self, bytes: &mut DecodeBuf<'_>) -> Result<Option<Decoded>, Status> {
        // all of it, whatever becomes of it: what is left would be taken for the next message's head
        let message = bytes.copy_to_bytes(bytes.remaining());
        Ok(Some(StreamAccessLogsMessage::decode(message)))
    }
}

impl Encoder for Responses {
    type Item = StreamAccessLogsResponse;
    type Error = Status;

    fn encode(&mut self, response: StreamAccessLogsResponse, bytes: &mut EncodeBuf<'_>) -> Result<(), Status> {
        response.encode(bytes).map_err(|error| Status::internal(error.to_string()))
    }
}
