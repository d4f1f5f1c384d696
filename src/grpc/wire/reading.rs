//! Messages read, borrowed: the fields of a message one after the other, as slices of it. It refuses what a full decoder refuses.

use super::{EIGHT_BYTES, END_OF_GROUP, FOUR_BYTES, GROUP, SIZED, VARINT};

/// It does not decode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a message that does not decode")]
pub struct Malformed;

/// Groups in groups, and messages round them, beyond which prost refuses to look.
const DEEPEST: u32 = 100;

/// The numbers of the fields that somebody reads: each below 32, and each of them a string, bytes or a message.
#[derive(Debug, Clone, Copy)]
pub(in crate::grpc) struct Read(u32);

impl Read {
    pub(in crate::grpc) const fn these(numbers: &[u32]) -> Self {
        let (mut all, mut at) = (0, 0);
        while at < numbers.len() {
            all |= 1 << numbers[at];
            at += 1;
        }
        Self(all)
    }

    const fn has(self, number: u64) -> bool {
        number < 32 && self.0 >> number & 1 == 1
    }
}

/// Hands every field that is read to `visit`, with its bytes, in the order of the wire. The others are skipped. `depth`: how many messages
/// are round this one.
#[inline]
pub(in crate::grpc) fn each<'a>(
    mut message: &'a [u8],
    depth: u32,
    read: Read,
    mut visit: impl FnMut(u64, &'a [u8]) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    while !message.is_empty() {
        let (number, wire) = key(&mut message)?;
        if wire == SIZED {
            let value = sized(&mut message)?;
            if read.has(number) {
                visit(number, value)?;
            }
        } else if read.has(number) {
            return Err(Malformed);
        } else {
            skip(&mut message, number, wire, depth)?;
        }
    }
    Ok(())
}

/// A field's number and the kind of what follows.
#[inline]
fn key(bytes: &mut &[u8]) -> Result<(u64, u64), Malformed> {
    let key = varint(bytes)?;
    // A number has 29 bits, and none is 0.
    if (8..=u64::from(u32::MAX)).contains(&key) { Ok((key >> 3, key & 7)) } else { Err(Malformed) }
}

#[inline]
fn sized<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8], Malformed> {
    let length = usize::try_from(varint(bytes)?).map_err(|_| Malformed)?;
    let (value, rest) = bytes.split_at_checked(length).ok_or(Malformed)?;
    *bytes = rest;
    Ok(value)
}

fn skip(bytes: &mut &[u8], number: u64, wire: u64, depth: u32) -> Result<(), Malformed> {
    if depth == DEEPEST {
        return Err(Malformed);
    }
    let length = match wire {
        VARINT => varint(bytes).map(|_| 0)?,
        EIGHT_BYTES => 8,
        FOUR_BYTES => 4,
        SIZED => sized(bytes).map(|_| 0)?,
        GROUP => return skip_group(bytes, number, depth),
        _ => return Err(Malformed),
    };
    *bytes = bytes.get(length..).ok_or(Malformed)?;
    Ok(())
}

fn skip_group(bytes: &mut &[u8], number: u64, depth: u32) -> Result<(), Malformed> {
    loop {
        match key(bytes)? {
            (end, END_OF_GROUP) => return if end == number { Ok(()) } else { Err(Malformed) },
            (inner, wire) => skip(bytes, inner, wire, depth + 1)?,
        }
    }
}

/// Nearly every one has one byte, and most others have two.
#[inline]
fn varint(bytes: &mut &[u8]) -> Result<u64, Malformed> {
    match **bytes {
        [only @ ..0x80, ref rest @ ..] => {
            *bytes = rest;
            Ok(only.into())
        }
        [first, second @ ..0x80, ref rest @ ..] => {
            *bytes = rest;
            Ok(u64::from(first & 0x7f) | u64::from(second) << 7)
        }
        _ => long_varint(bytes),
    }
}

/// Ten bytes at most, the last of which has one bit left to give.
#[cold]
fn long_varint(bytes: &mut &[u8]) -> Result<u64, Malformed> {
    let mut value = 0;
    for (at, byte) in bytes.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f) << (7 * at);
        if *byte < 0x80 {
            *bytes = bytes.get(at + 1..).ok_or(Malformed)?;
            return if at == 9 && *byte > 1 { Err(Malformed) } else { Ok(value) };
        }
    }
    Err(Malformed)
}
