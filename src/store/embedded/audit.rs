//! The audit log as it is kept: entries by their numbers, each made to follow the last.

use redb::{ReadTransaction, ReadableTable};

use super::disk::Stop;
use super::tables::AUDIT;
use super::turn::Turn;
use crate::domain::audit::{Head, Sealed};
use crate::store::AuditNote;
use crate::store::audit::{self, End, Told, decode};

/// How many entries one turn drops.
const DROPPED: usize = 10_000;

/// Appends an entry within the turn's transaction.
pub(super) fn append(turn: &mut Turn<'_>, note: &AuditNote, told: Told<'_>) -> Result<Head, Stop> {
    let appended = audit::append(note, last(&turn.tables.audit)?, turn.at.now, told);
    turn.tables.audit.insert(appended.end.head.sequence, appended.bytes.as_slice())?;
    turn.effects.dirty = true;
    Ok(appended.end.head)
}

/// Drops entries up to a number, and says so in the log. The last one stays: the next must follow it.
pub(super) fn drop(turn: &mut Turn<'_>, through: u64, note: &AuditNote) -> Result<(), Stop> {
    let first = turn.tables.audit.first()?.map_or(1, |(number, _)| number.value());
    let through = through.min(first.saturating_add(DROPPED as u64 - 1));
    let Some(dropped) = turn.tables.audit.range(..=through)?.next_back().transpose()?.map(|(_, bytes)| end(bytes.value())).transpose()?
    else {
        return Ok(());
    };
    let dropped = dropped.head;
    append(turn, note, Told { dropped: Some(dropped), ..Told::default() })?;
    turn.tables.audit.retain_in(..=dropped.sequence, |_, _| false)?;
    Ok(())
}

/// Entries above a number.
pub(super) fn entries(txn: &ReadTransaction, after: u64, count: usize) -> Result<Vec<Sealed>, Stop> {
    let table = txn.open_table(AUDIT)?;
    table.range(after.saturating_add(1)..)?.take(count).map(|entry| Ok(decode(entry?.1.value())?)).collect()
}

/// Where it ends.
pub(super) fn ends(txn: &ReadTransaction) -> Result<Head, Stop> {
    Ok(last(&txn.open_table(AUDIT)?)?.head)
}

/// What stands beside the last entry is what the log ends with: it is kept nowhere else.
fn last(table: &impl ReadableTable<u64, &'static [u8]>) -> Result<End, Stop> {
    table.last()?.map_or(Ok(End::default()), |(_, bytes)| end(bytes.value()))
}

fn end(bytes: &[u8]) -> Result<End, Stop> {
    Ok(End::of(&decode(bytes)?)?)
}
