//! Keys that a commit makes. There may be hundreds, so what is looked at and written of each is told once, and the script makes its calls of it.

use ::redis::Cmd;

use super::groups::MOST;
use super::stored;
use super::table::Table;
use crate::domain::key::Digest;
use crate::domain::name::RealmId;
use crate::domain::record::{KeptSecret, Record};
use crate::store::by_owner;

/// So many at a time: two arguments of each go into one call.
const TOGETHER: usize = MOST / 2;

/// New keys, each with its one secret.
#[derive(Debug, Default)]
pub(super) struct NewKeys<'a>(Vec<(&'a RealmId, Vec<NewKey<'a>>)>);

#[derive(Debug)]
struct NewKey<'a> {
    record: &'a Record,
    digest: &'a Digest,
}

impl<'a> NewKeys<'a> {
    pub(super) fn add(&mut self, record: &'a Record, KeptSecret { digest, .. }: &'a KeptSecret) {
        let new = NewKey { record, digest };
        match self.0.last_mut().filter(|(realm, keys)| **realm == record.realm && keys.len() < TOGETHER) {
            Some((_, keys)) => keys.push(new),
            None => self.0.push((&record.realm, vec![new])),
        }
    }

    /// For each time that keys are told: three tables.
    pub(super) fn names(&self) -> impl Iterator<Item = String> {
        self.0.iter().flat_map(|(realm, _)| [Table::Keys(realm), Table::Digests(realm), Table::KeysByOwner(realm)]).map(Table::name)
    }

    /// How many times, and each time how many keys, and of each its id, digest, what is kept, and its owner and id.
    pub(super) fn write(&self, call: &mut Cmd) {
        call.arg(self.0.len());
        for (_, keys) in &self.0 {
            call.arg(keys.len());
            for NewKey { record, digest } in keys {
                call.arg(record.id.as_str()).arg(&digest.0).arg(stored::key(record)).arg(by_owner(&record.owner, &record.id));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::life::tests::key;

    #[test]
    fn no_more_keys_are_told_at_a_time_than_a_script_can_hand_on() {
        let (record, mut new) = (key(None, None), NewKeys::default());
        let other = Record { realm: RealmId::parse("other").unwrap(), ..record.clone() };
        for record in std::iter::repeat_n(&record, 4_500).chain([&other]) {
            new.add(record, &record.secrets[0]);
        }
        assert_eq!(new.0.iter().map(|(_, keys)| keys.len()).collect::<Vec<_>>(), [2_000, 2_000, 500, 1]);
        assert_eq!(new.names().count(), 4 * 3);
    }
}
