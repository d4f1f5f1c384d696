//! Keys are imported: rows come one after another, and go into the store some hundreds at a time, each time in one commit with one entry in the audit
//! log, if whoever imports them still may. While one lot is written the next is checked. Whoever begins again with the same rows changes nothing.

mod lot;
mod report;
mod row;

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use self::lot::{Look, Lot, Outcome, Place};
pub use self::report::{ImportReport, RefusedRow};
pub use self::row::{Credential, Row};
use super::{Called, Keyring, KeyringError, Wrong};
use crate::domain::name::{OwnerId, RealmId, admin_realm};
use crate::domain::time::{BootTime, StoreTime};
use crate::revocation::Standing;

/// How keys are to be imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportTerms {
    pub realm: RealmId,
    pub on_conflict: OnConflict,
    pub owners: MissingOwners,
    pub mode: Mode,
}

/// What becomes of a row whose key is there with another content, or whose secret another key has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnConflict {
    /// It is refused, and those after it are taken.
    #[default]
    Skip,
    /// The import ends before it.
    Fail,
}

/// What becomes of a row whose owner is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MissingOwners {
    #[default]
    Refused,
    Made,
}

/// Whether anything is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    #[default]
    Real,
    Dry,
}

/// So many rows go into one commit: more would hold up whoever else asks the store for longer.
const LOT: usize = 500;

/// So many owners are known at once. Those of others are looked for again; and those that a dry run would make are counted again, for nobody else
/// knows of them.
fn known(mode: Mode) -> usize {
    if mode == Mode::Dry { 1_000_000 } else { 100_000 }
}

/// So many lots are under way at once: one is written, one waits behind it in the store, the others are made ready.
const UNDER_WAY: usize = 4;

/// An import that goes on.
#[derive(Debug)]
pub struct Import {
    keyring: Arc<Keyring>,
    course: Arc<Course>,
    begun: BootTime,
    /// Checked, and not written yet.
    lot: Lot,
    /// Being written, one after another: while one is, the next is looked at.
    writing: VecDeque<JoinHandle<Result<Outcome, KeyringError>>>,
    /// Whether keys of the next lot are to be expected.
    look: Look,
    /// Behind the last of them.
    place: Place,
    /// That are there, or will be when the lots under way are written.
    owners: HashSet<OwnerId>,
    report: ImportReport,
    /// What the last of its commits stands on.
    standing: Option<Standing>,
}

/// What all lots of an import have in common.
#[derive(Debug)]
struct Course {
    called: Called,
    terms: ImportTerms,
    /// When it began.
    now: StoreTime,
}

impl Keyring {
    /// Begins an import. Nobody who is bound to one owner imports, and admin tokens are not imported at all.
    pub async fn import(self: &Arc<Self>, called: Called, terms: ImportTerms) -> Result<Import, KeyringError> {
        self.realm_to_change(&called.caller, &terms.realm)?;
        called.caller.is_for_more_than_its_owner("importing keys")?;
        if terms.realm == admin_realm() {
            return Err(KeyringError::Invalid(vec![Wrong::new(
                "parent",
                "must not be the realm keyward: admin tokens are made here, and nowhere else",
            )]));
        }
        let look = if terms.mode == Mode::Dry { Look::First } else { Look::IfRefused };
        let course = Course { called, terms, now: self.store.now().await? };
        Ok(Import {
            keyring: self.clone(),
            course: Arc::new(course),
            begun: self.guard.clock.boot(),
            lot: Lot::default(),
            writing: VecDeque::new(),
            place: Place::default(),
            owners: HashSet::new(),
            look,
            report: ImportReport::default(),
            standing: None,
        })
    }
}

impl Import {
    /// Takes a row, or what is wrong with it. Its number is for the report.
    pub async fn take(&mut self, number: u64, row: Result<Row, Vec<Wrong>>) -> Result<(), KeyringError> {
        self.report.rows += 1;
        let checked = row.and_then(|row| self.keyring.candidate(&self.course.terms.realm, row, self.course.now));
        match checked {
            Ok(candidate) => self.lot.add(number, candidate),
            Err(wrong) => self.lot.refuse(number, wrong),
        }
        if self.lot.rows() >= LOT { self.write().await } else { Ok(()) }
    }

    /// Writes what is left, and ends when no replica takes any of the keys for unknown.
    pub async fn finish(mut self) -> Result<ImportReport, KeyringError> {
        self.write().await?;
        while !self.writing.is_empty() {
            self.written().await?;
        }
        if let Some(standing) = &self.standing {
            self.keyring.settled(standing, self.begun).await;
        }
        Ok(self.report)
    }

    /// Ends here, for a reason that lies behind all rows so far: what is under way is written, and what was only checked is not.
    pub async fn cut(self, why: KeyringError) -> KeyringError {
        self.end().await.map_or_else(|earlier| earlier, |durable| cut(durable, why))
    }

    /// Ends here, and tells up to which row everything is written; an error: a row so far has ended it already.
    pub async fn end(mut self) -> Result<u64, KeyringError> {
        while !self.writing.is_empty() {
            self.written().await?;
        }
        Ok(self.report.durable_row)
    }

    /// Has a lot written, when those before it are. One that comes after another that was not is not written either.
    async fn write(&mut self) -> Result<(), KeyringError> {
        if self.writing.len() >= UNDER_WAY {
            self.written().await?;
        }
        let lot = std::mem::take(&mut self.lot);
        if lot.rows() > 0 {
            let (keyring, course) = (self.keyring.clone(), self.course.clone());
            // here, one after another: each knows which owners those before it make
            let draft = keyring.draft(&course, (&lot, self.look), &mut self.owners).await;
            if self.owners.len() > known(self.course.terms.mode) {
                self.owners.clear();
            }
            let (is_written, before) = oneshot::channel();
            let behind = Place { before: Some(before), line: self.place.line.behind() };
            let place = std::mem::replace(&mut self.place, behind);
            self.writing.push_back(tokio::spawn(async move {
                let outcome = keyring.write_lot(&course, (&lot, draft?), place).await?;
                if outcome.ended.is_none() {
                    let _ = is_written.send(());
                }
                Ok(outcome)
            }));
        }
        Ok(())
    }

    /// Waits for the first lot that is being written. What it says of where an error came is what is durable.
    async fn written(&mut self) -> Result<(), KeyringError> {
        let Some(writing) = self.writing.pop_front() else { return Ok(()) };
        let outcome = writing.await.unwrap_or(Err(KeyringError::Busy));
        let durable = self.report.durable_row;
        let Outcome { report, standing, ended } = outcome.map_err(|why| cut(durable, why))?;
        if self.course.terms.mode == Mode::Real {
            self.look = if report.created == 0 || report.unchanged > 0 { Look::First } else { Look::IfRefused };
        }
        self.report.add(report);
        self.standing = standing.or(self.standing.take());
        ended.map_or(Ok(()), |why| Err(cut(self.report.durable_row, why)))
    }
}

fn cut(durable_row: u64, why: KeyringError) -> KeyringError {
    KeyringError::ImportCut { durable_row, why: Box::new(why) }
}
