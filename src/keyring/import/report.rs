//! What became of the rows of an import.

use super::Wrong;

/// So many refused rows are told one by one.
const TOLD: usize = 1_000;

/// What became of them. `rows` is the sum of the four numbers after it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ImportReport {
    pub rows: u64,
    pub created: u64,
    /// Their key was there with the same content.
    pub unchanged: u64,
    pub refused: u64,
    /// Owners that were made for them.
    pub owners: u64,
    /// The number of the last row of which all that was to be done is durable; 0: there is none, or nothing was to be written.
    pub durable_row: u64,
    /// The first of the refused rows.
    pub told: Vec<RefusedRow>,
}

/// A row that was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedRow {
    pub number: u64,
    pub wrong: Vec<Wrong>,
}

impl ImportReport {
    pub(super) fn refuse(&mut self, number: u64, wrong: Vec<Wrong>) {
        self.refused += 1;
        if self.told.len() < TOLD {
            self.told.push(RefusedRow { number, wrong });
        }
    }

    /// Adds what became of later rows.
    pub(super) fn add(&mut self, later: Self) {
        self.rows += later.rows;
        self.created += later.created;
        self.unchanged += later.unchanged;
        self.refused += later.refused;
        self.owners += later.owners;
        self.durable_row = self.durable_row.max(later.durable_row);
        let room = TOLD.saturating_sub(self.told.len());
        self.told.extend(later.told.into_iter().take(room));
    }
}
