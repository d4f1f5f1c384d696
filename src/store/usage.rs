//! What stores keep of usage: counts of an hour's minutes, or of 32 days, together in one text, and when each secret was used last in another.
//! Every engine keeps these texts.
//!
//! ```text
//! ;17 0:12 15:3 ;18 0:4         in minute 17 of its hour 12 checks passed and 3 were over a limit; the numbers are places among the counters
//! ;@4f2c.. 93                   of an owner: what has been added of this replica, up to its piece 93
//! ;2 1800000000000 192.0.2.1    the second secret was used last then, and from there
//! ```

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use super::{StoreError, SubjectName};
use crate::domain::name::KeyId;
use crate::domain::time::StoreTime;
use crate::domain::usage::{COUNTERS, Granularity, LastUse, Tally};

/// Counts of one owner and of some of its keys, to be added at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsagePiece {
    /// Whose all of it is.
    pub owner: SubjectName,
    /// Who counted: drawn at random when it began to.
    pub by: u64,
    /// Its pieces of one owner are numbered upwards, in the order that they are sent in.
    pub number: u64,
    /// When it was put together, on the store's clock. A piece that is sent again is the same piece.
    pub at: StoreTime,
    pub counts: Vec<Counts>,
}

/// What was counted of a key or of an owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts {
    /// `None`: of the owner itself.
    pub key: Option<KeyId>,
    /// By minutes since the epoch.
    pub minutes: Vec<(i64, Tally)>,
    /// By secrets' numbers; of an owner, whose keys have many, by 0.
    pub last: Vec<(u32, LastUse)>,
}

/// Which part of the past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsageRange {
    pub granularity: Granularity,
    /// The first minute or day since the epoch, and the last.
    pub first: i64,
    pub last: i64,
}

/// What was counted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Usage {
    /// By minutes or days since the epoch, in their order; those without any count are left out.
    pub series: Vec<(i64, Tally)>,
    /// By secrets' numbers, as in [`Counts`].
    pub last: Vec<(u32, LastUse)>,
}

/// For how long a text is kept after it was written.
pub const MINUTES_KEPT: Duration = Duration::from_hours(3);
pub const DAYS_KEPT: Duration = Duration::from_hours(24 * 400);
/// A use longer ago than this is forgotten.
pub const LAST_KEPT: Duration = DAYS_KEPT;

/// How many are in one text.
fn together(granularity: Granularity) -> i64 {
    match granularity {
        Granularity::Minute => 60,
        Granularity::Day => 32,
    }
}

/// For how long it is kept.
pub(super) fn kept(granularity: Granularity) -> Duration {
    match granularity {
        Granularity::Minute => MINUTES_KEPT,
        Granularity::Day => DAYS_KEPT,
    }
}

/// Which text has an instant.
pub(super) fn text_of(granularity: Granularity, at: StoreTime) -> i64 {
    granularity.number(at).div_euclid(together(granularity))
}

/// Counts by text, and in it by place.
pub(super) fn by_text(granularity: Granularity, minutes: &[(i64, Tally)]) -> BTreeMap<i64, BTreeMap<i64, Tally>> {
    let mut texts: BTreeMap<i64, BTreeMap<i64, Tally>> = BTreeMap::new();
    for (minute, tally) in minutes {
        let number = granularity.number(Granularity::Minute.begins(*minute));
        let (text, place) = (number.div_euclid(together(granularity)), number.rem_euclid(together(granularity)));
        texts.entry(text).or_default().entry(place).or_default().add_all(tally);
    }
    texts
}

impl UsageRange {
    /// The texts that it is in.
    pub(super) fn texts(&self) -> std::ops::RangeInclusive<i64> {
        let together = together(self.granularity);
        self.first.div_euclid(together)..=self.last.div_euclid(together)
    }

    /// What texts, by their numbers, have of it.
    pub(super) fn series<'a>(&self, texts: impl IntoIterator<Item = (i64, &'a str)>) -> Result<Vec<(i64, Tally)>, StoreError> {
        let mut series = Vec::new();
        for (text, content) in texts {
            let number = |place: i64| text * together(self.granularity) + place;
            let counts = Minutes::read(content)?.counts.into_iter().map(|(place, tally)| (number(place), tally));
            series.extend(counts.filter(|(number, _)| (self.first..=self.last).contains(number)));
        }
        Ok(series)
    }
}

/// A text of counts.
#[derive(Debug, Default)]
pub(super) struct Minutes {
    /// By who counted.
    pub(super) added: BTreeMap<String, u64>,
    pub(super) counts: BTreeMap<i64, Tally>,
}

impl Minutes {
    pub(super) fn read(text: &str) -> Result<Self, StoreError> {
        let mut all = Self::default();
        for (name, rest) in entries(text) {
            match name.strip_prefix('@') {
                Some(by) => _ = all.added.insert(by.to_owned(), whole(rest)?),
                None => _ = all.counts.insert(whole(name)?, tally(rest)?),
            }
        }
        Ok(all)
    }

    pub(super) fn write(&self) -> String {
        let mut text = String::new();
        for (by, number) in &self.added {
            let _ = write!(text, ";@{by} {number}");
        }
        for (place, tally) in &self.counts {
            let _ = write!(text, ";{place} {}", written(tally));
        }
        text
    }
}

/// When secrets were used last, by their numbers.
pub(super) fn read_last(text: &str) -> Result<BTreeMap<u32, LastUse>, StoreError> {
    let one = |(name, rest): (&str, &str)| {
        let (at, address) = rest.split_once(' ').ok_or_else(|| odd(rest))?;
        let address = if address == "-" { None } else { Some(address.parse().map_err(|_| odd(address))?) };
        Ok((whole(name)?, LastUse { at: StoreTime(whole(at)?), address }))
    };
    entries(text).map(one).collect()
}

pub(super) fn write_last(all: &BTreeMap<u32, LastUse>) -> String {
    let mut text = String::new();
    for (secret, last) in all {
        let _ = write!(text, ";{secret} {} {}", last.at.0, address(last));
    }
    text
}

pub(super) fn address(last: &LastUse) -> String {
    last.address.map_or_else(|| "-".into(), |address| address.to_string())
}

/// The latest of all.
pub(super) fn latest(last: impl IntoIterator<Item = LastUse>) -> Option<LastUse> {
    last.into_iter().reduce(LastUse::later)
}

/// Who counted, as it is written.
pub(super) fn by(piece: &UsagePiece) -> String {
    format!("{:x}", piece.by)
}

/// `place:count`, of those that were at all.
fn written(tally: &Tally) -> String {
    let count = |(counter, count): (crate::domain::usage::Counter, u64)| Some(format!("{}:{count}", counter.place()?));
    tally.counted().filter_map(count).collect::<Vec<_>>().join(" ")
}

/// Counters that a newer version keeps are passed over.
fn tally(text: &str) -> Result<Tally, StoreError> {
    let mut tally = Tally::default();
    for count in text.split_ascii_whitespace() {
        let (place, count) = count.split_once(':').ok_or_else(|| odd(count))?;
        if let Some(counter) = COUNTERS.get(whole::<usize>(place)?) {
            tally.add(*counter, whole(count)?);
        }
    }
    Ok(tally)
}

fn entries(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split(';').filter_map(|entry| entry.split_once(' '))
}

fn whole<T: std::str::FromStr>(text: &str) -> Result<T, StoreError> {
    text.trim().parse().map_err(|_| odd(text))
}

fn odd(text: &str) -> StoreError {
    StoreError::Corrupt(format!("usage that reads {text:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::usage::Counter;

    fn allowed(count: u64) -> Tally {
        let mut tally = Tally::default();
        tally.add(Counter::Allowed, count);
        tally.add(Counter::Answered(5), 1);
        tally
    }

    #[test]
    fn what_is_written_reads_the_same() {
        let text = ";@4f 93;17 0:12 5:1;59 0:4 5:1";
        let read = Minutes::read(text).unwrap();
        assert_eq!(read.added, [("4f".to_owned(), 93)].into());
        assert_eq!(read.counts, [(17, allowed(12)), (59, allowed(4))].into());
        assert_eq!(read.write(), text);
        let last = ";1 1800000000000 192.0.2.1;2 1800000000001 2001:db8::1;3 5 -";
        assert_eq!(write_last(&read_last(last).unwrap()), last);
    }

    #[test]
    fn what_a_newer_version_counts_is_passed_over_and_what_nobody_wrote_is_an_error() {
        assert_eq!(Minutes::read(";1 0:2 99:7 5:1").unwrap().counts, [(1, allowed(2))].into());
        for odd in [";x 0:1", ";1 0", ";1 0:x", ";@4f x"] {
            assert!(Minutes::read(odd).is_err(), "{odd}");
        }
        assert!(read_last(";1 5").is_err() && read_last(";1 5 nowhere").is_err());
    }

    #[test]
    fn minutes_of_one_day_are_summed_and_a_range_is_cut_out_of_its_texts() {
        let day = 20_833;
        let minutes = [(day * 1440 + 59, allowed(1)), (day * 1440 + 60, allowed(2)), ((day + 1) * 1440, allowed(4))];
        let days = by_text(Granularity::Day, &minutes);
        assert_eq!(days.values().flat_map(BTreeMap::values).map(|tally| tally.get(Counter::Allowed)).collect::<Vec<_>>(), [3, 4]);
        let texts: Vec<(i64, String)> = by_text(Granularity::Minute, &minutes)
            .into_iter()
            .map(|(text, counts)| (text, Minutes { counts, ..Minutes::default() }.write()))
            .collect();
        let range = UsageRange { granularity: Granularity::Minute, first: day * 1440 + 60, last: (day + 1) * 1440 };
        assert_eq!(texts.iter().map(|(text, _)| *text).take(3).collect::<Vec<_>>(), [day * 24, day * 24 + 1, day * 24 + 24]);
        assert_eq!(range.texts(), day * 24 + 1..=day * 24 + 24);
        let series = range.series(texts.iter().map(|(text, content)| (*text, content.as_str()))).unwrap();
        assert_eq!(series, [(day * 1440 + 60, allowed(2)), ((day + 1) * 1440, allowed(4))]);
    }
}
