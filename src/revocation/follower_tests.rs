//! What a replica does with what it hears: late, twice, with gaps, or of another log.

use std::time::Duration;

use super::*;
use crate::domain::key::Digest;
use crate::domain::name::{KeyId, OwnerId, RealmId};
use crate::domain::time::{BootTime, StoreTime};

const TERMS: Terms = Terms { lease: Duration::from_secs(5) };

/// What was forgotten, in its order; a star: everything.
#[derive(Debug, Default)]
struct Forgotten(Vec<String>);

impl Memory for Forgotten {
    fn forget(&mut self, touched: &Touched) {
        self.0.push(match touched {
            Touched::Key { id, .. } => id.to_string(),
            Touched::NewKeys { digests } => format!("{} new", digests.len()),
            Touched::Owner { id, .. } => id.to_string(),
            Touched::NewOwners { ids, .. } => format!("{} new", ids.len()),
            Touched::Anything => "anything".into(),
        });
    }

    fn forget_all(&mut self) {
        self.0.push("*".into());
    }
}

fn time(ms: u64) -> BootTime {
    BootTime(Duration::from_millis(ms))
}

fn at(position: u64, mark: u64) -> At {
    At { position, mark: Mark(mark) }
}

fn realm() -> RealmId {
    RealmId::parse("otesse").unwrap()
}

/// An entry that touches the key of its position's number.
fn entry(position: u64, mark: u64) -> Entry {
    let id = KeyId::parse(&format!("key_{position}")).unwrap();
    Entry {
        at: at(position, mark),
        touched: Touched::Key { realm: realm(), id, digests: vec![Digest([u8::try_from(position).unwrap(); 32])] },
        restricting: true,
    }
}

fn holder(replica: &str) -> Holder {
    Holder { replica: replica.into(), incarnation: 1 }
}

fn renewed(log: Log) -> Renewed {
    let footing = Footing { primary: "p".into(), whole: Whole::Whole, level: Level::Single, vouched: Firmness::Shifting };
    Renewed { log, secured: At::default(), now: StoreTime(0), holders: vec![], footing, longest: TERMS.lease }
}

/// Entries, all of them secured.
fn pushed(entries: &[Entry]) -> Pushed {
    Pushed { secured: entries.last().map(|entry| entry.at).unwrap_or_default(), entries: entries.to_vec() }
}

/// One that has jumped to the third entry at 0.
fn follower() -> (Follower, Forgotten) {
    let (mut follower, mut memory) = (Follower::new(Keeps::ALL, TERMS, holder("a")), Forgotten::default());
    let asked = follower.ask(time(0));
    follower.renewed(&asked, &renewed(Log::Jump { head: at(3, 3) }), time(1), &mut memory);
    memory.0.clear();
    (follower, memory)
}

fn judged(follower: &Follower, digest: u8, read: At, now: u64) -> Fill {
    let (realm, digests) = (realm(), [Digest([digest; 32])]);
    follower.judge(&Read { at: read, asked: time(0), realm: &realm, digests: &digests, owner: None }, time(now))
}

#[test]
fn what_is_pushed_is_applied_once_and_a_repetition_is_no_news() {
    let (mut follower, mut memory) = follower();
    let entries = [entry(4, 4), entry(5, 5)];
    assert_eq!(follower.pushed(at(3, 3), &pushed(&entries), &mut memory), Some(at(5, 5)));
    assert_eq!(follower.pushed(at(3, 3), &pushed(&entries), &mut memory), None);
    assert_eq!(follower.pushed(at(3, 3), &pushed(&entries[..1]), &mut memory), None);
    assert_eq!((follower.applied(), memory.0), (Some(at(5, 5)), vec!["key_4".into(), "key_5".into()]));
}

#[test]
fn what_is_applied_is_acknowledged_when_it_is_known_to_be_secured() {
    let (mut follower, mut memory) = follower();
    let unsecured = Pushed { entries: vec![entry(4, 4), entry(5, 5)], secured: At::default() };
    assert_eq!(follower.pushed(at(3, 3), &unsecured, &mut memory), None);
    assert_eq!((follower.applied(), follower.is_unsecured()), (Some(at(5, 5)), true));
    let renewal = follower.ask(time(2)).renewal;
    assert_eq!(renewal.acknowledges(), 0, "nor does a renewal");
    for (secured, acknowledged) in [(4, Some(at(4, 4))), (4, None), (9, Some(at(5, 5)))] {
        let pushed = Pushed { entries: vec![], secured: at(secured, secured) };
        assert_eq!(follower.pushed(at(5, 5), &pushed, &mut memory), acknowledged, "{secured}");
    }
    assert!(!follower.is_unsecured());
}

#[test]
fn an_entry_after_a_gap_is_forgotten_but_not_applied() {
    let (mut follower, mut memory) = follower();
    assert_eq!(follower.pushed(at(3, 3), &pushed(&[entry(5, 5)]), &mut memory), Some(at(3, 3)), "what is applied is secured");
    assert_eq!((follower.applied(), memory.0), (Some(at(3, 3)), vec!["key_5".into()]));
}

#[test]
fn an_entry_that_contradicts_what_was_applied_empties_everything_until_a_renewal() {
    let (mut follower, mut memory) = follower();
    follower.pushed(at(3, 3), &pushed(&[entry(4, 4)]), &mut memory);
    assert_eq!(follower.pushed(at(3, 3), &pushed(&[entry(4, 40)]), &mut memory), None);
    assert_eq!((follower.applied(), memory.0), (None, vec!["key_4".into(), "*".into()]));
    assert_eq!(judged(&follower, 9, at(3, 3), 2), Fill::Stale);
    assert_eq!(follower.ask(time(2)).renewal.applied, None);
}

#[test]
fn what_follows_a_place_of_another_log_is_not_glued_on() {
    let (mut follower, mut memory) = follower();
    assert_eq!(follower.pushed(at(3, 30), &pushed(&[entry(4, 40)]), &mut memory), None);
    assert_eq!((follower.applied(), memory.0.len()), (Some(at(3, 3)), 0));
    // the control
    assert_eq!(follower.pushed(at(3, 3), &pushed(&[entry(4, 40)]), &mut memory), Some(at(4, 40)));
}

#[test]
fn a_lease_counts_from_sending_and_is_extended_only_when_all_of_the_log_is_applied() {
    let (mut follower, mut memory) = follower();
    assert!(follower.admits(time(4_949)) && !follower.admits(time(4_950)));
    let asked = follower.ask(time(1_000));
    let some = Log::Entries { entries: vec![entry(4, 4)], head: at(5, 5) };
    follower.renewed(&asked, &renewed(some), time(3_000), &mut memory);
    assert_eq!((follower.applied(), follower.lease_until()), (Some(at(4, 4)), Some(time(4_950))), "there is more of it");
    let asked = follower.ask(time(3_000));
    let rest = Log::Entries { entries: vec![entry(5, 5)], head: at(5, 5) };
    follower.renewed(&asked, &renewed(rest), time(4_000), &mut memory);
    assert_eq!((follower.applied(), follower.lease_until()), (Some(at(5, 5)), Some(time(7_950))));
}

#[test]
fn a_jump_and_a_lost_place_empty_everything_and_go_on_from_the_head() {
    for log in [Log::Jump { head: at(9, 9) }, Log::Lost { head: at(9, 9) }, Log::Lost { head: at(2, 2) }] {
        let (mut follower, mut memory) = follower();
        let asked = follower.ask(time(1_000));
        let (Log::Jump { head } | Log::Lost { head }) = log else { unreachable!() };
        follower.renewed(&asked, &renewed(log), time(1_001), &mut memory);
        assert_eq!((follower.applied(), memory.0), (Some(head), vec!["*".into()]));
        assert!(follower.admits(time(5_949)));
    }
}

#[test]
fn a_jump_to_what_pushes_have_passed_takes_nothing_back() {
    let (mut follower, mut memory) = follower();
    let asked = follower.ask(time(1_000));
    follower.pushed(at(3, 3), &pushed(&[entry(4, 4), entry(5, 5)]), &mut memory);
    follower.renewed(&asked, &renewed(Log::Jump { head: at(4, 4) }), time(1_500), &mut memory);
    assert_eq!(follower.applied(), Some(at(5, 5)));
    assert_eq!(judged(&follower, 5, at(4, 4), 2_000), Fill::Stale, "the fifth entry stays applied");
}

#[test]
fn only_the_answer_to_the_newest_renewal_is_heard() {
    let (mut follower, mut memory) = follower();
    let (older, newer) = (follower.ask(time(1_000)), follower.ask(time(2_000)));
    // the store served the newer one first, and went on
    follower.renewed(&older, &renewed(Log::Lost { head: at(9, 9) }), time(2_050), &mut memory);
    assert_eq!((follower.applied(), follower.lease_until()), (Some(at(3, 3)), Some(time(4_950))));
    follower.renewed(&newer, &renewed(Log::Jump { head: at(8, 8) }), time(2_100), &mut memory);
    follower.renewed(&older, &renewed(Log::Lost { head: at(9, 9) }), time(2_200), &mut memory);
    assert_eq!((follower.applied(), follower.lease_until()), (Some(at(8, 8)), Some(time(6_950))));
}

#[test]
fn a_log_that_was_rolled_back_ends_the_lease_at_once() {
    let (mut follower, mut memory) = follower();
    let asked = follower.ask(time(1_000));
    follower.renewed(&asked, &renewed(Log::RolledBack { head: at(2, 2) }), time(1_001), &mut memory);
    assert!(!follower.admits(time(1_001)));
    assert_eq!((follower.applied(), memory.0), (None, vec!["*".into()]));
}

#[test]
fn what_was_promised_is_asked_for_until_it_is_found_or_an_operator_says_to_go_on() {
    let (mut follower, mut memory) = follower();
    follower.promised(at(9, 9));
    follower.promised(at(7, 7));
    for ms in [1_000, 2_000] {
        let asked = follower.ask(time(ms));
        assert_eq!((asked.renewal.secured, asked.renewal.applied.is_none()), (at(9, 9), ms > 1_000), "a second copy may lack it as well");
        follower.renewed(&asked, &renewed(Log::RolledBack { head: at(5, 5) }), time(ms + 1), &mut memory);
    }
    let asked = follower.ask(time(3_000));
    follower.renewed(&asked, &Renewed { secured: at(5, 5), ..renewed(Log::Jump { head: at(5, 5) }) }, time(3_001), &mut memory);
    assert!(follower.admits(time(3_001)));
    assert_eq!(follower.ask(time(4_000)).renewal.secured, at(5, 5), "gone on with");
}

#[test]
fn who_has_left_admits_nobody_and_names_its_last_renewal() {
    let (mut follower, _) = follower();
    let _ = follower.ask(time(1_000));
    assert_eq!(follower.leave(), (holder("a"), 2));
    assert!(!follower.admits(time(1_001)));
}

#[test]
fn what_was_read_is_sound_ahead_or_stale_by_its_place_in_the_log() {
    let (mut follower, mut memory) = follower();
    follower.pushed(at(3, 3), &pushed(&[entry(4, 4), entry(5, 5)]), &mut memory);
    for (digest, read, expected) in [
        (5, at(5, 5), Fill::Sound),
        (5, at(4, 4), Fill::Stale),
        (4, at(4, 4), Fill::Sound),
        (9, at(3, 3), Fill::Sound),
        (9, at(6, 6), Fill::Ahead),
        (9, at(4, 40), Fill::Stale),
        (9, at(2, 2), Fill::Stale),
    ] {
        assert_eq!(judged(&follower, digest, read, 1), expected, "{digest} at {read}");
    }
    assert_eq!(judged(&follower, 5, at(5, 5), 4_950), Fill::Stale, "asked for a lease ago");
}

#[test]
fn an_entry_of_an_owner_makes_what_was_read_of_its_keys_stale() {
    let (mut follower, mut memory) = follower();
    let (acme, other) = (OwnerId::parse("acme").unwrap(), OwnerId::parse("other").unwrap());
    let disabled = Entry { touched: Touched::Owner { realm: realm(), id: acme.clone() }, ..entry(4, 4) };
    follower.pushed(at(3, 3), &pushed(&[disabled]), &mut memory);
    for (owner, expected) in [(&acme, Fill::Stale), (&other, Fill::Sound)] {
        let read = Read { at: at(3, 3), asked: time(0), realm: &realm(), digests: &[Digest([9; 32])], owner: Some(owner) };
        assert_eq!(follower.judge(&read, time(1)), expected);
    }
}

#[test]
fn a_holder_is_overdue_when_its_renewals_have_stood_still_for_a_lease_and_its_drift() {
    let (mut follower, mut memory) = follower();
    let mut hear = |renewals: u64, now: u64| {
        let asked = follower.ask(time(now));
        let registration = Registration { renewals, applied: 0, lease: TERMS.lease };
        let entries = Log::Entries { entries: vec![], head: at(3, 3) };
        let answer = Renewed { holders: vec![(holder("a"), registration), (holder("b"), registration)], ..renewed(entries) };
        follower.renewed(&asked, &answer, time(now), &mut memory);
        follower.overdue(time(now))
    };
    assert_eq!(hear(7, 1_000), []);
    assert_eq!(hear(7, 6_099), []);
    assert_eq!(hear(7, 6_100), [(holder("b"), 7)], "and never itself");
    assert_eq!(hear(8, 6_200), []);
}

#[test]
fn renewals_are_numbered_and_the_longest_lease_ever_heard_of_is_kept() {
    let (mut follower, mut memory) = follower();
    let asked = follower.ask(time(1_000));
    assert_eq!(asked.renewal.number, 2);
    let long = Renewed { longest: Duration::from_secs(9), ..renewed(Log::Jump { head: at(3, 3) }) };
    follower.renewed(&asked, &long, time(1_002), &mut memory);
    assert_eq!(follower.longest(Duration::ZERO).lease, Duration::from_secs(9));
    assert_eq!(follower.longest(Duration::from_secs(50)).lease, Duration::from_secs(50));
}
