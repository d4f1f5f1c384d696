//! keyward's scan over a `CheckRequest` against full decoders of protobuf, over whatever bytes the fuzzer thinks of.

#![no_main]

#[path = "../../tests/it/support/decoded.rs"]
#[allow(dead_code)]
mod decoded;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|message: &[u8]| {
    if let Err(why) = decoded::Decoded::of(message).agrees(decoded::lean(message).as_ref()) {
        panic!("{why}");
    }
});
