//! The codec of messages that prost decodes: as prost has it, but for those of very many fields. An empty row of an import has two bytes on the wire and
//! hundreds in memory, so one message could take a hundred times its size.

use bytes::Buf as _;
use prost::Message;
use prost::encoding::{DecodeContext, decode_key, skip_field};
use tonic::Status;
use tonic::codec::{BufferSettings, Codec, DecodeBuf, Decoder};
use tonic_prost::{ProstCodec, ProstDecoder, ProstEncoder};

/// So many fields of its own a message may have: ten times what any list of names, and twenty times what the command line's import sends.
pub const MOST_FIELDS: usize = 10_000;

/// The codec, on both sides.
#[derive(Debug, Clone)]
pub struct CountedCodec<T, U>(ProstCodec<T, U>);

/// Decodes what has not too many fields.
#[derive(Debug, Clone)]
pub struct Counted<U>(ProstDecoder<U>);

impl<T, U> Default for CountedCodec<T, U> {
    fn default() -> Self {
        Self(ProstCodec::new())
    }
}

impl<T, U> Codec for CountedCodec<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = Counted<U>;

    fn encoder(&mut self) -> ProstEncoder<T> {
        self.0.encoder()
    }

    fn decoder(&mut self) -> Counted<U> {
        Counted(self.0.decoder())
    }
}

impl<U: Message + Default> Decoder for Counted<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, message: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        if has_more_fields(message.chunk(), MOST_FIELDS) {
            let says = format!("the message has more than {MOST_FIELDS} fields: send its rows or names in several messages");
            return Err(Status::out_of_range(says));
        }
        self.0.decode(message)
    }

    fn buffer_settings(&self) -> BufferSettings {
        self.0.buffer_settings()
    }
}

/// What does not decode is prost's to refuse, which ends there too.
fn has_more_fields(mut message: &[u8], most: usize) -> bool {
    for _ in 0..most {
        let skipped = decode_key(&mut message).and_then(|(number, wire)| skip_field(wire, number, &mut message, DecodeContext::default()));
        if skipped.is_err() {
            return false;
        }
    }
    !message.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::keyward::admin::v1::{ImportKeysRequest, ImportedKey};

    #[test]
    fn the_fields_of_a_message_are_counted_and_not_those_in_them() {
        let row = ImportedKey { scopes: vec!["a:read".into(); 50], ..ImportedKey::default() };
        let message = ImportKeysRequest { parent: "realms/otesse".into(), options: None, rows: vec![row; 9] }.encode_to_vec();
        assert!(!has_more_fields(&message, 10));
        assert!(has_more_fields(&message, 9));
        assert!(!has_more_fields(&[], 0));
        assert!(!has_more_fields(&message[..message.len() - 1], 10), "prost refuses it");
    }
}
