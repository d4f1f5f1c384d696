//! keyward's scan over a `CheckRequest` against full decoders of protobuf, over made-up messages: what one reads the others read, and what
//! one refuses the others refuse.
//!
//! The control is in the same test: a naive reader with one flaw at a time, each of which must be found by the same comparison over the same
//! messages, while the naive reader without one is not.

mod flawed;
mod generate;

use std::collections::BTreeMap;

use flawed::{FLAWS, Flaw};

use crate::support::campaign::{figure, share};
use crate::support::decoded::{self, Decoded, Taken, View};

const MESSAGES: usize = 20_000;
const MANY_MESSAGES: usize = 1_000_000;
/// The first of them.
const SEED: u64 = 0;

#[test]
fn a_scan_and_a_full_decode_agree_on_every_request_and_every_flaw_is_noticed() {
    let messages = share(MESSAGES, MANY_MESSAGES);
    let mut tally: BTreeMap<Taken, usize> = BTreeMap::new();
    let mut undiscovered: Vec<Flaw> = FLAWS.to_vec();
    for seed in (SEED..).take(messages) {
        let message = generate::message(seed);
        let decoded = Decoded::of(&message);
        let agrees = |reader: &str, read: Option<View>| {
            decoded.agrees(read.as_ref()).unwrap_or_else(|why| panic!("{reader}, seed {seed}\n{why}\nof {message:02x?}"))
        };
        *tally.entry(agrees("keyward", decoded::lean(&message))).or_default() += 1;
        agrees("without a flaw", flawed::read(&message, None));
        undiscovered.retain(|flaw| decoded.agrees(flawed::read(&message, Some(*flaw)).as_ref()).is_ok());
    }
    let counts = format!("{messages} messages, 0 disagreements: {tally:?}");
    figure("lean", "a scan of a CheckRequest equals a full decode of it", &counts);
    for taken in [Taken::Read, Taken::ReadWhereLookedAt, Taken::Refused] {
        assert!(tally.get(&taken).is_some_and(|count| count * 10 >= messages), "fewer than a tenth are {taken:?}: {tally:?}");
    }
    assert!(tally.get(&Taken::RefusedForItsKind).is_none_or(|count| count * 200 < messages), "prost's maps excuse too many: {tally:?}");
    assert!(undiscovered.is_empty(), "nothing noticed these flaws: {undiscovered:?}");
}
