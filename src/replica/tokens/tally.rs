//! What became of the checks that were to be charged.

use crate::replica::tally::Count;

/// Each check is counted once, those that found nothing to be charged by apart.
#[derive(Debug, Default)]
pub struct Tally {
    /// It spent what was held.
    pub held: Count,
    /// It waited for a call.
    pub waited: Count,
    /// It was refused by what was known.
    pub refused: Count,
    /// Of those that waited: their grant came too late.
    pub late: Count,
    /// Of those that waited: it was for their turn, while the store answered others.
    pub overloaded: Count,
    /// Tokens that were given back, their grants come too late, their time over, or their terms changed.
    pub returned: Count,
}

impl Tally {
    /// Where the tokens of a check came from, by the name that metrics have for it.
    #[must_use]
    pub fn named(&self) -> [(&'static str, u64); 3] {
        [("held", self.held.get()), ("called_for", self.waited.get()), ("refused", self.refused.get())]
    }
}
