//! One turn of the writer: a transaction, a moment, and the answers that wait for both.

use redb::ReadableTable as _;

use super::clock::Moment;
use super::disk::Stop;
use super::tables::Tables;
use super::windows;
use crate::revocation::At;
use crate::store::record::{decode_key, decode_owner};
use crate::store::{Settlement, StoreError, Subject, SubjectName};

/// What jobs work on. Nothing of it is answered before the transaction is durable.
pub(super) struct Turn<'t> {
    pub tables: Tables<'t>,
    /// Read after the last job of the turn had come.
    pub at: Moment,
    pub effects: &'t mut Effects,
}

/// An answer that waits for the transaction's fate.
pub(super) type Waiting = Box<dyn FnOnce(Result<(), StoreError>)>;

/// What a turn does beyond its tables.
#[derive(Default)]
pub(super) struct Effects {
    /// Whether there is anything to write.
    pub dirty: bool,
    /// How many windows were written.
    pub windows: usize,
    pub waiting: Vec<Waiting>,
    /// The log's last entry, where there are new ones.
    pub head: Option<At>,
}

impl Turn<'_> {
    /// Writes a subject's windows.
    pub(super) fn keep(&mut self, name: &SubjectName, kept: &windows::Kept) -> Result<(), Stop> {
        self.effects.dirty = true;
        self.effects.windows += 1;
        windows::store(&mut self.tables, name, kept)
    }

    /// Notes that a ticket is settled, unless it was before.
    pub(super) fn settles(&mut self, settlement: &Settlement) -> Result<bool, Stop> {
        let (minted, id) = (settlement.minted.0, &settlement.ticket.0);
        if self.tables.settled.insert((minted, id), ())?.is_some() {
            return Ok(false);
        }
        self.effects.dirty = true;
        Ok(true)
    }

    /// The generation of a subject's limits, as its record has it.
    pub(super) fn generation(&self, subject: &Subject) -> Result<u64, Stop> {
        let realm = subject.name.realm.as_str();
        Ok(match &subject.name.key {
            Some(id) => match self.tables.keys.get((realm, id.as_str()))? {
                Some(bytes) => decode_key(bytes.value())?.generation,
                None => 0,
            },
            None => match self.tables.owners.get((realm, subject.name.owner.as_str()))? {
                Some(bytes) => decode_owner(bytes.value())?.generation,
                None => 0,
            },
        })
    }
}
