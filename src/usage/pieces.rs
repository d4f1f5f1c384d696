//! Sheets to pieces, as the store takes them: of each owner its keys' counts, and their sum.

use std::collections::{BTreeMap, HashMap};

use super::sheet::Sheet;
use crate::domain::name::KeyId;
use crate::domain::time::StoreTime;
use crate::domain::usage::{Counter, LastUse, Tally};
use crate::store::{Counts, SubjectName, UsagePiece};

/// So many keys in a piece: a store does nothing else while it adds one.
const KEYS: usize = 64;

/// Who counts, and how many pieces there were.
pub(super) struct Numbered {
    pub(super) by: u64,
    pub(super) last: u64,
}

/// Of a key.
#[derive(Default)]
struct Sum {
    minutes: BTreeMap<i64, Tally>,
    last: BTreeMap<u32, LastUse>,
}

/// All that the sheets have.
pub(super) fn pieces(sheets: &[Sheet], numbered: &mut Numbered, at: StoreTime) -> Vec<UsagePiece> {
    let mut owners: HashMap<SubjectName, HashMap<KeyId, Sum>> = HashMap::new();
    let mut of = |subject: SubjectName, key: &KeyId, add: &mut dyn FnMut(&mut Sum)| {
        let keys = owners.entry(SubjectName { key: None, ..subject }).or_default();
        match keys.get_mut(key) {
            Some(sum) => add(sum),
            None => add(keys.entry(key.clone()).or_default()),
        }
    };
    for sheet in sheets {
        for checks in sheet.checks() {
            let (owner, secret) = (&checks.bearer.owner, checks.bearer.secret);
            let subject = SubjectName { realm: owner.realm.clone(), owner: owner.id.clone(), key: None };
            of(subject, &checks.bearer.key, &mut |sum| {
                sum.minutes.entry(checks.minute).or_default().add_all(&checks.tally());
                see(&mut sum.last, secret, checks.last);
            });
        }
        for (subject, minute, tally) in sheet.ends() {
            let Some(key) = &subject.key else { continue };
            of(subject.clone(), key, &mut |sum| sum.minutes.entry(minute).or_default().add_all(tally));
        }
    }
    let mut all = Vec::new();
    for (owner, keys) in owners {
        let mut keys = keys.into_iter().peekable();
        while keys.peek().is_some() {
            let counts = with_owner(keys.by_ref().take(KEYS));
            numbered.last += 1;
            all.push(UsagePiece { owner: owner.clone(), by: numbered.by, number: numbered.last, at, counts });
        }
    }
    all
}

/// How many checks a piece has.
pub(super) fn checks(piece: &UsagePiece) -> u64 {
    let of_owner = piece.counts.iter().filter(|counts| counts.key.is_none());
    of_owner.flat_map(|counts| &counts.minutes).map(|(_, tally)| tally.get(Counter::Allowed) + tally.refused()).sum()
}

/// The counts of these keys, and what they come to.
fn with_owner(keys: impl Iterator<Item = (KeyId, Sum)>) -> Vec<Counts> {
    let mut owner = Sum::default();
    let count = |(key, sum): (KeyId, Sum)| {
        sum.minutes.iter().for_each(|(minute, tally)| owner.minutes.entry(*minute).or_default().add_all(tally));
        sum.last.values().for_each(|last| see(&mut owner.last, 0, *last));
        counts(Some(key), sum)
    };
    let mut all: Vec<Counts> = keys.map(count).collect();
    all.push(counts(None, owner));
    all
}

fn counts(key: Option<KeyId>, sum: Sum) -> Counts {
    Counts { key, minutes: sum.minutes.into_iter().collect(), last: sum.last.into_iter().collect() }
}

fn see(all: &mut BTreeMap<u32, LastUse>, secret: u32, last: LastUse) {
    all.entry(secret).and_modify(|known| *known = known.later(last)).or_insert(last);
}
