//! The log as it is kept: where a place stands in it, what follows a place, and what was promised on another log than this.

use redb::{ReadTransaction, ReadableTable, ReadableTableMetadata as _};

use super::disk::Stop;
use super::tables::{ABANDONED, LOG, META, ROLLED_BACK, Tables, head};
use super::turn::Turn;
use crate::revocation::{At, Entry, Log, Renewal};
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

/// What follows a place. Of one that is not in the log nobody can say.
pub(super) fn after(txn: &ReadTransaction, place: At) -> Result<Vec<Entry>, Stop> {
    let (log, head) = (txn.open_table(LOG)?, head(&txn.open_table(META)?)?);
    match stands(&log, head, place)? {
        Stands::Here => entries(&log, place.position),
        Stands::Gone | Stands::Elsewhere => Ok(Vec::new()),
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
