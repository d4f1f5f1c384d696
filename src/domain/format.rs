//! What a realm's secrets look like. Junk is told from a secret here, before any store is asked.

use std::ops::RangeInclusive;

use super::key::Secret;
use super::name::Word;

/// A key format: `prefix`, then characters of `alphabet`, then the checksum if it has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Format {
    pub prefix: Box<str>,
    pub alphabet: Alphabet,
    /// How many characters may stand between prefix and checksum.
    pub length: RangeInclusive<usize>,
    /// How many are minted.
    pub minted: usize,
    pub checksum: Checksum,
    /// What the prefix says.
    pub environment: Option<Word>,
    pub kind: Option<Word>,
    /// The plan of keys of this format that have none of their own.
    pub plan: Option<Word>,
}

/// The characters of a secret. None has a comma, a space or `!`: a proxy may put those where something else stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alphabet {
    /// `0-9 a-f`.
    Hex,
    /// `0-9 A-Z a-z`.
    Base62,
    /// `0-9 A-Z a-z - _`.
    Base64Url,
    /// Visible ASCII but `! " , ;`: for secrets that another system made. Minted as base62.
    Opaque,
}

/// What follows the characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checksum {
    None,
    /// CRC-32 of prefix and characters, six base62 digits: a leak scanner knows a real one, and a typo never reaches a store.
    Crc32,
}

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const HEX: &[u8] = b"0123456789abcdef";
const BASE64_URL: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

impl Format {
    /// Whether a presented secret has this format.
    #[must_use]
    pub fn fits(&self, presented: &[u8]) -> bool {
        let Some(rest) = presented.strip_prefix(self.prefix.as_bytes()) else { return false };
        let Some(body) = rest.len().checked_sub(self.checksum.width()).map(|at| &rest[..at]) else { return false };
        self.length.contains(&body.len())
            && body.iter().all(|byte| self.alphabet.holds(*byte))
            && self.checksum.of(&presented[..self.prefix.len() + body.len()]).as_bytes() == &rest[body.len()..]
    }

    /// A new secret of this format. `random` fills the bytes it is given from the operating system's randomness.
    pub fn mint<E>(&self, random: impl FnMut(&mut [u8]) -> Result<(), E>) -> Result<Secret, E> {
        let mut text = self.prefix.to_string();
        text.push_str(&characters(self.alphabet.minted(), self.minted, random)?);
        text.push_str(&self.checksum.of(text.as_bytes()));
        Ok(Secret::new(text.into_bytes()))
    }
}

impl Alphabet {
    fn holds(self, byte: u8) -> bool {
        match self {
            Self::Hex => HEX.contains(&byte),
            Self::Base62 => byte.is_ascii_alphanumeric(),
            Self::Base64Url => byte.is_ascii_alphanumeric() || b"-_".contains(&byte),
            Self::Opaque => byte.is_ascii_graphic() && !b"!\",;".contains(&byte),
        }
    }

    fn minted(self) -> &'static [u8] {
        match self {
            Self::Hex => HEX,
            Self::Base62 | Self::Opaque => BASE62,
            Self::Base64Url => BASE64_URL,
        }
    }

    /// Bits of randomness in a minted character.
    #[must_use]
    pub fn bits(self) -> f64 {
        f64::from(u8::try_from(self.minted().len()).unwrap_or(u8::MAX)).log2()
    }
}

impl Checksum {
    fn width(self) -> usize {
        match self {
            Self::None => 0,
            Self::Crc32 => 6,
        }
    }

    fn of(self, text: &[u8]) -> String {
        match self {
            Self::None => String::new(),
            Self::Crc32 => {
                let mut rest = crc32fast::hash(text) as usize;
                let mut digits = [0; 6];
                for digit in digits.iter_mut().rev() {
                    *digit = BASE62[rest % 62];
                    rest /= 62;
                }
                digits.iter().map(|digit| char::from(*digit)).collect()
            }
        }
    }
}

/// Characters drawn evenly: a byte that would favour some characters is drawn again.
fn characters<E>(alphabet: &[u8], count: usize, mut random: impl FnMut(&mut [u8]) -> Result<(), E>) -> Result<String, E> {
    let even = 256 - 256 % alphabet.len();
    let mut text = String::with_capacity(count);
    let mut bytes = zeroize::Zeroizing::new([0_u8; 64]);
    while text.len() < count {
        random(&mut bytes[..])?;
        let drawn = bytes.iter().filter(|byte| usize::from(**byte) < even).take(count - text.len());
        text.extend(drawn.map(|byte| char::from(alphabet[usize::from(*byte) % alphabet.len()])));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(alphabet: Alphabet, checksum: Checksum) -> Format {
        Format { prefix: "odt_".into(), alphabet, length: 56..=56, minted: 56, checksum, environment: None, kind: None, plan: None }
    }

    fn counting() -> impl FnMut(&mut [u8]) -> Result<(), ()> {
        let mut next = 0_u8;
        move |bytes| {
            for byte in bytes {
                next = next.wrapping_mul(31).wrapping_add(17);
                *byte = next;
            }
            Ok(())
        }
    }

    #[test]
    fn what_is_minted_fits_and_any_one_character_changed_no_longer_does_under_a_checksum() {
        for alphabet in [Alphabet::Hex, Alphabet::Base62, Alphabet::Base64Url, Alphabet::Opaque] {
            let format = format(alphabet, Checksum::Crc32);
            let secret = format.mint(counting()).unwrap();
            assert!(format.fits(secret.expose()));
            for at in 0..secret.expose().len() {
                let mut changed = secret.expose().to_vec();
                changed[at] = if changed[at] == b'0' { b'1' } else { b'0' };
                assert!(!format.fits(&changed), "{at}");
            }
        }
    }

    #[test]
    fn junk_of_another_length_prefix_or_alphabet_does_not_fit() {
        let format = format(Alphabet::Hex, Checksum::None);
        assert!(format.fits(b"odt_f57b5eabebb5ee8698d54c5c9427a991f6254150e819d04b2f56a490"));
        for junk in [
            "odt_xxx",
            "",
            "odt_",
            "odt_F57B5EABEBB5EE8698D54C5C9427A991F6254150E819D04B2F56A490",
            "odt_f57b5eabebb5ee8698d54c5c9427a991f6254150e819d04b2f56a4901",
            "abc_f57b5eabebb5ee8698d54c5c9427a991f6254150e819d04b2f56a490",
        ] {
            assert!(!format.fits(junk.as_bytes()), "{junk}");
        }
    }

    #[test]
    fn no_alphabet_has_what_a_proxy_puts_where_something_else_stood() {
        for alphabet in [Alphabet::Hex, Alphabet::Base62, Alphabet::Base64Url, Alphabet::Opaque] {
            for byte in [b',', b'!', b' ', b';', b'"', 0x00, 0x7f, 0x80, 0xff] {
                assert!(!alphabet.holds(byte), "{alphabet:?} {byte}");
            }
        }
    }
}
