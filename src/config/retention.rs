//! For how long what has ended is kept.

use std::time::Duration;

use super::document::{At, Read};
use super::duration::long;
use crate::domain::retention::Retention;

const RANGE: std::ops::RangeInclusive<Duration> = Duration::from_hours(1)..=Duration::from_hours(24 * 3660);

/// `retention` of the server's file.
pub(super) fn retention(at: &At<'_>) -> Read<Retention> {
    let mut map = at.map()?;
    let audit = map.or("audit", None, span);
    let revoked_keys = map.or("revoked_keys", None, span);
    map.finish()?;
    Ok(Retention { audit: audit?, revoked_keys: revoked_keys? })
}

/// A span, or for ever.
fn span(at: &At<'_>) -> Read<Option<Duration>> {
    if at.text().is_ok_and(|text| text == "forever") { Ok(None) } else { long(at, &RANGE).map(Some) }
}
