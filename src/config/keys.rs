//! Key formats: what a realm's secrets look like, and that a minted one cannot be guessed.

use std::ops::RangeInclusive;

use super::document::{At, Read};
use super::limits::plan_of;
use super::map::Map;
use super::names::word;
use super::yaml::Value;
use crate::domain::format::{Alphabet, Checksum, Format};
use crate::domain::limit::Plan;

const ALPHABETS: [(&str, Alphabet); 4] =
    [("hex", Alphabet::Hex), ("base62", Alphabet::Base62), ("base64url", Alphabet::Base64Url), ("opaque", Alphabet::Opaque)];
const CHECKSUMS: [(&str, Checksum); 2] = [("none", Checksum::None), ("crc32", Checksum::Crc32)];

/// Characters of the longest secret: still a header that every proxy takes.
const LONGEST: u16 = 4096;
/// Bits of randomness of a minted secret.
const BITS: f64 = 128.0;

/// At least one format. `plans`: those of the realm, where they could be read.
pub(super) fn formats(at: &At<'_>, plans: Option<&[Plan]>) -> Read<Vec<Format>> {
    at.some()?.list(|at| format(at, plans))
}

fn format(at: &At<'_>, plans: Option<&[Plan]>) -> Read<Format> {
    let mut map = at.map()?;
    let prefix = map.or_default("prefix", prefix);
    let alphabet = map.required("alphabet", |at| at.one_of(&ALPHABETS));
    let length = map.required("length", length);
    let given = map.optional("minted", |at| at.number(1..=LONGEST));
    let checksum = map.or("checksum", Checksum::None, |at| at.one_of(&CHECKSUMS));
    let environment = map.optional("environment", word);
    let kind = map.optional("kind", word);
    let plan = map.optional("plan", |at| plan_of(at, plans));
    let minted = minted(&map, given, alphabet, length.clone());
    map.finish()?;
    let (alphabet, checksum, length) = (alphabet?, checksum?, length?);
    let length = usize::from(*length.start())..=usize::from(*length.end());
    Ok(Format { prefix: prefix?, alphabet, length, minted: minted?, checksum, environment: environment?, kind: kind?, plan: plan? })
}

/// Nothing that a proxy might cut or join a header at.
fn prefix(at: &At<'_>) -> Read<Box<str>> {
    let text = at.text()?;
    let fits = text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"!\",;".contains(&byte));
    if fits { Ok(text.into()) } else { at.must_be("at most 64 of visible ASCII but ! \" , ;") }
}

/// One number, or the least and the most.
fn length(at: &At<'_>) -> Read<RangeInclusive<u16>> {
    let Value::Map(_) = at.value() else { return at.number(1..=LONGEST).map(|length| length..=length) };
    let mut map = at.map()?;
    let min = map.required("min", |at| at.number(1..=LONGEST));
    let max = map.required("max", |at| at.number(1..=LONGEST));
    map.finish()?;
    let length = min?..=max?;
    if length.is_empty() { at.problem("has a min above its max") } else { Ok(length) }
}

/// How many characters are minted: as given, or else the one length there is.
fn minted(map: &Map<'_>, given: Read<Option<u16>>, alphabet: Read<Alphabet>, length: Read<RangeInclusive<u16>>) -> Read<usize> {
    let (given, alphabet, length) = (given?, alphabet?, length?);
    let at = map.at(if given.is_some() { "minted" } else { "length" });
    let one_length = (length.start() == length.end()).then_some(*length.start());
    let Some(minted) = given.or(one_length) else { return map.at("minted").problem("is missing: length alone does not say how many") };
    if !length.contains(&minted) {
        return at.problem(format_args!("is {minted}, which is not within length"));
    }
    let bits = alphabet.bits() * f64::from(minted);
    if bits < BITS {
        return at.problem(format_args!(
            "makes secrets of {bits:.0} random bits: {BITS} are the least, which is {:.0} characters",
            (BITS / alphabet.bits()).ceil()
        ));
    }
    Ok(minted.into())
}
