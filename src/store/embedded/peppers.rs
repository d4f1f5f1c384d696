//! Peppers: their check values, which one is in use, which are withdrawn.

use redb::{ReadTransaction, ReadableTable, ReadableTableMetadata as _};

use super::audit;
use super::disk::Stop;
use super::tables::{PEPPER_USES, PEPPERS};
use super::turn::Turn;
use crate::domain::name::Word;
use crate::domain::time::StoreTime;
use crate::store::audit::Told;
use crate::store::pepper::{Knows, PepperClaim, PepperUse, newest};
use crate::store::{AuditNote, StoreError};

/// Keeps the check values where no other is kept, and compares those that are.
pub(super) fn claim(turn: &mut Turn<'_>, claims: &[PepperClaim]) -> Result<(), Stop> {
    let mut known = 0;
    for claim in claims {
        match turn.tables.peppers.get(claim.version.as_str())?.map(|kept| *kept.value() == claim.check_value) {
            Some(true) => known += 1,
            Some(false) => return Err(StoreError::OtherPepper(claim.version.clone()).into()),
            None => {}
        }
    }
    let others = turn.tables.peppers.len()? > 0;
    if let Some(first) = claims.first().filter(|_| known == 0 && others) {
        return Err(StoreError::OtherPepper(first.version.clone()).into());
    }
    if known == claims.len() {
        return Ok(());
    }
    for claim in claims {
        turn.tables.peppers.insert(claim.version.as_str(), &claim.check_value)?;
    }
    turn.effects.dirty = true;
    Ok(())
}

/// Which one new digests are to be under: that which came last, or the replica's first where that was never in use and everyone has it. Where none
/// is in use, it is the replica's last, which whoever was here before may have.
pub(super) fn agree(turn: &mut Turn<'_>, knows: &Knows, everyones: &[Word]) -> Result<Word, Stop> {
    let uses = read(&turn.tables.peppers, &turn.tables.pepper_uses)?;
    let lacks = uses.iter().find(|one| one.is_live() && !knows.versions.contains(&one.version));
    if let Some(missing) = lacks {
        return Err(StoreError::PepperMissing(missing.version.clone()).into());
    }
    let find = |version: &Word| uses.iter().find(|one| one.version == *version);
    let fit: Vec<&Word> = knows.versions.iter().filter(|version| find(version).is_none_or(|one| one.withdrawn.is_none())).collect();
    let [first, ..] = fit[..] else {
        let first = knows.versions.first().cloned();
        return Err(first.map_or_else(|| StoreError::Corrupt("no pepper is claimed".into()), StoreError::PepperWithdrawn).into());
    };
    let (newest, is_everyones) = (newest(&uses), everyones.contains(first));
    let next = match newest {
        Some(newest) if !is_everyones || find(first).is_some_and(PepperUse::is_live) => return Ok(newest.version.clone()),
        None if !is_everyones => fit[fit.len() - 1],
        _ => first,
    };
    let since = newest.and_then(|newest| newest.used).map_or(turn.at.now.0, |used| turn.at.now.0.max(used.0 + 1));
    turn.tables.pepper_uses.insert(next.as_str(), (since, 0))?;
    turn.effects.dirty = true;
    Ok(next.clone())
}

/// Marks one as withdrawn, unless it is.
pub(super) fn withdraw(turn: &mut Turn<'_>, version: &Word, note: &AuditNote) -> Result<(), Stop> {
    let uses = read(&turn.tables.peppers, &turn.tables.pepper_uses)?;
    if newest(&uses).is_some_and(|newest| newest.version == *version) {
        return Err(StoreError::PepperInUse(version.clone()).into());
    }
    let known = uses.iter().find(|one| one.version == *version).ok_or_else(|| StoreError::NoPepper(version.clone()))?;
    if known.withdrawn.is_some() {
        return Ok(());
    }
    turn.tables.pepper_uses.insert(version.as_str(), (known.used.map_or(0, |used| used.0), turn.at.now.0))?;
    audit::append(turn, note, Told::default()).map(drop)
}

/// Whether nothing may be under it any more.
pub(super) fn is_withdrawn(turn: &Turn<'_>, version: &Word) -> Result<bool, Stop> {
    Ok(turn.tables.pepper_uses.get(version.as_str())?.is_some_and(|at| at.value().1 != 0))
}

/// Every one that was ever claimed.
pub(super) fn all(txn: &ReadTransaction) -> Result<Vec<PepperUse>, Stop> {
    read(&txn.open_table(PEPPERS)?, &txn.open_table(PEPPER_USES)?)
}

fn read(
    claimed: &impl ReadableTable<&'static str, &'static [u8; 32]>,
    uses: &impl ReadableTable<&'static str, (i64, i64)>,
) -> Result<Vec<PepperUse>, Stop> {
    let mut all = Vec::new();
    for entry in claimed.iter()? {
        let version = entry?.0.value().to_owned();
        let (since, withdrawn) = uses.get(version.as_str())?.map_or((0, 0), |at| at.value());
        let time = |ms| Some(StoreTime(ms)).filter(|at| at.0 > 0);
        let version = Word::parse(&version).map_err(|error| StoreError::Corrupt(format!("a pepper's version: {error}")))?;
        all.push(PepperUse { version, used: time(since), withdrawn: time(withdrawn) });
    }
    Ok(all)
}
