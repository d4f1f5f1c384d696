//! Results as they are printed: JSON has the fields of the API's messages under their own names; times are RFC 3339, or null; durations are
//! seconds, such as `0.25s`; levels are the words of the configuration.

mod guarantee;
mod key;
mod limit;
mod owner;
mod revocation;

pub(super) use key::{ChangedKey, Keys, Made, OneKey, Redeemed};
pub(super) use owner::{ChangedOwner, Enabled, OneOwner, Owners};
pub(super) use revocation::{Resumed, Stands, Waited};

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

/// A level in the words of the configuration; none is null.
fn level(level: i32) -> Option<&'static str> {
    match Level::try_from(level).unwrap_or_default() {
        Level::Unspecified => None,
        Level::Volatile => Some("volatile"),
        Level::Single => Some("single"),
        Level::Replicated => Some("replicated"),
    }
}

/// Whether a time is over, by this machine's clock.
fn past(time: &str) -> bool {
    time.parse::<Timestamp>().is_ok_and(|at| at <= Timestamp::now())
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
