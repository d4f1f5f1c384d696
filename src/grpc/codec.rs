//! Hands a `CheckRequest` on as the bytes that it came in, so that decoding never fails the call: bytes that are none reach the gate as such,
//! and are refused in band. A failed RPC would be what `failure_mode_allow` lets pass (CVE-2023-27488). A `CheckResponse` leaves as the bytes
//! that were written.

use bytes::{Buf as _, BufMut as _, Bytes};
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

/// The codec of `Check`, on the server's side.
#[derive(Debug, Clone, Copy, Default)]
pub struct CheckCodec;

/// A server hands requests on, and responses.
#[derive(Debug, Clone, Copy, Default)]
pub struct Requests;

/// See [`Requests`].
#[derive(Debug, Clone, Copy, Default)]
pub struct Responses;

impl Codec for CheckCodec {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Responses;
    type Decoder = Requests;

    fn encoder(&mut self) -> Responses {
        Responses
    }

    fn decoder(&mut self) -> Requests {
        Requests
    }
}

impl Decoder for Requests {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, bytes: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(bytes.copy_to_bytes(bytes.remaining())))
    }
}

impl Encoder for Responses {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, response: Bytes, bytes: &mut EncodeBuf<'_>) -> Result<(), Status> {
        bytes.put(response);
        Ok(())
    }
}
