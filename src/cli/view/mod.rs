//! Results as they are printed: JSON has the fields of the API's messages under their own names; times are RFC 3339, or null; durations are
//! seconds, such as `0.25s`; levels are the words of the configuration.

mod answered;
mod audit;
mod explained;
mod guarantee;
mod import;
mod key;
mod keys;
mod life;
mod limit;
mod owner;
mod pepper;
mod revocation;
mod usage;

pub(super) use answered::Answered;
pub(super) use audit::{AuditEntries, Exported, Verified};
pub(super) use explained::Explained;
pub(super) use import::Imported;
pub(super) use key::{ChangedKey, Made, OneKey, Redeemed};
pub(super) use keys::{Keys, WideKeys};
pub(super) use life::{Deleted, EnabledKey, Leak, Many, Rotated};
pub(super) use owner::{ChangedOwner, Enabled, OneOwner, Owners};
pub(super) use pepper::{Peppers, Withdrawn};
pub(super) use revocation::{Resumed, Stands, Waited};
pub(super) use usage::Used;

use jiff::Timestamp;

use crate::proto::keyward::admin::v1::Level;

/// A time of the server's, which no server sends where it is not one.
fn time(at: Option<prost_types::Timestamp>) -> Option<String> {
    at.and_then(|at| Timestamp::new(at.seconds, at.nanos).ok()).map(|at| at.to_string())
}

/// A duration of the server's, in seconds with as many digits as it needs.
fn seconds(duration: Option<prost_types::Duration>) -> Option<String> {
    let digits = duration.map(|duration| format!("{}.{:09}", duration.seconds, duration.nanos))?;
    Some(format!("{}s", digits.trim_end_matches('0').trim_end_matches('.')))
}

/// A duration for people: to the millisecond, and above ten seconds to the second.
fn short(duration: prost_types::Duration) -> String {
    let ms = duration.seconds.saturating_mul(1000) + i64::from(duration.nanos / 1_000_000);
    match (ms, duration.nanos) {
        (0, 0) => "0 ms".to_owned(),
        (0, _) => "under 1 ms".to_owned(),
        (1..1000, _) => format!("{ms} ms"),
        (1000..10_000, _) => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        _ => format!("{} s", ms / 1000),
    }
}

/// A wait for people: whole seconds, and never too few.
fn wait(seconds: &str) -> String {
    let number = seconds.trim_end_matches('s').parse::<f64>();
    number.map_or_else(|_| seconds.to_owned(), |number| format!("{:.0} s", number.ceil()))
}

/// A time for people: to the second.
fn brief(time: Option<&str>) -> String {
    let Some(time) = time else { return String::new() };
    time.split_once('.').map_or_else(|| time.to_owned(), |(seconds, _)| format!("{seconds}Z"))
}

/// A level in the words of the configuration; none is null.
fn level(level: i32) -> Option<&'static str> {
    match Level::try_from(level).unwrap_or_default() {
        Level::Unspecified => None,
        Level::Volatile => Some("volatile"),
        Level::Single => Some("single"),
        Level::Replicated => Some("replicated"),
    }
}

/// A time in a table.
fn cell(time: Option<&str>) -> String {
    time.unwrap_or_default().to_owned()
}

/// The last part of a name.
fn id(name: &str) -> String {
    name.rsplit('/').next().unwrap_or(name).to_owned()
}

/// The rows of one thing: its fields and their values, without those that have none.
fn fields<const N: usize>(fields: [(&str, String); N]) -> Vec<Vec<String>> {
    fields.into_iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| vec![name.to_owned(), value]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_told_no_more_digits_than_they_read() {
        let shown = |seconds, nanos| short(prost_types::Duration { seconds, nanos });
        for (seconds, nanos, says) in [
            (0, 0, "0 ms"),
            (0, 999_999, "under 1 ms"),
            (0, 31_396_008, "31 ms"),
            (1, 250_000_000, "1.2 s"),
            (9, 999_999_999, "9.9 s"),
            (61, 500_000_000, "61 s"),
        ] {
            assert_eq!(shown(seconds, nanos), says);
        }
        assert_eq!(["60.999936375s", "5s", "0.001s"].map(wait), ["61 s", "5 s", "1 s"]);
        let times = ["2027-01-31T12:00:00.123Z", "2027-01-31T12:00:00Z"].map(|time| brief(Some(time)));
        assert_eq!(times, ["2027-01-31T12:00:00Z"; 2]);
    }
}
