//! How a request ended at the upstream, and whether a limit counts it.

/// What became of a request that was admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The upstream answered, or Envoy for it: the status.
    Status(u16),
    /// The upstream could not be reached, or broke off before it had answered.
    Reset,
    /// The upstream did not answer in time.
    Timeout,
    /// The client went away before there was an answer.
    Disconnect,
}

/// Which outcomes a limit counts.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum Counts {
    #[default]
    All,
    Only(Outcomes),
    Except(Outcomes),
}

/// A set of outcomes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Outcomes {
    /// Bits by [`Kind`].
    kinds: u8,
    /// Single status codes beside them, in their order.
    codes: Vec<u16>,
}

/// A sort of outcomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Statuses of a class: 1 to 5.
    Class(u8),
    Reset,
    Timeout,
    Disconnect,
}

impl Counts {
    #[must_use]
    pub fn counts(&self, outcome: Outcome) -> bool {
        match self {
            Self::All => true,
            Self::Only(outcomes) => outcomes.has(outcome),
            Self::Except(outcomes) => !outcomes.has(outcome),
        }
    }
}

impl Outcomes {
    /// Made of sorts and of single status codes.
    #[must_use]
    pub fn new(kinds: &[Kind], mut codes: Vec<u16>) -> Self {
        codes.sort_unstable();
        codes.dedup();
        Self { kinds: kinds.iter().fold(0, |bits, kind| bits | kind.bit()), codes }
    }

    /// As they are written into tickets: the sorts' bits and the codes.
    #[must_use]
    pub fn parts(&self) -> (u8, &[u16]) {
        (self.kinds, &self.codes)
    }

    /// From what [`parts`](Self::parts) gave.
    #[must_use]
    pub fn from_parts(kinds: u8, codes: Vec<u16>) -> Self {
        Self { kinds, ..Self::new(&[], codes) }
    }

    #[must_use]
    pub fn has(&self, outcome: Outcome) -> bool {
        let kind = match outcome {
            Outcome::Status(code) if self.codes.binary_search(&code).is_ok() => return true,
            Outcome::Status(code) => Kind::Class(u8::try_from(code / 100).unwrap_or(0)),
            Outcome::Reset => Kind::Reset,
            Outcome::Timeout => Kind::Timeout,
            Outcome::Disconnect => Kind::Disconnect,
        };
        self.kinds & kind.bit() != 0
    }
}

impl Kind {
    fn bit(self) -> u8 {
        match self {
            Self::Class(class @ 1..=5) => 1 << (class - 1),
            Self::Class(_) => 0,
            Self::Reset => 1 << 5,
            Self::Timeout => 1 << 6,
            Self::Disconnect => 1 << 7,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_counts_classes_codes_and_ways_to_end_without_a_status() {
        let only = Counts::Only(Outcomes::new(&[Kind::Class(2), Kind::Disconnect], vec![404]));
        for (outcome, counts) in [
            (Outcome::Status(200), true),
            (Outcome::Status(404), true),
            (Outcome::Status(403), false),
            (Outcome::Status(500), false),
            (Outcome::Disconnect, true),
            (Outcome::Timeout, false),
            (Outcome::Status(0), false),
            (Outcome::Status(700), false),
        ] {
            assert_eq!(only.counts(outcome), counts, "{outcome:?}");
        }
        let except = Counts::Except(Outcomes::new(&[Kind::Reset], vec![500, 401, 401]));
        assert!(!except.counts(Outcome::Status(500)) && !except.counts(Outcome::Status(401)) && !except.counts(Outcome::Reset));
        assert!(except.counts(Outcome::Status(502)) && except.counts(Outcome::Timeout) && Counts::All.counts(Outcome::Reset));
    }
}
