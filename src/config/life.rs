//! How long keys live, and when their secrets should be changed.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::document::{At, Read};
use super::duration::{long, show_long};
use crate::domain::life::KeyLife;

const SPANS: RangeInclusive<Duration> = Duration::from_hours(1)..=Duration::from_hours(10 * 366 * 24);

/// Both are optional; advice that comes after the end is none.
pub(super) fn life(at: &At<'_>) -> Read<KeyLife> {
    let mut map = at.map()?;
    let longest = map.optional("max_lifetime", |at| long(at, &SPANS));
    let rotate_after = map.optional("rotate_after", |at| long(at, &SPANS));
    if let (Ok(Some(longest)), Ok(Some(rotate_after))) = (&longest, &rotate_after)
        && rotate_after >= longest
    {
        map.at("rotate_after").problem::<()>(format_args!("must be below max_lifetime, which is {}", show_long(*longest)))?;
    }
    map.finish()?;
    Ok(KeyLife { longest: longest?, rotate_after: rotate_after? })
}
