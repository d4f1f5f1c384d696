//! Amounts of memory, written as a number and a unit: `64MiB`, `2GiB`.

use std::ops::RangeInclusive;

use super::document::{At, Read};

/// Largest first.
const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

/// An amount within bounds.
pub(super) fn bytes(at: &At<'_>, range: &RangeInclusive<u64>) -> Read<u64> {
    match parse(at.text()?).filter(|bytes| range.contains(bytes)) {
        Some(bytes) => Ok(bytes),
        None => at.must_be(format_args!("an amount from {} to {}, such as 256MiB or 2GiB", show(*range.start()), show(*range.end()))),
    }
}

/// The amount as it would be written.
fn show(bytes: u64) -> String {
    let unit = UNITS.iter().find(|(_, unit)| bytes.is_multiple_of(*unit));
    unit.map_or_else(|| bytes.to_string(), |(name, unit)| format!("{}{name}", bytes / unit))
}

fn parse(text: &str) -> Option<u64> {
    let (number, unit) = text.split_at(text.find(|letter: char| !letter.is_ascii_digit())?);
    let (_, bytes) = UNITS.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_a_number_and_a_unit_and_shows_as_it_is_written() {
        for text in ["1KiB", "256MiB", "2GiB", "1536MiB"] {
            assert_eq!(show(parse(text).unwrap()), text);
        }
        for text in ["", "5", "MiB", "1MB", "1.5GiB", "-1MiB", "1 MiB", "1mib", "99999999999999999999GiB", "18446744073709551615KiB"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
