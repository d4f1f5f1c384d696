//! Usage, as texts in tables: counts by when their text began, so that what is over is at the front; last uses by whose they are.

use std::collections::BTreeMap;
use std::ops::RangeBounds;

use redb::{ReadTransaction, ReadableTable, Table};

use super::disk::Stop;
use super::tables::{DAYS, LAST_USED, MINUTES, Tables, Timed};
use super::turn::Turn;
use super::windows::Cursor;
use crate::domain::name::{KeyId, OwnerId, RealmId};
use crate::domain::time::StoreTime;
use crate::domain::usage::{Granularity, LastUse, Tally};
use crate::store::usage::{Counts, LAST_KEPT, Minutes, by, by_text, kept, latest, read_last, text_of, write_last};
use crate::store::{SubjectName, Usage, UsagePiece, UsageRange};

/// Adds what was not added before.
pub(super) fn add(turn: &mut Turn<'_>, pieces: &[UsagePiece]) -> Result<(), Stop> {
    pieces.iter().try_for_each(|piece| add_one(turn, piece))
}

fn add_one(turn: &mut Turn<'_>, piece: &UsagePiece) -> Result<(), Stop> {
    let name = timed(text_of(Granularity::Minute, piece.at), &piece.owner);
    let (by, mut owners) = (by(piece), read(&turn.tables.minutes, name)?);
    if owners.added.get(&by).is_some_and(|added| *added >= piece.number) {
        return Ok(());
    }
    turn.effects.dirty = true;
    owners.added.insert(by, piece.number);
    turn.tables.minutes.insert(name, owners.write().as_str())?;
    for counts in &piece.counts {
        let subject = SubjectName { key: counts.key.clone(), ..piece.owner.clone() };
        add_counts(&mut turn.tables.minutes, &subject, Granularity::Minute, &counts.minutes)?;
        add_counts(&mut turn.tables.days, &subject, Granularity::Day, &counts.minutes)?;
        see(&mut turn.tables, &subject, counts)?;
    }
    Ok(())
}

fn add_counts(
    table: &mut Table<'_, Timed, &'static str>,
    of: &SubjectName,
    granularity: Granularity,
    minutes: &[(i64, Tally)],
) -> Result<(), Stop> {
    for (text, places) in by_text(granularity, minutes) {
        let name = timed(text, of);
        let mut kept = read(table, name)?;
        for (place, tally) in places {
            kept.counts.entry(place).or_default().add_all(&tally);
        }
        table.insert(name, kept.write().as_str())?;
    }
    Ok(())
}

fn see(tables: &mut Tables<'_>, of: &SubjectName, counts: &Counts) -> Result<(), Stop> {
    if counts.last.is_empty() {
        return Ok(());
    }
    let name = owned(of);
    let mut all = match tables.last_used.get(name)? {
        Some(text) => read_last(text.value())?,
        None => BTreeMap::new(),
    };
    for (secret, last) in &counts.last {
        all.entry(*secret).and_modify(|known| *known = known.later(*last)).or_insert(*last);
    }
    tables.last_used.insert(name, write_last(&all).as_str())?;
    Ok(())
}

/// Forgets texts that are over, some at a time, and looks at the next last uses of all.
pub(super) fn sweep(tables: &mut Tables<'_>, now: StoreTime, cursor: &mut Cursor, count: usize) -> Result<(), Stop> {
    for (table, granularity) in [(&mut tables.minutes, Granularity::Minute), (&mut tables.days, Granularity::Day)] {
        let over = before(granularity, now);
        table.extract_from_if(over, |_, _| true)?.take(count).collect::<Result<Vec<_>, _>>()?;
    }
    let (mut over, mut last) = (Vec::new(), None);
    {
        let (realm, owner, id) = cursor.as_ref().map_or(("", "", ""), |(realm, owner, id)| (realm, owner, id));
        for entry in tables.last_used.range((realm, owner, id)..)?.take(count) {
            let (name, text) = entry?;
            let (realm, owner, id) = name.value();
            let name = (realm.to_owned(), owner.to_owned(), id.to_owned());
            let used = read_last(text.value()).ok().and_then(|all| latest(all.into_values()));
            if used.is_none_or(|used| used.at.until(now) > LAST_KEPT) {
                over.push(name.clone());
            }
            last = Some(name);
        }
    }
    for (realm, owner, id) in &over {
        tables.last_used.remove((realm.as_str(), owner.as_str(), id.as_str()))?;
    }
    *cursor = if last == *cursor { None } else { last };
    Ok(())
}

pub(super) fn usage(txn: &ReadTransaction, of: &SubjectName, range: &UsageRange) -> Result<Usage, Stop> {
    let table = match range.granularity {
        Granularity::Minute => txn.open_table(MINUTES)?,
        Granularity::Day => txn.open_table(DAYS)?,
    };
    let mut texts = Vec::new();
    for text in range.texts() {
        if let Some(content) = table.get(timed(text, of))? {
            texts.push((text, content.value().to_owned()));
        }
    }
    let series = range.series(texts.iter().map(|(text, content)| (*text, content.as_str())))?;
    let last = match txn.open_table(LAST_USED)?.get(owned(of))? {
        Some(text) => read_last(text.value())?.into_iter().collect(),
        None => Vec::new(),
    };
    Ok(Usage { series, last })
}

pub(super) fn last_used(txn: &ReadTransaction, realm: &RealmId, keys: &[(KeyId, OwnerId)]) -> Result<Vec<Option<LastUse>>, Stop> {
    let table = txn.open_table(LAST_USED)?;
    let last = |(key, owner): &(KeyId, OwnerId)| match table.get((realm.as_str(), owner.as_str(), key.as_str()))? {
        Some(text) => Ok(latest(read_last(text.value())?.into_values())),
        None => Ok(None),
    };
    keys.iter().map(last).collect()
}

/// Every text that ended so long ago that it is kept no more.
fn before(granularity: Granularity, now: StoreTime) -> impl RangeBounds<(i64, &'static str, &'static str, &'static str)> {
    let kept = i64::try_from(kept(granularity).as_millis()).unwrap_or(i64::MAX);
    (i64::MIN, "", "", "")..(text_of(granularity, StoreTime(now.0.saturating_sub(kept))), "", "", "")
}

fn read(table: &impl ReadableTable<Timed, &'static str>, name: (i64, &str, &str, &str)) -> Result<Minutes, Stop> {
    match table.get(name)? {
        Some(text) => Ok(Minutes::read(text.value())?),
        None => Ok(Minutes::default()),
    }
}

fn timed(text: i64, of: &SubjectName) -> (i64, &str, &str, &str) {
    let (realm, owner, key) = owned(of);
    (text, realm, owner, key)
}

fn owned(of: &SubjectName) -> (&str, &str, &str) {
    (of.realm.as_str(), of.owner.as_str(), of.key.as_ref().map_or("", KeyId::as_str))
}
