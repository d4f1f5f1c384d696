//! Tickets that are settled.

use keyward::domain::ticket::TicketId;
use keyward::domain::time::StoreTime;
use keyward::store::{Charge, Return, Settled, Settlement};

use super::super::both::Both;
use super::{Case, MINUTE, T, back, granted, name, one, refused};

pub(super) const CASES: &[Case] = &[
    a_ticket_is_settled_once,
    a_ticket_is_settled_until_exactly_its_age,
    a_ticket_is_as_old_as_the_latest_instant_seen,
    what_comes_back_is_forgotten_in_time,
];

const LIVES: i64 = 600_000;

fn settles(both: &mut Both, now: i64, ticket: &Settlement, expected: &Settled) -> Result<(), String> {
    let settled = both.settle(now, ticket)?;
    if settled == *expected { Ok(()) } else { Err(format!("at T{:+} {settled:?} instead of {expected:?}", now - T)) }
}

fn ticket(id: u8, minted: i64, returns: Vec<Return>) -> Settlement {
    Settlement { ticket: TicketId([id; 16]), minted: StoreTime(minted), returns }
}

fn a_ticket_is_settled_once(both: &mut Both) -> Result<(), String> {
    granted(both, T, &one(MINUTE, 5), (5, &[T], &[0]))?;
    // one of the owner, who has nothing to get back
    let of_the_owner = Return { subject: name(None), ..back(T, 2) };
    let first = ticket(1, T, vec![back(T, 2), of_the_owner]);
    settles(both, T + 1, &first, &Settled::Done)?;
    settles(both, T + 1, &first, &Settled::Replayed)?;
    granted(both, T + 2, &one(MINUTE, 5), (2, &[T + 2], &[0]))?;
    settles(both, T + 3, &ticket(2, T, vec![back(T, 99)]), &Settled::Done)?;
    granted(both, T + 4, &one(MINUTE, 5), (3, &[T + 4], &[0]))
}

fn a_ticket_is_settled_until_exactly_its_age(both: &mut Both) -> Result<(), String> {
    granted(both, T, &one(MINUTE, 5), (5, &[T], &[0]))?;
    settles(both, T, &ticket(1, T - LIVES, vec![back(T, 2)]), &Settled::TooLate)?;
    settles(both, T, &ticket(1, T - LIVES + 1, vec![back(T, 2)]), &Settled::Done)?;
    settles(both, T + 1, &ticket(1, T - LIVES + 1, vec![back(T, 2)]), &Settled::TooLate)?;
    granted(both, T, &one(MINUTE, 5), (2, &[T], &[0]))
}

fn a_ticket_is_as_old_as_the_latest_instant_seen(both: &mut Both) -> Result<(), String> {
    granted(both, T, &one(MINUTE, 5), (5, &[T], &[0]))?;
    settles(both, T - 1, &ticket(1, T - LIVES, vec![back(T, 2)]), &Settled::TooLate)?;
    settles(both, T - 1, &ticket(1, T - LIVES + 1, vec![back(T, 2)]), &Settled::Done)
}

fn what_comes_back_is_forgotten_in_time(both: &mut Both) -> Result<(), String> {
    granted(both, T, &one(MINUTE, 3), (3, &[T], &[2]))?;
    granted(both, T + 1, &one(MINUTE, 2), (2, &[T + 1], &[0]))?;
    settles(both, T + 60_050, &ticket(1, T, vec![back(T, 3), back(T + 1, 1)]), &Settled::Done)?;
    refused(both, T + 60_049, &Charge { cost: 5, ..one(MINUTE, 5) }, (Some(2), &[4]))?;
    settles(both, T + 60_050, &ticket(2, T, vec![back(T + 1, 1)]), &Settled::Done)?;
    granted(both, T + 60_049, &one(MINUTE, 5), (5, &[T + 60_049], &[0]))
}
