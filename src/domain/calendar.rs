//! Calendar periods: a quota's day, week or month, in a time zone.

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _, Zoned};

use super::time::StoreTime;

/// How long a period is, as people count it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Unit {
    Day,
    /// From Monday on (ISO 8601).
    Week,
    Month,
}

/// A period and the one after it: the taker says both, and the store's clock says which one it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    pub unit: Unit,
    pub from: StoreTime,
    /// The first instant that is no longer in it.
    pub until: StoreTime,
    /// The same of the period after it.
    pub next_until: StoreTime,
}

impl Period {
    /// The period that `at` lies in. `None` where time itself ends.
    #[must_use]
    pub fn of(unit: Unit, zone: &TimeZone, at: StoreTime) -> Option<Self> {
        let at = Timestamp::from_millisecond(at.0).ok()?.to_zoned(zone.clone());
        let from = start(unit, &at)?;
        let until = start(unit, &next(unit, &from)?)?;
        let next_until = start(unit, &next(unit, &until)?)?;
        let instant = |zoned: &Zoned| StoreTime(zoned.timestamp().as_millisecond());
        Some(Self { unit, from: instant(&from), until: instant(&until), next_until: instant(&next_until) })
    }

    /// From when until when the period lasts that it is at `now`; `None` where that is none of the two. Before the first one, as a store's
    /// clock may be a little behind, it is the first.
    #[must_use]
    pub fn at(&self, now: StoreTime) -> Option<(StoreTime, StoreTime)> {
        match now {
            now if now < self.until => Some((self.from, self.until)),
            now if now < self.next_until => Some((self.until, self.next_until)),
            _ => None,
        }
    }
}

/// The first instant of the day, which in some zones is not midnight.
fn start(unit: Unit, at: &Zoned) -> Option<Zoned> {
    let date = at.date();
    let first = match unit {
        Unit::Day => date,
        Unit::Week => date.checked_sub(i64::from(date.weekday().to_monday_zero_offset()).days()).ok()?,
        Unit::Month => date.first_of_month(),
    };
    first.to_zoned(at.time_zone().clone()).ok()?.start_of_day().ok()
}

/// Some instant of the next period.
fn next(unit: Unit, from: &Zoned) -> Option<Zoned> {
    let span = match unit {
        Unit::Day => 1.day(),
        Unit::Week => 1.week(),
        Unit::Month => 1.month(),
    };
    from.date().checked_add(span).ok()?.to_zoned(from.time_zone().clone()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> StoreTime {
        StoreTime(text.parse::<Timestamp>().unwrap().as_millisecond())
    }

    fn period(unit: Unit, zone: &str, now: &str) -> (String, String, String) {
        let period = Period::of(unit, &TimeZone::get(zone).unwrap(), at(now)).unwrap();
        let text = |at: StoreTime| Timestamp::from_millisecond(at.0).unwrap().to_string();
        (text(period.from), text(period.until), text(period.next_until))
    }

    fn are(found: &(String, String, String), expected: [&str; 3]) {
        assert_eq!([&*found.0, &*found.1, &*found.2], expected);
    }

    #[test]
    fn a_day_is_as_long_as_its_zone_makes_it() {
        let spring = period(Unit::Day, "Europe/Berlin", "2026-03-29T12:00:00Z");
        are(&spring, ["2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z", "2026-03-30T22:00:00Z"]);
        let autumn = period(Unit::Day, "Europe/Berlin", "2026-10-25T00:30:00Z");
        are(&autumn, ["2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z", "2026-10-26T23:00:00Z"]);
    }

    #[test]
    fn a_day_without_a_midnight_begins_with_its_first_instant() {
        let found = period(Unit::Day, "America/Sao_Paulo", "2018-11-04T12:00:00Z");
        are(&found, ["2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z", "2018-11-06T02:00:00Z"]);
    }

    #[test]
    fn a_week_begins_on_monday_and_a_month_on_its_first_day() {
        let week = period(Unit::Week, "UTC", "2026-11-22T23:59:59Z");
        are(&week, ["2026-11-16T00:00:00Z", "2026-11-23T00:00:00Z", "2026-11-30T00:00:00Z"]);
        let month = period(Unit::Month, "UTC", "2028-01-31T10:00:00Z");
        are(&month, ["2028-01-01T00:00:00Z", "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"]);
    }

    #[test]
    fn an_instant_is_in_the_period_that_begins_with_it() {
        let day = Period::of(Unit::Day, &TimeZone::UTC, at("2026-11-21T23:59:59.999Z")).unwrap();
        assert_eq!(day.at(StoreTime(day.until.0 - 1)), Some((day.from, day.until)));
        assert_eq!(day.at(day.until), Some((day.until, day.next_until)));
        assert_eq!(day.at(day.next_until), None);
    }
}
