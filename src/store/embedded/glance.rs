//! What a take would answer: the same rule over what a read transaction sees, and nothing of it is written.

use std::collections::HashMap;

use redb::ReadTransaction;

use super::clock::StoreClock;
use super::disk::Stop;
use super::tables::{KEYS, OWNERS, WINDOWS};
use super::take::{Past, take_one, unless_refused};
use super::turn;
use super::windows::{self, Kept};
use crate::domain::time::StoreTime;
use crate::store::{Charge, Subject, SubjectName, Taken};

/// One charge's look at the past. What it leaves there, it alone finds.
struct Glance<'t> {
    txn: &'t ReadTransaction,
    now: StoreTime,
    left: HashMap<SubjectName, Kept>,
}

/// Answers each charge by itself.
pub(super) fn peek(txn: &ReadTransaction, charges: &[Charge], clock: &StoreClock) -> Result<Vec<Taken>, Stop> {
    let glance = || Glance { txn, now: clock.now(), left: HashMap::new() };
    charges.iter().map(|charge| unless_refused(take_one(&mut glance(), charge), Taken::Failed)).collect()
}

impl Past for Glance<'_> {
    fn now(&self) -> StoreTime {
        self.now
    }

    fn load(&self, name: &SubjectName) -> Result<Kept, Stop> {
        match self.left.get(name) {
            Some(kept) => Ok(kept.clone()),
            None => windows::load(&self.txn.open_table(WINDOWS)?, name),
        }
    }

    fn keep(&mut self, name: &SubjectName, kept: &Kept) -> Result<(), Stop> {
        self.left.insert(name.clone(), kept.clone());
        Ok(())
    }

    fn generation(&self, subject: &Subject) -> Result<u64, Stop> {
        turn::generation(&self.txn.open_table(KEYS)?, &self.txn.open_table(OWNERS)?, subject)
    }
}
