//! What the withdrawal of a pepper takes away: secrets, and with them keys that stop working at once, or when the graces of their other
//! secrets are over.

use super::guarantee::Guarantee;
use super::kept::Kept as _;
use super::{KeyringError, Target, rotate};
use crate::domain::name::Word;
use crate::domain::record::{KeptSecret, Record};
use crate::domain::time::StoreTime;

/// So many keys that stop working are named.
const NAMED: usize = 100;

/// Whether a withdrawal may stop keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopping {
    Refused,
    Accepted,
}

/// What a withdrawal has removed, or would.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Withdrawn {
    pub secrets: u64,
    /// Keys that have no other secret, or none that stays.
    pub stopped: u64,
    /// The first of them.
    pub names: Vec<String>,
    /// Where it stands in the log, and why it holds; `None`: it was not done.
    pub held: Option<(u64, Guarantee)>,
}

impl Withdrawn {
    /// One key that had secrets under the pepper.
    pub(super) fn take(&mut self, record: &Record, version: &Word, now: StoreTime) {
        self.secrets += record.secrets.iter().filter(|kept| kept.pepper == *version).count() as u64;
        if stops(record, version, now) {
            self.stopped += 1;
            if self.names.len() < NAMED {
                self.names.push(Record::name(&Target { realm: record.realm.clone(), id: record.id.clone() }));
            }
        }
    }

    /// Whether it may be done, as far as is known.
    pub(super) fn allowed(&self, version: &Word, stopping: Stopping) -> Result<(), KeyringError> {
        match (stopping, self.names.first()) {
            (Stopping::Refused, Some(first)) => {
                Err(KeyringError::PepperHoldsKeys { version: version.clone(), keys: self.stopped, first: first.clone() })
            }
            _ => Ok(()),
        }
    }
}

/// Whether a key that works stops for it. Those who present a secret whose grace runs are to have changed to the newest when it is over, or to
/// one without an end at least: where that goes, the key does not outlive the grace.
fn stops(record: &Record, version: &Word, now: StoreTime) -> bool {
    let (under, others): (Vec<&KeptSecret>, Vec<&KeptSecret>) = record.secrets.iter().partition(|kept| kept.pepper == *version);
    let newest = rotate::newest(record);
    let is_newest = |kept: &&KeptSecret| Some(kept.number) == newest;
    let stays = |kept: &&KeptSecret| kept.ends.is_none();
    under.iter().any(|kept| opens(record, kept, now)) && (under.iter().any(is_newest) || !others.iter().any(stays))
}

/// Whether the secret opens its key now.
pub(super) fn opens(record: &Record, kept: &KeptSecret, now: StoreTime) -> bool {
    record.revoked.is_none() && record.expires.into_iter().chain(kept.ends).all(|end| end > now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::life::tests::key;

    /// A key that has secrets under these peppers, the oldest first, each with its end.
    fn of(secrets: &[(&str, Option<i64>)]) -> Record {
        let record = key(None, None);
        let one = |(number, (pepper, ends)): (u32, &(&str, Option<i64>))| KeptSecret {
            number,
            pepper: Word::parse(pepper).unwrap(),
            ends: ends.map(StoreTime),
            ..record.secrets[0].clone()
        };
        Record { secrets: (1..).zip(secrets).map(one).collect(), ..record }
    }

    fn stopped(record: &Record) -> bool {
        stops(record, &Word::parse("1").unwrap(), StoreTime(1_000))
    }

    #[test]
    fn a_key_stops_where_its_newest_secret_goes_or_none_is_left_that_stays() {
        for (secrets, expected) in [
            (&[("1", None)][..], true),
            (&[("2", None)], false),
            // an old secret in its grace is in use under the new pepper, and the fresh one is not yet
            (&[("2", Some(2_000)), ("1", None)], true),
            (&[("1", Some(2_000)), ("2", None)], false),
            (&[("1", Some(2_000)), ("2", Some(2_000))], true),
            (&[("1", Some(1_000)), ("2", None)], false),
            // it opens nothing any more, so nothing stops
            (&[("1", Some(1_000))], false),
            (&[], false),
        ] {
            assert_eq!(stopped(&of(secrets)), expected, "{secrets:?}");
        }
        let (live, ended, revoked) = (of(&[("1", None)]), Some(StoreTime(1_000)), Some(StoreTime(1)));
        assert!(!stopped(&Record { expires: ended, ..live.clone() }) && !stopped(&Record { revoked, ..live }));
    }
}
