//! One turn of the writer: a transaction, a moment, and what it changes in memory.

use std::collections::HashSet;
use std::sync::Arc;

use redb::ReadableTable as _;

use super::account::Purses;
use super::accounts::{Accounts, Name};
use super::clock::Moment;
use super::disk::Stop;
use super::tables::Tables;
use super::windows;
use crate::domain::time::BootTime;
use crate::revocation::At;
use crate::store::record::{decode_key, decode_owner};
use crate::store::{Return, StoreError, Subject, SubjectName};

/// What jobs work on. Nothing of it is answered, and no block of it is spent by a caller, before the transaction is durable.
pub(super) struct Turn<'t> {
    pub tables: Tables<'t>,
    /// Read after the last job of the turn had come.
    pub at: Moment,
    pub accounts: &'t Arc<Accounts>,
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
    /// Blocks to publish when the transaction is durable.
    pub blocks: Vec<(SubjectName, u64)>,
    /// Accounts to forget when it fails.
    pub touched: HashSet<Name>,
    /// Purses to tidy, and when.
    pub due: Vec<Due>,
}

/// A purse to tidy.
pub(super) struct Due {
    pub at: BootTime,
    pub event: u64,
    pub whose: SubjectName,
}

impl Turn<'_> {
    /// Takes what is unspent out of a purse, or all purses of an owner, and puts it back into the windows.
    pub(super) fn reclaim(&mut self, name: &Name, which: Purses<'_>) -> Result<(), Stop> {
        let returns = self.accounts.with(name, |account| account.reclaim(which)).unwrap_or_default();
        if !returns.is_empty() {
            self.effects.touched.insert(name.clone());
        }
        self.give_back(&returns)
    }

    /// Puts tokens back that were never spent.
    pub(super) fn give_back(&mut self, returns: &[Return]) -> Result<(), Stop> {
        for same in returns.chunk_by(|a, b| a.subject == b.subject) {
            let Some(first) = same.first() else { continue };
            let mut kept = match windows::load(&self.tables, &first.subject) {
                // they stay counted, and whoever takes from it is told
                Err(Stop::Refused(_)) => continue,
                kept => kept?,
            };
            for back in same {
                kept.windows.give_back(back.length_ms, back.slot, back.tokens);
            }
            self.keep(&first.subject, &kept)?;
        }
        Ok(())
    }

    /// Writes a subject's windows.
    pub(super) fn keep(&mut self, name: &SubjectName, kept: &windows::Kept) -> Result<(), Stop> {
        self.effects.dirty = true;
        self.effects.windows += 1;
        windows::store(&mut self.tables, name, kept)
    }

    /// A subject has newer limits: blocks taken under the older ones end.
    pub(super) fn renew(&mut self, subject: &SubjectName) -> Result<(), Stop> {
        let name = Name::of(subject);
        let which = if subject.key.is_some() { Purses::Of(subject) } else { Purses::All };
        self.reclaim(&name, which)?;
        self.accounts.with(&name, |account| account.end(which));
        Ok(())
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
