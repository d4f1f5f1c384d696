//! What followers of the log were told: which place each entry has, and up to where the log is secured.

use std::collections::BTreeMap;
use std::time::Duration;

use keyward::proto::keyward::store::v1 as stored;
use keyward::revocation::{At, Entry, Holder, Log, Mark, Renewal, Renewed, Terms};
use keyward::store::embedded::Embedded;
use keyward::store::{Store as _, StoreError};
use prost::Message as _;
use redb::{ReadableDatabase as _, TableDefinition};

use super::{Loss, World};

/// By somebody who follows the log, and goes on over crashes of the store.
#[derive(Default)]
pub(super) struct Promised {
    applied: At,
    secured: At,
    marks: BTreeMap<u64, Mark>,
}

impl Promised {
    /// Up to here it is secured.
    pub(super) fn hear(&mut self, secured: At) {
        if secured.position > self.secured.position {
            self.secured = secured;
        }
        self.marks.insert(secured.position, secured.mark);
    }

    /// Whether the entries follow what was applied, and none is another than it was before.
    fn apply(&mut self, entries: &[Entry], head: At) -> bool {
        for Entry { at, .. } in entries {
            let known = *self.marks.entry(at.position).or_insert(at.mark);
            if at.position != self.applied.position + 1 || known != at.mark || at.mark == Mark::default() {
                return false;
            }
            self.applied = *at;
        }
        self.applied == head
    }
}

impl World {
    /// Follows the log, as a replica that outlives the store would.
    pub(super) async fn renew(&mut self, store: &Embedded) {
        let holder = Holder { replica: "follower".into(), incarnation: 1 };
        let terms = Terms { lease: Duration::from_secs(5) };
        let renewal = Renewal { holder, number: 1, terms, applied: Some(self.promised.applied), secured: self.promised.secured };
        match store.renew(&renewal).await {
            Ok(Renewed { log: Log::Entries { entries, head }, secured, .. }) => {
                if !self.promised.apply(&entries, head) || secured != head {
                    self.lose(Loss::Entry, &format!("{entries:?} do not lead to {head}, secured up to {secured}"));
                }
                self.promised.hear(secured);
            }
            Ok(answer) => self.lose(Loss::Promise, &format!("{renewal:?} is answered {:?}", answer.log)),
            Err(StoreError::Unavailable(_)) => {}
            Err(other) => self.lose(Loss::Store, &format!("{other}")),
        }
    }

    /// The log as it is kept, held against what was told of it.
    pub(super) fn compare_log(&mut self, database: &redb::Database, log: &BTreeMap<u64, Vec<u8>>) {
        let number = |name| {
            let meta = database.begin_read().unwrap().open_table(TableDefinition::<&str, u64>::new("meta")).unwrap();
            meta.get(name).unwrap().map_or(0, |number| number.value())
        };
        let entries = log.values().filter_map(|bytes| stored::Entry::decode(bytes.as_slice()).ok());
        let places: Vec<(u64, u64)> = entries.map(|entry| (entry.position, entry.mark)).collect();
        let head = (number("position"), number("mark"));
        if !places.iter().map(|(position, _)| position).eq(log.keys()) || places.last().copied().unwrap_or_default() != head {
            self.lose(Loss::Entry, &format!("the head is {head:?}, and the log is {places:?}"));
        }
        let kept: BTreeMap<u64, u64> = places.into_iter().collect();
        for (position, mark) in self.promised.marks.clone() {
            if position > 0 && kept.get(&position) != Some(&mark.0) {
                self.lose(Loss::Entry, &format!("the entry at {position} had the mark {mark} and has {:x?}", kept.get(&position)));
            }
        }
    }
}
