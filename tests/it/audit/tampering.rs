//! What somebody can do to the log who may write into the store and does not know the pepper.

use keyward::domain::audit::{Head, Link, Sealed};
use keyward::domain::key::{Pepper, Peppers};
use keyward::domain::name::Word;
use keyward::proto::keyward::store::v1::{Audit, Dropped};
use keyward::store::audit::{self, End};
use prost::Message as _;

use super::kept::{Log, both};
use crate::support::dice::Dice;

/// A way, and what it makes of a log.
pub(super) type Tampering = (&'static str, fn(&mut Dice, &mut Log));

/// Whatever else is done, the head says what the last entry says, if it is to say anything.
pub(super) const ALL: [Tampering; 20] = [
    ("a bit of what is stored", |dice, log| {
        let at = dice.below(log.entries.len());
        let bytes = &mut log.entries[at].1;
        let byte = dice.below(bytes.len());
        bytes[byte] ^= 1 << dice.below(8);
    }),
    ("a field edited", |dice, log| {
        let at = dice.below(log.entries.len());
        let sealed = decode(&log.entries[at].1);
        let entry = edited(dice, read(&log.entries[at].1)).encode_to_vec();
        log.entries[at].1 = audit::encode(&Sealed { entry, ..sealed });
    }),
    ("a field edited and sealed anew", |dice, log| {
        let at = dice.below(log.entries.len());
        let entry = edited(dice, read(&log.entries[at].1));
        log.entries[at].1 = forged(dice, entry);
        agree(log);
    }),
    ("another seal", |dice, log| {
        let (one, other) = two(dice, log);
        let (of_one, of_other) = (decode(&log.entries[one].1), decode(&log.entries[other].1));
        log.entries[one].1 = audit::encode(&Sealed { entry: of_one.entry, ..of_other });
    }),
    ("another pepper claimed", |dice, log| {
        let at = dice.below(log.entries.len());
        let sealed = decode(&log.entries[at].1);
        let claimed = ["0", "1", "2", "3"].into_iter().find(|version| *version != sealed.pepper.as_str() && dice.chance(50));
        let pepper = Word::parse(claimed.unwrap_or("9")).unwrap();
        log.entries[at].1 = audit::encode(&Sealed { pepper, ..sealed });
    }),
    ("some dropped from the middle", |dice, log| {
        let at = 1 + dice.below(log.entries.len() - 2);
        let count = 1 + dice.below(log.entries.len() - 1 - at);
        log.entries.drain(at..at + count);
    }),
    ("some dropped, and the others moved up", |dice, log| {
        log.entries.remove(dice.below(log.entries.len() - 1));
        number(log);
    }),
    ("some dropped, and all behind them chained anew", |dice, log| {
        let at = 1 + dice.below(log.entries.len() - 2);
        log.entries.remove(at);
        number(log);
        chain(dice, log, at);
    }),
    ("two swapped", |dice, log| {
        let (one, other) = two(dice, log);
        let bytes = log.entries[one].1.clone();
        log.entries[one].1 = std::mem::replace(&mut log.entries[other].1, bytes);
        agree(log);
    }),
    ("one moved", |dice, log| {
        let (from, to) = two(dice, log);
        let moved = log.entries.remove(from);
        log.entries.insert(to, moved);
        number(log);
        agree(log);
    }),
    ("one told twice", |dice, log| {
        let at = dice.below(log.entries.len());
        let twice = log.entries[at].clone();
        log.entries.insert(at, twice);
        number(log);
        agree(log);
    }),
    ("the end cut off", |dice, log| {
        cut_end(dice, log);
        if dice.chance(66) {
            agree(log);
        }
        if dice.chance(33) {
            log.head = None;
        }
    }),
    ("an old copy, with which the log has gone on", |dice, log| {
        cut_end(dice, log);
        agree(log);
        for _ in 0..=dice.below(60) {
            go_on(log);
        }
    }),
    ("the front cut off", |dice, log| {
        let count = 1 + dice.below(log.entries.len() - 1);
        log.entries.drain(..count);
    }),
    ("the front cut off, and an invented entry that says so", |dice, log| {
        let count = 1 + dice.below(log.entries.len() - 1);
        let last = head_of(&log.entries.drain(..count).next_back().unwrap().1);
        let dropped = Some(Dropped { sequence: last.sequence, link: last.link.0.to_vec() });
        invent(dice, log, |entry| Audit { action: "DropAudit".into(), dropped, ..entry });
        if dice.chance(50) {
            go_on(log);
        }
    }),
    ("all behind an edit chained anew", |dice, log| {
        let at = dice.below(log.entries.len());
        let entry = edited(dice, read(&log.entries[at].1));
        log.entries[at].1 = forged(dice, entry);
        chain(dice, log, at + 1);
    }),
    ("entries in the place of the last, which the log has gone on from", |dice, log| {
        cut_end(dice, log);
        for _ in 0..=dice.below(3) {
            invent(dice, log, |entry| Audit { action: "EnableKey".into(), ..entry });
        }
        go_on(log);
    }),
    ("invented entries at the end, which the log has gone on from", |dice, log| {
        for _ in 0..=dice.below(3) {
            invent(dice, log, |entry| Audit { action: "EnableKey".into(), ..entry });
        }
        if dice.chance(66) {
            go_on(log);
        }
    }),
    ("everything written anew under a pepper that never was, which the log may have gone on from", |dice, log| {
        write_anew(dice, log);
        if dice.chance(66) {
            go_on(log);
        }
    }),
    ("everything gone, or where it ends", |dice, log| {
        let says = ["", "0/", "7/00", "9999/0000000000000000000000000000000000000000000000000000000000000000"];
        match dice.below(4) {
            0 => log.entries.clear(),
            1 => (log.entries, log.head) = (Vec::new(), None),
            2 => log.head = None,
            _ => log.head = Some(dice.text(&says)),
        }
    }),
];

/// So many cut off at the end, with a head that fits: without an anchor nobody can tell.
pub(super) fn cut_end(dice: &mut Dice, log: &mut Log) {
    let kept = 1 + dice.below(log.entries.len() - 1);
    log.entries.truncate(kept);
    agree(log);
}

/// Everything written anew, by somebody who lacks the pepper: sealed under one that never was, as what an old pepper has left looks like.
pub(super) fn write_anew(dice: &mut Dice, log: &mut Log) {
    let never = Peppers::new(vec![Pepper::new(Word::parse("0").unwrap(), vec![7; 32]).unwrap()]).unwrap();
    let edited_one = dice.below(log.entries.len());
    for at in 0..log.entries.len() {
        let before = log.entries[..at].last().map(|(_, bytes)| head_of(bytes).link);
        let mut entry = read(&log.entries[at].1);
        entry.before = before.map_or(entry.before, |link| link.0.to_vec());
        if at == edited_one {
            entry.actor = "admin_of_another".into();
        }
        log.entries[at].1 = audit::encode(&Sealed::new(Audit { pepper: "0".into(), ..entry }.encode_to_vec(), &never));
    }
    agree(log);
}

/// The next entry, as the product itself appends it to what it finds.
pub(super) fn go_on(log: &mut Log) {
    let last = log.entries.last().map(|(_, bytes)| decode(bytes));
    let is_vouched_for = |last: &Sealed| Link::of(&last.entry).is_sealed((&last.pepper, &last.seal), &both()) == Some(true);
    let unvouched = last.is_some_and(|last| !is_vouched_for(&last));
    let entry = Audit { action: "ListKeys".into(), pepper: "2".into(), unvouched, ..next(log) };
    push(log, audit::encode(&Sealed::new(entry.encode_to_vec(), &both())));
}

/// The same, as it was before anybody looked at what it goes on from.
pub(super) fn go_on_unlooked(log: &mut Log) {
    let entry = Audit { action: "ListKeys".into(), pepper: "2".into(), ..next(log) };
    push(log, audit::encode(&Sealed::new(entry.encode_to_vec(), &both())));
}

/// An entry that nobody sealed who could, at the end.
fn invent(dice: &mut Dice, log: &mut Log, edit: impl FnOnce(Audit) -> Audit) {
    let entry = forged(dice, edit(next(log)));
    push(log, entry);
}

/// What follows the last entry.
fn next(log: &Log) -> Audit {
    let (sequence, before) = log.entries.last().map_or((0, Link::default()), |(_, bytes)| (read(bytes).sequence, head_of(bytes).link));
    Audit { sequence: sequence + 1, at_ms: 1_800_000_000_000, actor: "admin_1".into(), before: before.0.to_vec(), ..Audit::default() }
}

fn push(log: &mut Log, bytes: Vec<u8>) {
    log.entries.push((log.entries.last().map_or(0, |(number, _)| *number) + 1, bytes));
    agree(log);
}

/// Sealed by somebody who lacks the pepper, and claims one: the newest, an old one, or one that there never was. Some say so in the entry too.
fn forged(dice: &mut Dice, entry: Audit) -> Vec<u8> {
    let version = Word::parse(&dice.text(&["2", "1", "0"])).unwrap();
    let said = if dice.chance(66) { version.to_string() } else { String::new() };
    let wrong = Peppers::new(vec![Pepper::new(version, vec![dice.byte() | 128; 32]).unwrap()]).unwrap();
    audit::encode(&Sealed::new(Audit { pepper: said, ..entry }.encode_to_vec(), &wrong))
}

/// Every entry from this one on follows the one before it, and is sealed anew by somebody who lacks the pepper.
fn chain(dice: &mut Dice, log: &mut Log, from: usize) {
    for at in from..log.entries.len() {
        let before = log.entries[..at].last().map(|(_, bytes)| (read(bytes).sequence, head_of(bytes).link));
        let entry = read(&log.entries[at].1);
        let (sequence, link) = before.unwrap_or((entry.sequence - 1, Link::default()));
        log.entries[at].1 = forged(dice, Audit { sequence: sequence + 1, before: link.0.to_vec(), ..entry });
    }
    agree(log);
}

/// Another entry, whatever becomes of its seal.
fn edited(dice: &mut Dice, entry: Audit) -> Audit {
    match dice.below(5) {
        0 => Audit { actor: format!("{}x", entry.actor), ..entry },
        1 => Audit { action: "GetKey".into(), ..entry },
        2 => Audit { at_ms: entry.at_ms - 1, ..entry },
        3 => Audit { from: "203.0.113.1".into(), ..entry },
        _ => Audit { subjects: vec!["realms/otesse/keys/key_of_another".into()], ..entry },
    }
}

/// The store's own numbers, without a gap.
fn number(log: &mut Log) {
    let first = log.entries.first().map_or(1, |(number, _)| *number);
    log.entries.iter_mut().zip(first..).for_each(|(entry, number)| entry.0 = number);
}

/// The head says what the last entry says, where that can be read.
fn agree(log: &mut Log) {
    log.head = log.entries.last().map(|(_, bytes)| End::of(&decode(bytes)).map_or_else(|_| head_of(bytes).to_string(), |end| end.kept));
}

fn two(dice: &mut Dice, log: &Log) -> (usize, usize) {
    let one = dice.below(log.entries.len());
    (one, (one + 1 + dice.below(log.entries.len() - 1)) % log.entries.len())
}

fn head_of(bytes: &[u8]) -> Head {
    Head { sequence: read(bytes).sequence, link: Link::of(&decode(bytes).entry) }
}

fn decode(bytes: &[u8]) -> Sealed {
    audit::decode(bytes).unwrap()
}

fn read(bytes: &[u8]) -> Audit {
    Audit::decode(decode(bytes).entry.as_slice()).unwrap()
}
