//! The entries of a message of the access log, one after the other: a list of all of them, however small each is, could take many times the
//! message's size.

use bytes::{Buf as _, Bytes};
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

/// `StreamAccessLogsMessage.http_logs`.
const HTTP_LOGS: u32 = 2;
/// `HTTPAccessLogEntries.log_entry`.
const LOG_ENTRY: u32 = 1;

/// It does not decode; what came before it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a message of the access log that does not decode")]
pub struct Malformed;

/// The bytes of every entry, each an `envoy.data.accesslog.v3.HTTPAccessLogEntry`, of an
/// `envoy.service.accesslog.v3.StreamAccessLogsMessage`. Ends with the first thing that does not decode.
pub fn entries(message: Bytes) -> impl Iterator<Item = Result<Bytes, Malformed>> {
    Fields { rest: message, number: HTTP_LOGS }.flat_map(|logs| {
        let (logs, fault) = logs.map_or_else(|fault| (Bytes::new(), Some(Err(fault))), |logs| (logs, None));
        Fields { rest: logs, number: LOG_ENTRY }.chain(fault)
    })
}

/// The fields of this number in a message.
struct Fields {
    rest: Bytes,
    number: u32,
}

impl Fields {
    /// `None`: a field of another number.
    fn read(&mut self) -> Result<Option<Bytes>, Malformed> {
        let (number, wire) = decode_key(&mut self.rest).map_err(|_| Malformed)?;
        if (number, wire) != (self.number, WireType::LengthDelimited) {
            return skip_field(wire, number, &mut self.rest, DecodeContext::default()).map(|()| None).map_err(|_| Malformed);
        }
        let length = decode_varint(&mut self.rest).map_err(|_| Malformed)?;
        let length = usize::try_from(length).ok().filter(|length| *length <= self.rest.remaining()).ok_or(Malformed)?;
        Ok(Some(self.rest.split_to(length)))
    }
}

impl Iterator for Fields {
    type Item = Result<Bytes, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.rest.has_remaining() {
            match self.read() {
                Ok(None) => {}
                Ok(Some(field)) => return Some(Ok(field)),
                Err(fault) => {
                    self.rest.clear();
                    return Some(Err(fault));
                }
            }
        }
        None
    }
}
