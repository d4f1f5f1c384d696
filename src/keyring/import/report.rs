//! What became of the rows of an import.

use super::Wrong;

/// So many refused rows are told one by one.
const TOLD: usize = 1_000;
/// So many bytes of what is wrong with them, as well: an answer has room for no more than 4 MiB.
const TOLD_BYTES: usize = 1 << 20;

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
    /// What is wrong with them, in bytes.
    told_bytes: usize,
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
        self.tell(RefusedRow { number, wrong });
    }

    /// As far as there is room.
    fn tell(&mut self, row: RefusedRow) {
        let size: usize = row.wrong.iter().map(|wrong| wrong.field.len() + wrong.says.len()).sum();
        if self.told.len() < TOLD && size <= TOLD_BYTES.saturating_sub(self.told_bytes) {
            self.told_bytes += size;
            self.told.push(row);
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
        later.told.into_iter().for_each(|row| self.tell(row));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_rows_are_told_as_far_as_an_answer_has_room() {
        let told = |count: u64, length: usize| {
            let (mut report, mut lot) = (ImportReport::default(), ImportReport::default());
            (0..count).for_each(|number| lot.refuse(number, vec![Wrong::new("scopes", "x".repeat(length))]));
            report.add(lot);
            (report.refused, report.told.len())
        };
        assert_eq!(told(3, 10), (3, 3));
        assert_eq!(told(2_000, 10), (2_000, TOLD));
        assert_eq!(told(900, 4_090), (900, TOLD_BYTES / 4_096));
    }
}
