//! One turn of the writer: a transaction, a moment, and the answers that wait for both.

use redb::ReadableTable;

use super::clock::Moment;
use super::disk::Stop;
use super::tables::{Named, Tables};
use super::take::Past;
use super::windows;
use crate::domain::time::StoreTime;
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
    /// Notes that a ticket is settled, unless it was before.
    pub(super) fn settles(&mut self, settlement: &Settlement) -> Result<bool, Stop> {
        let (minted, id) = (settlement.minted.0, &settlement.ticket.0);
        if self.tables.settled.insert((minted, id), ())?.is_some() {
            return Ok(false);
        }
        self.effects.dirty = true;
        Ok(true)
    }
}

impl Past for Turn<'_> {
    fn now(&self) -> StoreTime {
        self.at.now
    }

    fn load(&self, name: &SubjectName) -> Result<windows::Kept, Stop> {
        windows::load(&self.tables.windows, name)
    }

    fn keep(&mut self, name: &SubjectName, kept: &windows::Kept) -> Result<(), Stop> {
        self.effects.dirty = true;
        self.effects.windows += 1;
        windows::store(&mut self.tables, name, kept)
    }

    fn generation(&self, subject: &Subject) -> Result<u64, Stop> {
        generation(&self.tables.keys, &self.tables.owners, subject)
    }
}

/// The generation of a subject's limits, as its record has it.
pub(super) fn generation(
    keys: &impl ReadableTable<Named, &'static [u8]>,
    owners: &impl ReadableTable<Named, &'static [u8]>,
    subject: &Subject,
) -> Result<u64, Stop> {
    let realm = subject.name.realm.as_str();
    Ok(match &subject.name.key {
        Some(id) => match keys.get((realm, id.as_str()))? {
            Some(bytes) => decode_key(bytes.value())?.generation,
            None => 0,
        },
        None => match owners.get((realm, subject.name.owner.as_str()))? {
            Some(bytes) => decode_owner(bytes.value())?.generation,
            None => 0,
        },
    })
}
