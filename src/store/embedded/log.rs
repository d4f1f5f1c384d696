//! The log as it is kept: where a place stands in it, what follows a place, and what was promised on another log than this.

use redb::{ReadTransaction, ReadableTable, ReadableTableMetadata as _};

use super::disk::Stop;
use super::tables::{ABANDONED, LOG, META, ROLLED_BACK, Tables, head};
use super::turn::Turn;
use crate::revocation::{At, Entry, Log, Pushed, Renewal};
use crate::store::entry::decode_entry;

/// How many entries the log keeps.
pub(super) const KEPT: u64 = 65_536;
/// How many entries one answer brings.
const MOST: usize = 1024;

/// Where a place stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stands {
    Here,
    /// It is trimmed away, so nobody can tell.
    Gone,
    /// It is of another log.
    Elsewhere,
}

/// What a renewal finds.
pub(super) struct Found {
    pub log: Log,
    pub head: At,
    /// Of this log.
    pub applied: Option<u64>,
    /// The place known to be secured is of another log, and this is news.
    pub missed: Option<At>,
}

/// What a renewal brings.
pub(super) fn renewed(txn: &ReadTransaction, renewal: &Renewal) -> Result<Found, Stop> {
    let (log, head) = (txn.open_table(LOG)?, head(&txn.open_table(META)?)?);
    let place = renewal.applied.map_or(Ok(Stands::Gone), |place| stands(&log, head, place))?;
    let applied = renewal.applied.filter(|_| place == Stands::Here).map(|place| place.position);
    let elsewhere = stands(&log, head, renewal.secured)? == Stands::Elsewhere;
    let secured = renewal.secured;
    let missed = elsewhere && txn.open_table(ABANDONED)?.get((secured.position, secured.mark.0))?.is_none();
    let log = if missed || !txn.open_table(ROLLED_BACK)?.is_empty()? {
        Log::RolledBack { head }
    } else {
        match (place, applied) {
            (Stands::Elsewhere, _) => Log::Lost { head },
            (_, Some(applied)) => Log::Entries { entries: entries(&log, applied)?, head },
            _ => Log::Jump { head },
        }
    };
    Ok(Found { log, head, applied, missed: missed.then_some(secured) })
}

/// What follows a place. Of one that is not in the log nobody can say. A transaction reads nothing that is not on the disk.
pub(super) fn after(txn: &ReadTransaction, place: At) -> Result<Pushed, Stop> {
    let (log, head) = (txn.open_table(LOG)?, head(&txn.open_table(META)?)?);
    match stands(&log, head, place)? {
        Stands::Here => Ok(Pushed { entries: entries(&log, place.position)?, secured: head }),
        Stands::Gone | Stands::Elsewhere => Ok(Pushed::default()),
    }
}

/// Where a place stands.
pub(super) fn place(txn: &ReadTransaction, place: At) -> Result<Stands, Stop> {
    stands(&txn.open_table(LOG)?, head(&txn.open_table(META)?)?, place)
}

/// Keeps for everyone that a place was promised to somebody and is not in this log.
pub(super) fn miss(turn: &mut Turn<'_>, place: At) -> Result<(), Stop> {
    let name = (place.position, place.mark.0);
    if turn.tables.abandoned.get(name)?.is_none() {
        turn.tables.rolled_back.insert(name, ())?;
        turn.effects.dirty = true;
    }
    Ok(())
}

/// Goes on with the log as it is: what was found missing is known to be abandoned from now on, so that who slept through it stops nobody
/// any more. Tells how many there were.
pub(super) fn abandon(turn: &mut Turn<'_>) -> Result<usize, Stop> {
    let mut count = 0;
    while let Some(name) = turn.tables.rolled_back.pop_first()?.map(|(name, _)| name.value()) {
        turn.tables.abandoned.insert(name, ())?;
        turn.effects.dirty = true;
        count += 1;
    }
    Ok(count)
}

/// Drops some of the oldest entries, where there are more than are kept.
pub(super) fn trim(tables: &mut Tables<'_>, kept: u64, most: usize) -> Result<(), Stop> {
    let over = usize::try_from(tables.log.len()?.saturating_sub(kept)).unwrap_or(most);
    for _ in 0..over.min(most) {
        tables.log.pop_first()?;
    }
    Ok(())
}

fn stands(log: &impl ReadableTable<u64, &'static [u8]>, head: At, place: At) -> Result<Stands, Stop> {
    if place == head {
        return Ok(Stands::Here);
    }
    if place.position >= head.position {
        return Ok(Stands::Elsewhere);
    }
    if place == At::default() {
        let whole = log.first()?.is_some_and(|(position, _)| position.value() == 1);
        return Ok(if whole { Stands::Here } else { Stands::Gone });
    }
    let Some(bytes) = log.get(place.position)? else { return Ok(Stands::Gone) };
    Ok(if decode_entry(bytes.value())?.at == place { Stands::Here } else { Stands::Elsewhere })
}

fn entries(log: &impl ReadableTable<u64, &'static [u8]>, after: u64) -> Result<Vec<Entry>, Stop> {
    log.range(after + 1..)?.take(MOST).map(|entry| Ok(decode_entry(entry?.1.value())?)).collect()
}

#[cfg(test)]
mod tests {
    use redb::backends::InMemoryBackend;
    use redb::{Database, ReadableDatabase as _};

    use super::super::tables;
    use super::*;
    use crate::domain::name::{OwnerId, RealmId};
    use crate::revocation::{Mark, Touched};
    use crate::store::entry::encode_entry;

    fn database() -> Database {
        let database = Database::builder().create_with_backend(InMemoryBackend::new()).unwrap();
        tables::prepare(&database).unwrap();
        database
    }

    fn at(position: u64) -> At {
        At { position, mark: Mark(position + 100) }
    }

    /// Appends up to this position, each entry in a commit of its own that keeps five and drops at most two.
    fn append(database: &Database, last: u64) {
        for position in 1..=last {
            let txn = tables::begin(database).unwrap();
            let mut tables = Tables::open(&txn).unwrap();
            let touched = Touched::Owner { realm: RealmId::parse("r").unwrap(), id: OwnerId::parse("o").unwrap() };
            let entry = Entry { at: at(position), touched, restricting: false };
            tables.log.insert(position, encode_entry(&entry).as_slice()).unwrap();
            tables.set_head(at(position)).unwrap();
            trim(&mut tables, if position < 9 { 100 } else { 5 }, 2).unwrap();
            drop(tables);
            txn.commit().unwrap();
        }
    }

    fn kept(database: &Database) -> Vec<u64> {
        let log = database.begin_read().unwrap().open_table(LOG).unwrap();
        log.iter().unwrap().map(|entry| entry.unwrap().0.value()).collect()
    }

    #[test]
    fn more_than_is_kept_is_trimmed_in_small_steps_from_the_oldest_on() {
        for (last, first) in [(8, 1), (9, 3), (10, 5), (11, 7), (12, 8), (20, 16)] {
            let database = database();
            append(&database, last);
            assert_eq!(kept(&database), (first..=last).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_place_is_here_or_elsewhere_or_it_was_trimmed_away_and_nobody_can_tell() {
        let database = database();
        let stands = |database: &Database, at| place(&database.begin_read().unwrap(), at).unwrap();
        assert_eq!(stands(&database, At::default()), Stands::Here);
        assert_eq!(stands(&database, at(1)), Stands::Elsewhere);
        append(&database, 8);
        for here in [At::default(), at(1), at(8)] {
            assert_eq!(stands(&database, here), Stands::Here, "{here}");
        }
        append(&database, 20);
        assert_eq!([At::default(), at(1), at(15)].map(|place| stands(&database, place)), [Stands::Gone; 3]);
        assert_eq!([at(16), at(20)].map(|place| stands(&database, place)), [Stands::Here; 2]);
        let other = [at(21), At { mark: Mark(1), ..at(16) }, At { mark: Mark(1), ..at(20) }, At { mark: Mark(1), position: 0 }];
        assert_eq!(other.map(|place| stands(&database, place)), [Stands::Elsewhere, Stands::Elsewhere, Stands::Elsewhere, Stands::Gone]);
    }
}
