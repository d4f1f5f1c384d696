//! Spans of time, written as a number and a unit: `150ms`, `1s`, `5m`, `24h`; long ones in days too: `90d`.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::document::{At, Read};

/// In seconds.
const DAY: u64 = 86_400;
/// Largest first.
const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

/// A span within bounds.
pub(super) fn duration(at: &At<'_>, range: &RangeInclusive<Duration>) -> Read<Duration> {
    match parse(at.text()?).filter(|duration| range.contains(duration)) {
        Some(duration) => Ok(duration),
        None => at.must_be(format_args!("a time from {} to {}, such as 150ms, 1s, 5m or 24h", show(*range.start()), show(*range.end()))),
    }
}

/// A long span within bounds: days are a unit too, each of 24 hours.
pub(super) fn long(at: &At<'_>, range: &RangeInclusive<Duration>) -> Read<Duration> {
    match parse_long(at.text()?).filter(|duration| range.contains(duration)) {
        Some(duration) => Ok(duration),
        None => at.must_be(format_args!("a time from {} to {}, such as 24h or 90d", show_long(*range.start()), show_long(*range.end()))),
    }
}

/// A long span, as it is written on a command line.
pub fn duration_of(text: &str) -> Result<Duration, String> {
    parse_long(text).ok_or_else(|| format!("must be a time such as 90s, 12h or 7d, and is {text:?}"))
}

fn parse_long(text: &str) -> Option<Duration> {
    match text.strip_suffix('d') {
        Some(days) => parse(&format!("{days}h")).map(|hours| hours.saturating_mul(24)),
        None => parse(text),
    }
}

/// A long span as it would be written.
pub(super) fn show_long(duration: Duration) -> String {
    let (days, rest) = (duration.as_secs() / DAY, duration.as_secs() % DAY);
    if days > 0 && rest == 0 && duration.subsec_millis() == 0 { format!("{days}d") } else { show(duration) }
}

/// The span as it would be written.
pub(super) fn show(duration: Duration) -> String {
    let ms = duration.as_millis();
    let unit = UNITS.iter().find(|(_, unit)| ms.is_multiple_of(u128::from(*unit)));
    unit.map_or_else(|| format!("{ms}ms"), |(name, unit)| format!("{}{name}", ms / u128::from(*unit)))
}

/// What is written; `None` where it is no span.
pub(super) fn parse(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at(text.find(|letter: char| !letter.is_ascii_digit())?);
    let (_, ms) = UNITS.iter().find(|(name, _)| *name == unit)?;
    Some(Duration::from_millis(number.parse::<u64>().ok()?.checked_mul(*ms)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_number_and_a_unit_and_shows_as_it_is_written() {
        for text in ["1ms", "150ms", "1s", "90s", "5m", "24h", "1500ms"] {
            assert_eq!(show(parse(text).unwrap()), text);
        }
        for text in ["", "5", "m", "1d", "1.5s", "-1s", "1 s", "+1s", "1sm", "99999999999999999999s", "18446744073709551615h"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_long_time_shows_in_days_where_it_is_whole_ones() {
        let shown =
            [(24, "1d"), (90 * 24, "90d"), (36, "36h"), (1, "1h")].map(|(hours, says)| (show_long(Duration::from_hours(hours)), says));
        assert!(shown.iter().all(|(shown, says)| shown == says), "{shown:?}");
    }
}
