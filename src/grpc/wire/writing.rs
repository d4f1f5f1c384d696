//! Messages written from their end to their beginning: when the length of one is written, before it, the message itself is there already and
//! need not be measured first, nor what is inside it once for each message around.

use bytes::{Buf as _, Bytes};
use prost::encoding::encode_varint;

use super::{EIGHT_BYTES, SIZED, VARINT};

/// A message that is being written. Whoever calls names the last field first.
pub(in crate::grpc) struct Backwards {
    bytes: Vec<u8>,
    /// From here on it is written.
    from: usize,
}

impl Backwards {
    /// With room for so many bytes, and for more once they are there.
    pub(in crate::grpc) fn with_room(bytes: usize) -> Self {
        Self { bytes: vec![0; bytes], from: bytes }
    }

    /// A string, or bytes.
    pub(in crate::grpc) fn bytes(&mut self, field: u32, value: &[u8]) {
        self.before(value);
        self.header(field, value.len());
    }

    /// A message, whose fields are written by `fields`, the last one first.
    pub(in crate::grpc) fn message(&mut self, field: u32, fields: impl FnOnce(&mut Self)) {
        let end = self.written();
        fields(self);
        self.header(field, self.written() - end);
    }

    /// An integer or an enum's value.
    pub(in crate::grpc) fn varint(&mut self, field: u32, value: u64) {
        self.number(value);
        self.key(field, VARINT);
    }

    pub(in crate::grpc) fn double(&mut self, field: u32, value: f64) {
        self.before(&value.to_le_bytes());
        self.key(field, EIGHT_BYTES);
    }

    /// The whole message.
    pub(in crate::grpc) fn finish(self) -> Bytes {
        let mut bytes = Bytes::from(self.bytes);
        bytes.advance(self.from);
        bytes
    }

    /// How long it is by now.
    pub(in crate::grpc) fn written(&self) -> usize {
        self.bytes.len() - self.from
    }

    fn header(&mut self, field: u32, length: usize) {
        self.number(length as u64);
        self.key(field, SIZED);
    }

    fn key(&mut self, field: u32, wire: u64) {
        self.number(u64::from(field) << 3 | wire);
    }

    fn number(&mut self, value: u64) {
        if let Ok(small @ ..0x80) = u8::try_from(value) {
            return self.before(&[small]);
        }
        let mut number = [0; 10];
        let mut room = &mut number[..];
        encode_varint(value, &mut room);
        let length = 10 - room.len();
        self.before(&number[..length]);
    }

    /// As they are, without a field of their own.
    pub(in crate::grpc) fn before(&mut self, bytes: &[u8]) {
        if self.from < bytes.len() {
            self.grow(bytes.len());
        }
        let end = self.from;
        self.from -= bytes.len();
        self.bytes[self.from..end].copy_from_slice(bytes);
    }

    #[cold]
    fn grow(&mut self, more: usize) {
        let mut larger = vec![0; 2 * self.bytes.len() + more];
        let from = larger.len() - self.written();
        larger[from..].copy_from_slice(&self.bytes[self.from..]);
        (self.bytes, self.from) = (larger, from);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use prost::Message as _;
    use prost_types::{UninterpretedOption, uninterpreted_option::NamePart};

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_decodes_to_what_was_said(
            room in 0_usize..40,
            names in prop::collection::vec((".{0,300}", any::<bool>()), 0..6),
            number in any::<u64>(),
            double in any::<f64>(),
            bytes in prop::collection::vec(any::<u8>(), 0..400),
        ) {
            let mut message = Backwards::with_room(room);
            message.bytes(7, &bytes);
            message.double(6, double);
            message.varint(4, number);
            for (name, extends) in names.iter().rev() {
                message.message(2, |part| {
                    part.varint(2, u64::from(*extends));
                    part.bytes(1, name.as_bytes());
                });
            }
            let read = UninterpretedOption::decode(message.finish()).unwrap();
            let parts = names.into_iter().map(|(name_part, is_extension)| NamePart { name_part, is_extension }).collect::<Vec<_>>();
            prop_assert_eq!(read.name, parts);
            prop_assert_eq!(read.positive_int_value, Some(number));
            prop_assert_eq!(read.double_value.map(f64::to_bits), Some(double.to_bits()));
            prop_assert_eq!(read.string_value, Some(bytes));
        }
    }
}
