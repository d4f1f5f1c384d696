//! What one thread has counted since it was collected last. A key that was counted before costs one look into a table and no memory.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use crate::domain::bearer::Bearer;
use crate::domain::ticket::Ticket;
use crate::domain::time::StoreTime;
use crate::domain::usage::{COUNTERS, Counter, Granularity, LastUse, Tally};
use crate::store::SubjectName;

/// So many lines at most: beyond it checks are decided and not counted.
pub(super) const MOST: usize = 1 << 16;
/// Somebody had better collect it.
const MANY: usize = MOST / 4 * 3;

#[derive(Default)]
pub(super) struct Sheet {
    places: HashMap<Line, u32, Mixed>,
    lines: Vec<Checks>,
    ended: HashMap<(SubjectName, i64), Tally>,
    /// Checks and answers that there was no room for.
    dropped: u64,
}

/// Checks of one bearer in one minute. What every check touches is at its beginning.
#[repr(C)]
pub(super) struct Checks {
    pub(super) last: LastUse,
    /// By the counters' places.
    counts: [u32; COUNTERS.len()],
    pub(super) minute: i64,
    /// Held, so that nobody else comes to stand at its address.
    pub(super) bearer: Arc<Bearer>,
}

/// Whose line it is, by the address of what is remembered of it: a key that was read anew has another line.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Line {
    address: usize,
    minute: i64,
}

/// Whether a sheet has room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    Enough,
    /// It has just become little.
    Little,
}

impl Sheet {
    pub(super) fn decided(&mut self, bearer: &Arc<Bearer>, counter: Counter, used: LastUse) -> Room {
        let Some(at) = counter.place() else { return Room::Enough };
        let line = Line { address: Arc::as_ptr(bearer).addr(), minute: Granularity::Minute.number(used.at) };
        let known = self.places.get(&line).and_then(|place| self.lines.get_mut(*place as usize));
        if let Some(checks) = known {
            checks.counts[at] = checks.counts[at].saturating_add(1);
            checks.last = checks.last.later(used);
            return Room::Enough;
        }
        self.begin(line, bearer, at, used)
    }

    #[cold]
    fn begin(&mut self, line: Line, bearer: &Arc<Bearer>, at: usize, used: LastUse) -> Room {
        let Some(place) = u32::try_from(self.lines.len()).ok().filter(|_| self.lines.len() < MOST) else {
            self.dropped += 1;
            return Room::Enough;
        };
        let mut checks = Checks { bearer: bearer.clone(), minute: line.minute, counts: [0; COUNTERS.len()], last: used };
        checks.counts[at] = 1;
        self.lines.push(checks);
        self.places.insert(line, place);
        if self.lines.len() == MANY { Room::Little } else { Room::Enough }
    }

    pub(super) fn ended(&mut self, ticket: &Ticket, counter: Counter, now: StoreTime) -> Room {
        let (realm, owner, key) = (ticket.realm.clone(), ticket.owner.clone(), Some(ticket.key.clone()));
        let line = (SubjectName { realm, owner, key }, Granularity::Minute.number(now));
        if self.ended.len() >= MOST && !self.ended.contains_key(&line) {
            self.dropped += 1;
            return Room::Enough;
        }
        self.ended.entry(line).or_default().add(counter, 1);
        if self.ended.len() == MANY { Room::Little } else { Room::Enough }
    }

    pub(super) fn checks(&self) -> &[Checks] {
        &self.lines
    }

    pub(super) fn ends(&self) -> impl Iterator<Item = (&SubjectName, i64, &Tally)> {
        self.ended.iter().map(|((subject, minute), tally)| (subject, *minute, tally))
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Empty, with the room that it had.
    pub(super) fn emptied(mut self) -> Self {
        self.places.clear();
        self.lines.clear();
        self.ended.clear();
        Self { dropped: 0, ..self }
    }
}

impl Checks {
    pub(super) fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        COUNTERS.into_iter().zip(self.counts).for_each(|(counter, count)| tally.add(counter, count.into()));
        tally
    }
}

/// An address and a minute are mixed by a multiplication: nobody outside chooses them.
type Mixed = BuildHasherDefault<Mix>;

#[derive(Default)]
struct Mix(u64);

impl Hasher for Mix {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }

    fn write_i64(&mut self, number: i64) {
        self.write_u64(number.cast_unsigned());
    }

    /// The table looks at both ends of it, and the upper one is the better mixed.
    fn finish(&self) -> u64 {
        self.0.rotate_left(26)
    }
}

#[cfg(test)]
mod tests {
    use super::super::pieces::{Numbered, checks, pieces};
    use super::*;
    use crate::domain::name::{KeyId, OwnerId, RealmId};
    use crate::domain::owner::Owner;
    use crate::domain::reason::Reason;

    const MINUTE: i64 = 30_000_000;

    fn bearer(key: usize, secret: u32, owner: &str) -> Arc<Bearer> {
        let owner = Owner {
            realm: RealmId::parse("r").unwrap(),
            id: OwnerId::parse(owner).unwrap(),
            name: String::new(),
            plan: None,
            limits: Box::default(),
            created: StoreTime(0),
            disabled: None,
            revision: 1,
            generation: 0,
        };
        Arc::new(Bearer {
            key: KeyId::parse(&format!("key_{key}")).unwrap(),
            environment: None,
            kind: None,
            plan: None,
            tenant: None,
            scopes: [].into(),
            special: None,
            expires: None,
            revoked: false,
            secret,
            generation: 0,
            owner: Arc::new(owner),
        })
    }

    fn used(minute: i64, ms: i64) -> LastUse {
        LastUse { at: StoreTime(minute * 60_000 + ms), address: None }
    }

    fn numbered() -> Numbered {
        Numbered { by: 7, last: 0 }
    }

    #[test]
    fn what_was_counted_of_a_key_and_each_of_its_secrets_becomes_one_piece_of_its_owner() {
        let (old, new, anew) = (bearer(1, 1, "acme"), bearer(1, 2, "acme"), bearer(1, 2, "acme"));
        let (mut one, mut other) = (Sheet::default(), Sheet::default());
        for ms in [5, 9, 7] {
            assert_eq!(one.decided(&old, Counter::Allowed, used(MINUTE, ms)), Room::Enough);
        }
        one.decided(&new, Counter::Refused(Reason::Limited), used(MINUTE, 1));
        other.decided(&anew, Counter::Allowed, used(MINUTE + 1, 0));
        other.decided(&bearer(2, 1, "other"), Counter::Allowed, used(MINUTE, 0));
        other.decided(&new, Counter::Refused(Reason::Unknown), used(MINUTE, 0));
        assert_eq!((one.lines.len(), other.lines.len()), (2, 2));
        let mut all = pieces(&[one, other], &mut numbered(), StoreTime(0));
        all.sort_by_key(|piece| piece.owner.owner.clone());
        let [acme, others] = &all[..] else { panic!("{all:?}") };
        assert_eq!((checks(acme), checks(others)), (5, 1));
        assert_ne!(acme.number, others.number);
        let [key, owner] = &acme.counts[..] else { panic!("{acme:?}") };
        assert_eq!(key.minutes, owner.minutes, "it has one key");
        assert_eq!(
            key.minutes.iter().map(|(minute, tally)| (*minute, tally.get(Counter::Allowed))).collect::<Vec<_>>(),
            [(MINUTE, 3), (MINUTE + 1, 1)]
        );
        assert_eq!(key.minutes[0].1.get(Counter::Refused(Reason::Limited)), 1);
        assert_eq!(key.last, [(1, used(MINUTE, 9)), (2, used(MINUTE + 1, 0))]);
        assert_eq!(owner.last, [(0, used(MINUTE + 1, 0))]);
    }

    #[test]
    fn an_owners_keys_are_cut_into_pieces_whose_sums_are_all_of_it() {
        let mut sheet = Sheet::default();
        for key in 0..150 {
            sheet.decided(&bearer(key, 1, "acme"), Counter::Allowed, used(MINUTE, 0));
        }
        let all = pieces(&[sheet], &mut numbered(), StoreTime(0));
        assert_eq!(all.iter().map(checks).sum::<u64>(), 150);
        assert_eq!(all.iter().map(|piece| piece.number).collect::<Vec<_>>(), [1, 2, 3]);
    }

    #[test]
    fn a_sheet_is_bounded_and_says_when_it_had_better_be_collected() {
        let (mut sheet, mut said) = (Sheet::default(), Vec::new());
        let bearer = bearer(1, 1, "acme");
        for minute in 0..i64::try_from(MOST).unwrap() + 10 {
            if sheet.decided(&bearer, Counter::Allowed, used(minute, 0)) == Room::Little {
                said.push(minute);
            }
        }
        assert_eq!(said, [i64::try_from(MANY).unwrap() - 1]);
        assert_eq!((sheet.lines.len(), sheet.dropped()), (MOST, 10));
        sheet.decided(&bearer, Counter::Allowed, used(0, 0));
        assert_eq!(sheet.dropped(), 10, "who has a line is counted on it");
        let emptied = sheet.emptied();
        assert_eq!((emptied.lines.len(), emptied.places.len(), emptied.dropped()), (0, 0, 0));
        assert!(emptied.lines.capacity() >= MOST, "nothing is allocated anew");
    }
}
