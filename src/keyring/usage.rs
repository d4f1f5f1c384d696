//! Usage of a key or an owner, as far as it is kept.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::terms::Target;
use super::{Caller, Keyring, KeyringError, Wrong};
use crate::domain::allowance::Allowance;
use crate::domain::bearer::Bearer;
use crate::domain::record::{Holder, KeptSecret, Record};
use crate::domain::time::StoreTime;
use crate::domain::usage::{Granularity, LastUse, Tally};
use crate::replica::tokens::standing::{Question, standing};
use crate::store::{SubjectName, UsageRange, What};

/// Which part of the past is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub granularity: Granularity,
    /// `None`: as far back as it is kept.
    pub start: Option<StoreTime>,
    /// `None`: up to now.
    pub end: Option<StoreTime>,
}

/// What was counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Used {
    /// When the first minute or day begins, and when the last one ends.
    pub start: StoreTime,
    pub end: StoreTime,
    pub total: Tally,
    /// By when each begins.
    pub points: Vec<(StoreTime, Tally)>,
    pub last: Option<LastUse>,
    /// Of a key: newest first.
    pub secrets: Vec<(KeptSecret, Option<LastUse>)>,
    /// Of a key: how its limits stand now, and its owner's.
    pub limits: Vec<Allowance>,
}

/// When each of a key's secrets was used last, by its number.
pub type LastUses = BTreeMap<u32, LastUse>;

impl Keyring {
    /// What was counted of a key or an owner.
    pub async fn usage(&self, caller: &Caller, of: &What, span: &Span) -> Result<Used, KeyringError> {
        let (subject, secrets, limits) = self.used(caller, of).await?;
        let range = span.range(self.store.now().await?)?;
        let usage = self.store.usage(&subject, &range).await?;
        let (granularity, last) = (range.granularity, usage.last.iter().copied().collect::<LastUses>());
        let mut total = Tally::default();
        usage.series.iter().for_each(|(_, tally)| total.add_all(tally));
        Ok(Used {
            start: granularity.begins(range.first),
            end: granularity.begins(range.last + 1),
            total,
            points: usage.series.into_iter().map(|(number, tally)| (granularity.begins(number), tally)).collect(),
            last: last.values().copied().reduce(LastUse::later),
            secrets: secrets.into_iter().map(|kept| (last.get(&kept.number).copied(), kept)).map(|(last, kept)| (kept, last)).collect(),
            limits,
        })
    }

    /// When each of a key's secrets was used last.
    pub async fn last_uses(&self, record: &Record) -> Result<LastUses, KeyringError> {
        // the range is of no interest, and short
        let range = UsageRange { granularity: Granularity::Minute, first: 0, last: 0 };
        Ok(self.store.usage(&subject_of(record), &range).await?.last.into_iter().collect())
    }

    /// Whose usage it is, and a key's secrets and limits, if it is there.
    async fn used(&self, caller: &Caller, of: &What) -> Result<(SubjectName, Vec<KeptSecret>, Vec<Allowance>), KeyringError> {
        match of {
            What::Key(realm, id) => {
                let record = self.key(caller, &Target { realm: realm.clone(), id: id.clone() }).await?;
                let subject = subject_of(&record);
                let limits = self.limits(caller, &record).await?;
                let mut secrets = record.secrets;
                secrets.sort_by_key(|kept| Reverse(kept.number));
                Ok((subject, secrets, limits))
            }
            What::Owner(realm, id) => {
                let owner = self.owner(caller, &Target { realm: realm.clone(), id: id.clone() }).await?;
                Ok((SubjectName { realm: owner.realm, owner: owner.id, key: None }, Vec::new(), Vec::new()))
            }
        }
    }
}

impl Keyring {
    /// How the limits of a key stand that presents the newest of its secrets. A key that nothing can present has none.
    async fn limits(&self, caller: &Caller, record: &Record) -> Result<Vec<Allowance>, KeyringError> {
        let realm = self.realm(caller, &record.realm)?;
        let owner = self.owner(caller, &Target { realm: record.realm.clone(), id: record.owner.clone() }).await?;
        let Some(newest) = record.secrets.iter().max_by_key(|kept| kept.number) else { return Ok(Vec::new()) };
        let format = realm.formats.iter().find(|format| newest.prefix == *format.prefix).or(realm.formats.first());
        let bearer = Bearer::presenting(&[newest.digest], Holder { record: record.clone(), owner }).map(Arc::new);
        let Some((format, bearer)) = format.zip(bearer.as_ref()) else { return Ok(Vec::new()) };
        let now = self.store.now().await?;
        Ok(standing(&*self.store, &Question { realm, bearer, format, cost: 0, now }).await?.allowances)
    }
}

fn subject_of(record: &Record) -> SubjectName {
    SubjectName { realm: record.realm.clone(), owner: record.owner.clone(), key: Some(record.id.clone()) }
}

impl Span {
    /// What of it is kept.
    fn range(&self, now: StoreTime) -> Result<UsageRange, KeyringError> {
        let Self { granularity, start, end } = *self;
        if start.zip(end).is_some_and(|(start, end)| end < start) {
            return Err(KeyringError::Invalid(vec![Wrong::new("end_time", "must not be before start_time")]));
        }
        let current = granularity.number(now);
        let oldest = current - granularity.most() + 1;
        let first = start.map_or(oldest, |start| granularity.number(start).clamp(oldest, current));
        // the one before the first that begins at the end, or later
        let last = end.map_or(current, |end| granularity.number(StoreTime(end.0 - 1)).clamp(first, current));
        Ok(UsageRange { granularity, first, last })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2027-01-15T08:01:01.5Z.
    const NOW: StoreTime = StoreTime(1_800_000_061_500);

    fn range(granularity: Granularity, start: Option<i64>, end: Option<i64>) -> (i64, i64) {
        let span = Span { granularity, start: start.map(StoreTime), end: end.map(StoreTime) };
        let range = span.range(NOW).unwrap();
        (range.first - granularity.number(NOW), range.last - granularity.number(NOW))
    }

    #[test]
    fn what_is_asked_for_is_cut_to_what_is_kept() {
        use Granularity::{Day, Minute};
        assert_eq!(range(Minute, None, None), (-119, 0));
        assert_eq!(range(Day, None, None), (-365, 0));
        assert_eq!(range(Minute, Some(0), Some(i64::MAX)), (-119, 0));
        assert_eq!(range(Minute, Some(NOW.0 - 60_000), None), (-1, 0));
        assert_eq!(range(Minute, Some(NOW.0 - 180_000), Some(1_800_000_000_000)), (-3, -2), "the minute that begins then is not asked for");
        assert_eq!(range(Minute, None, Some(0)), (-119, -119));
    }

    #[test]
    fn a_range_that_ends_before_it_starts_is_none() {
        let span = Span { granularity: Granularity::Day, start: Some(StoreTime(5)), end: Some(StoreTime(4)) };
        assert!(matches!(span.range(NOW), Err(KeyringError::Invalid(_))));
    }
}
