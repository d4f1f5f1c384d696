//! Usage: what is counted of a key and its owner, for people to look at. Limits are counted elsewhere, and exactly; these numbers are not for
//! bills.

use std::net::IpAddr;

use super::outcome::Outcome;
use super::reason::Reason;
use super::time::StoreTime;

/// Something that is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Counter {
    /// Checks that passed.
    Allowed,
    /// Checks that were refused, for one reason: of those that are known to be of a key.
    Refused(Reason),
    /// Requests that the upstream answered with a status of one class: 1 to 5.
    Answered(u8),
}

/// How often each of them was.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tally([u64; COUNTERS.len()]);

/// When a secret was presented last, whatever the answer, and where from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastUse {
    pub at: StoreTime,
    /// `None`: it could not be told.
    pub address: Option<IpAddr>,
}

/// By what time counts are kept together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Granularity {
    /// For two hours.
    Minute,
    /// For a year. Days are those of UTC.
    Day,
}

/// All that is counted. A counter's place is its name in the stores: new ones come at the end.
pub const COUNTERS: [Counter; 18] = [
    Counter::Allowed,
    Counter::Answered(1),
    Counter::Answered(2),
    Counter::Answered(3),
    Counter::Answered(4),
    Counter::Answered(5),
    Counter::Refused(Reason::Revoked),
    Counter::Refused(Reason::Expired),
    Counter::Refused(Reason::OwnerDisabled),
    Counter::Refused(Reason::Tenant),
    Counter::Refused(Reason::NoRoute),
    Counter::Refused(Reason::Environment),
    Counter::Refused(Reason::Kind),
    Counter::Refused(Reason::Scope),
    Counter::Refused(Reason::Address),
    Counter::Refused(Reason::Limited),
    Counter::Refused(Reason::Unavailable),
    Counter::Refused(Reason::Internal),
];

impl Counter {
    /// Its place among [`COUNTERS`]; `None`: it is not counted.
    #[must_use]
    pub fn place(self) -> Option<usize> {
        Some(match self {
            Self::Allowed => 0,
            Self::Answered(class @ 1..=5) => usize::from(class),
            Self::Answered(_) => return None,
            Self::Refused(reason) => match reason {
                Reason::Revoked => 6,
                Reason::Expired => 7,
                Reason::OwnerDisabled => 8,
                Reason::Tenant => 9,
                Reason::NoRoute => 10,
                Reason::Environment => 11,
                Reason::Kind => 12,
                Reason::Scope => 13,
                Reason::Address => 14,
                Reason::Limited => 15,
                Reason::Unavailable => 16,
                Reason::Internal => 17,
                _ => return None,
            },
        })
    }

    /// That of how a request ended; `None`: without a status.
    #[must_use]
    pub fn of(outcome: Outcome) -> Option<Self> {
        match outcome {
            Outcome::Status(code @ 100..=599) => u8::try_from(code / 100).ok().map(Self::Answered),
            _ => None,
        }
    }
}

impl Tally {
    /// Counts so many of them.
    pub fn add(&mut self, counter: Counter, count: u64) {
        if let Some(place) = counter.place() {
            self.0[place] = self.0[place].saturating_add(count);
        }
    }

    /// Counts all that another one has.
    pub fn add_all(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(own, more)| *own = own.saturating_add(more));
    }

    #[must_use]
    pub fn get(&self, counter: Counter) -> u64 {
        counter.place().map_or(0, |place| self.0[place])
    }

    /// Those that were at all, in the order of [`COUNTERS`].
    pub fn counted(&self) -> impl Iterator<Item = (Counter, u64)> {
        COUNTERS.into_iter().zip(self.0).filter(|(_, count)| *count > 0)
    }

    /// All checks that were refused.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.counted().filter(|(counter, _)| matches!(counter, Counter::Refused(_))).map(|(_, count)| count).sum()
    }
}

impl LastUse {
    /// The later of two; of two in one millisecond the second.
    #[must_use]
    pub fn later(self, other: Self) -> Self {
        if other.at >= self.at { other } else { self }
    }
}

impl Granularity {
    /// How many milliseconds are counted together.
    #[must_use]
    pub fn length_ms(self) -> i64 {
        match self {
            Self::Minute => 60_000,
            Self::Day => 86_400_000,
        }
    }

    /// How many of them are told of at most.
    #[must_use]
    pub fn most(self) -> i64 {
        match self {
            Self::Minute => 120,
            Self::Day => 366,
        }
    }

    /// The minute or the day of an instant, counted from the epoch.
    #[must_use]
    pub fn number(self, at: StoreTime) -> i64 {
        at.0.div_euclid(self.length_ms())
    }

    /// When one begins.
    #[must_use]
    pub fn begins(self, number: i64) -> StoreTime {
        StoreTime(number.saturating_mul(self.length_ms()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counter_is_at_its_place_and_nothing_else_is_counted() {
        for (place, counter) in COUNTERS.into_iter().enumerate() {
            assert_eq!(counter.place(), Some(place), "{counter:?}");
        }
        let counted = |reason: &&Reason| Counter::Refused(**reason).place().is_some();
        assert_eq!(Reason::ALL.iter().filter(counted).count(), 12);
        assert_eq!([0, 6].map(|class| Counter::Answered(class).place()), [None, None]);
    }

    #[test]
    fn how_a_request_ended_is_counted_by_the_class_of_its_status() {
        let of = |outcome| Counter::of(outcome);
        assert_eq!(of(Outcome::Status(204)), Some(Counter::Answered(2)));
        assert_eq!(of(Outcome::Status(599)), Some(Counter::Answered(5)));
        assert_eq!([Outcome::Status(0), Outcome::Status(600), Outcome::Reset, Outcome::Timeout].map(of), [None; 4]);
    }

    #[test]
    fn tallies_are_summed() {
        let (mut one, mut other) = (Tally::default(), Tally::default());
        one.add(Counter::Allowed, 2);
        one.add(Counter::Refused(Reason::Limited), 1);
        other.add(Counter::Allowed, 3);
        other.add(Counter::Refused(Reason::Unknown), 9);
        one.add_all(&other);
        let counted: Vec<_> = one.counted().collect();
        assert_eq!(counted, [(Counter::Allowed, 5), (Counter::Refused(Reason::Limited), 1)]);
        assert_eq!(one.refused(), 1);
    }

    #[test]
    fn minutes_and_days_begin_where_utc_has_them() {
        let at = StoreTime(1_800_000_061_500);
        assert_eq!(Granularity::Minute.begins(Granularity::Minute.number(at)), StoreTime(1_800_000_060_000));
        assert_eq!(Granularity::Day.begins(Granularity::Day.number(at)).0 % 86_400_000, 0);
    }
}
