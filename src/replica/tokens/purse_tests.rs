//! The purse in fixed cases.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::purse::*;
use super::simulation::mix::{bearer, limit};
use super::terms::Terms;
use crate::domain::limit::{InForce, Per};
use crate::domain::time::{BootTime, StoreTime};
use crate::domain::window::Told;
use crate::store::{Charge, Return, StoreError, Taken};

const ONCE: Duration = Duration::from_millis(50);

pub(super) struct Waiter(&'static str, Rc<Cell<bool>>);

impl Waits for Waiter {
    fn is_gone(&self) -> bool {
        self.1.get()
    }
}

pub(super) fn who(name: &'static str) -> Waiter {
    Waiter(name, Rc::default())
}

pub(super) fn at(ms: u64) -> BootTime {
    BootTime(Duration::from_millis(ms))
}

/// Of a minute and a key; tokens may be held for half a second.
pub(super) fn terms(most: u32) -> Arc<Terms> {
    let limit = limit("minute", Per::Key, 1000, 60_000);
    Arc::new(Terms::under(&[InForce { limit: &limit, most }], &bearer(1, 1, 0), StoreTime(0)).unwrap())
}

pub(super) fn purse() -> Purse<Waiter> {
    Purse::new(terms(1000), at(0))
}

fn told(slot: i64) -> Vec<Told> {
    vec![Told { slot: Some(slot), left: 0, more_in_ms: 0 }]
}

pub(super) fn granted(tokens: u32, ttl: u64, slot: i64) -> Taken {
    Taken::Granted { tokens, ttl: Duration::from_millis(ttl), windows: told(slot) }
}

fn refused(retry_in: u64) -> Taken {
    Taken::Refused { retry_in: Some(Duration::from_millis(retry_in)), windows: told(0) }
}

pub(super) fn asked(purse: &mut Purse<Waiter>, now: u64) -> Option<Charge> {
    purse.ask(at(now), ONCE, 1)
}

pub(super) fn landed(purse: &mut Purse<Waiter>, taken: Taken, sent: u64, now: u64) -> Vec<(&'static str, Served)> {
    let terms = purse.terms().clone();
    purse.landed(&terms, taken, at(sent), at(now)).into_iter().map(|(who, served)| (who.0, served)).collect()
}

/// A purse that was granted so many tokens at 0, for so long, in slot 1.
pub(super) fn holding(tokens: u32, ttl: u64) -> Purse<Waiter> {
    let mut purse = purse();
    hold(&mut purse, granted(tokens, ttl, 1), 0);
    purse
}

/// Has a call bring tokens that nobody takes.
fn hold(purse: &mut Purse<Waiter>, taken: Taken, now: u64) {
    let gone = who("gone");
    let cost = 1_000_000;
    purse.wait(cost, Waiter("gone", gone.1.clone()));
    assert!(asked(purse, now).is_some());
    gone.1.set(true);
    assert!(landed(purse, taken, now, now).is_empty());
    assert!(asked(purse, now).is_none(), "nothing is asked for who has gone");
}

fn returns(purse: &mut Purse<Waiter>, now: u64) -> Vec<(i64, u32)> {
    let charge = purse.tidy(at(now));
    charge.into_iter().flat_map(|charge| charge.returns).map(|Return { slot, tokens, .. }| (slot, tokens)).collect()
}

#[test]
fn a_token_is_not_spent_at_its_deadline_which_is_a_thousandth_and_a_millisecond_early() {
    let mut purse = holding(5, 500);
    assert!(purse.draw(1, at(498)).is_some());
    let drawn = purse.draw(1, BootTime(Duration::from_micros(498_499))).unwrap();
    let deadline = BootTime(Duration::from_micros(498_500));
    assert!(!drawn.lasts(deadline) && purse.draw(1, deadline).is_none());
}

#[test]
fn what_is_left_at_the_deadline_is_returned_once_and_the_purse_goes() {
    let mut purse = holding(5, 500);
    purse.draw(2, at(100)).unwrap();
    assert_eq!(returns(&mut purse, 499), [(1, 3)]);
    assert_eq!(purse.returned(), 3);
    assert_eq!(returns(&mut purse, 5_000), []);
    assert!(!purse.is_of_use(at(5_000)));
}

#[test]
fn tokens_that_come_back_can_be_spent_again_and_after_the_deadline_only_be_returned() {
    let mut purse = holding(2, 500);
    let (one, other) = (purse.draw(1, at(1)).unwrap(), purse.draw(1, at(1)).unwrap());
    assert!(purse.draw(1, at(2)).is_none());
    purse.take_back(&one, at(3));
    assert!(purse.draw(1, at(4)).is_some());
    purse.take_back(&other, at(600));
    assert!(purse.draw(1, at(600)).is_none());
    assert_eq!(returns(&mut purse, 700), [(1, 1)]);
}

#[test]
fn a_lot_that_comes_back_behind_a_longer_one_is_not_spent_after_its_deadline() {
    let mut purse = holding(1, 500);
    let first = purse.draw(1, at(0)).unwrap();
    hold(&mut purse, granted(1, 600, 2), 1);
    hold(&mut purse, granted(1, 100, 3), 2);
    // the first lot is spent and forgotten by now; it comes back, and ends between the others
    purse.take_back(&first, at(3));
    assert_eq!(purse.draw(1, at(110)).unwrap().grant.told[0].slot, Some(1));
    assert_eq!(purse.draw(1, at(110)).unwrap().grant.told[0].slot, Some(2));
    assert!(purse.draw(1, at(110)).is_none(), "the third is over");
}

#[test]
fn whoever_asks_while_a_call_is_under_way_waits_for_it_and_the_next_one_is_for_all_of_them() {
    let mut purse = purse();
    purse.wait(1, who("first"));
    assert_eq!(asked(&mut purse, 0).map(|charge| (charge.want, charge.cost, charge.ttl)), Some((1, 1, ONCE)), "seen once: its cost");
    for name in ["second", "third"] {
        purse.wait(2, who(name));
        assert!(asked(&mut purse, 1).is_none());
    }
    let served = landed(&mut purse, granted(1, 50, 1), 0, 2);
    assert!(matches!(served[..], [("first", Served::Drawn(_))]), "{served:?}");
    assert_eq!(asked(&mut purse, 2).map(|charge| (charge.want, charge.cost)), Some((4, 2)));
    let served = landed(&mut purse, granted(2, 50, 1), 2, 4);
    assert!(matches!(served[..], [("second", Served::Drawn(_))]), "as far as it reaches: {served:?}");
    assert!(asked(&mut purse, 4).is_some(), "and another for the rest");
}

#[test]
fn a_grant_that_comes_too_late_is_returned_and_whoever_waited_for_it_is_told() {
    let mut purse = purse();
    purse.wait(1, who("aboard"));
    asked(&mut purse, 0).unwrap();
    purse.wait(1, who("later"));
    let served = landed(&mut purse, granted(1, 50, 7), 0, 49);
    assert!(matches!(served[..], [("aboard", Served::TooLate)]), "{served:?}");
    let next = asked(&mut purse, 49).unwrap();
    let back: Vec<_> = next.returns.iter().map(|back| (back.slot, back.tokens)).collect();
    assert_eq!((next.cost, back), (1, vec![(7, 1)]), "what came late goes along");
}

#[test]
fn a_grant_that_a_period_s_end_cut_short_is_asked_for_again() {
    let mut purse = purse();
    purse.wait(1, who("one"));
    asked(&mut purse, 0).unwrap();
    assert!(landed(&mut purse, granted(1, 2, 7), 0, 3).is_empty());
    assert_eq!(asked(&mut purse, 3).unwrap().returns.len(), 1);
}

#[test]
fn a_refusal_is_remembered_for_its_own_cost_and_never_beyond_the_time_it_tells() {
    let mut purse = purse();
    for (cost, name) in [(1, "one"), (10, "ten"), (1, "another one")] {
        purse.wait(cost, who(name));
    }
    assert_eq!(asked(&mut purse, 0).unwrap().cost, 1);
    let served = landed(&mut purse, refused(300), 0, 1);
    let told: Vec<_> = served.iter().map(|(who, _)| *who).collect();
    assert_eq!(told, ["one", "another one"], "when ten fit is not known yet");
    assert_eq!(asked(&mut purse, 1).unwrap().cost, 10);
    assert!(matches!(landed(&mut purse, refused(900), 1, 5)[..], [("ten", Served::Refused(_))]));
    assert_eq!(purse.refuses(1, at(300)).unwrap().retry_at, Some(at(301)));
    assert_eq!(purse.refuses(10, at(300)).unwrap().retry_at, Some(at(905)));
    assert!(purse.refuses(1, at(301)).is_none() && purse.refuses(10, at(904)).is_some() && purse.refuses(10, at(905)).is_none());
    assert!(purse.refuses(5, at(10)).is_none());
}

#[test]
fn what_is_held_under_other_limits_is_given_back_and_what_was_drawn_is_too() {
    let mut purse = holding(5, 500);
    let drawn = purse.draw(1, at(1)).unwrap();
    let former = purse.terms().clone();
    purse.wait(9, who("waits"));
    asked(&mut purse, 1).unwrap();
    purse.adopt(terms(2));
    assert!(purse.draw(1, at(2)).is_none());
    purse.take_back(&drawn, at(3));
    assert!(purse.draw(1, at(4)).is_none());
    assert!(purse.landed(&former, granted(9, 500, 8), at(1), at(5)).is_empty(), "who waits is asked for anew");
    let next = asked(&mut purse, 6).unwrap();
    assert_eq!(next.subjects[0].windows[0].most, 2);
    let mut back: Vec<_> = next.returns.iter().map(|back| (back.slot, back.tokens)).collect();
    back.sort_unstable();
    assert_eq!(back, [(1, 5), (8, 9)]);
}

#[test]
fn a_refusal_under_former_limits_refuses_nobody() {
    let mut purse = purse();
    purse.wait(1, who("waits"));
    asked(&mut purse, 0).unwrap();
    let former = purse.terms().clone();
    purse.adopt(terms(2000));
    assert!(purse.landed(&former, refused(300), at(0), at(1)).is_empty());
    assert!(purse.refuses(1, at(2)).is_none() && asked(&mut purse, 2).is_some());
}

#[test]
fn a_call_that_fails_is_told_to_those_aboard_and_its_returns_are_not_made_again() {
    let mut purse = holding(5, 500);
    purse.wait(50, who("aboard"));
    let charge = asked(&mut purse, 600).unwrap();
    assert!(charge.returns.is_empty());
    assert!(landed(&mut purse, Taken::Failed(StoreError::Conflict), 600, 601).len() == 1);
    purse.draw(1, at(602));
    purse.wait(50, who("aboard"));
    assert_eq!(asked(&mut purse, 603).unwrap().returns.len(), 1);
    landed(&mut purse, Taken::Failed(StoreError::Conflict), 603, 604);
    assert_eq!(returns(&mut purse, 5_000), []);
}

#[test]
fn a_call_that_was_never_sent_is_told_to_those_aboard_and_its_returns_leave_with_the_next_one() {
    for unsent in [true, false] {
        let mut purse = holding(5, 500);
        purse.draw(1, at(1)).unwrap();
        purse.draw(1, at(600));
        purse.wait(50, who("aboard"));
        let charge = asked(&mut purse, 601).unwrap();
        assert_eq!(charge.returns.len(), 1);
        let told = if unsent {
            purse.unsent(charge, &StoreError::Overloaded).into_iter().map(|(who, served)| (who.0, served)).collect()
        } else {
            landed(&mut purse, Taken::Failed(StoreError::Overloaded), 601, 602)
        };
        assert!(matches!(told[..], [("aboard", Served::Failed(StoreError::Overloaded))]), "{told:?}");
        let back = returns(&mut purse, 5_000);
        assert_eq!(back, if unsent { vec![(1, 4)] } else { vec![] }, "control: of one that left nobody knows what became");
    }
}

#[test]
fn a_hot_key_is_asked_for_in_advance_and_four_times_more_at_most_each_time() {
    let mut purse = purse();
    let (mut calls, mut waited) = (Vec::new(), 0);
    for now in 0..2_000 {
        if purse.draw(1, at(now)).is_none() {
            purse.wait(1, who("one"));
            waited += 1;
        }
        if let Some(charge) = asked(&mut purse, now) {
            calls.push(charge.want);
            landed(&mut purse, granted(charge.want, 500, 1), now, now);
        }
    }
    assert!(calls.windows(2).all(|pair| pair[1] <= 4 * pair[0] + 4), "{calls:?}");
    assert!(calls.len() < 20 && waited < 8, "{waited} waited for {calls:?}");
}

#[test]
fn a_key_that_is_seen_now_and_then_is_asked_for_its_cost() {
    let mut purse = purse();
    for now in (0..20).map(|turn| turn * 900) {
        assert!(purse.draw(1, at(now)).is_none());
        purse.wait(1, who("one"));
        assert_eq!(asked(&mut purse, now).map(|charge| (charge.want, charge.ttl)), Some((1, ONCE)));
        landed(&mut purse, granted(1, 50, 1), now, now + 1);
    }
}
