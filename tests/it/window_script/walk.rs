//! A long random walk, the same for the same seed. Time goes in steps of exactly a slot, a window, a lease or a calendar's period, and one
//! millisecond beside.

use std::time::Duration;

use keyward::domain::calendar::{Period, Unit};
use keyward::domain::ticket::TicketId;
use keyward::domain::time::StoreTime;
use keyward::domain::window::{Force, Span, Spec};
use keyward::store::{Charge, Generations, Return, Settled, Settlement, Subject, SubjectName, Taken, undo};

use super::both::Both;
use super::fixed::name;

/// How often each answer was seen.
#[derive(Debug, Default)]
pub(super) struct Answers {
    granted: u64,
    refused: u64,
    stale: u64,
    returned: u64,
    /// Grants that a shadow would have refused.
    foreseen: u64,
    /// Grants whose tokens end with a period.
    cut: u64,
    settled: u64,
    replayed: u64,
    too_late: u64,
}

impl Answers {
    /// Whether every answer was seen often enough to say something.
    pub(super) fn are_balanced(&self, steps: u64) -> bool {
        [self.granted, self.refused].iter().all(|seen| *seen > steps / 10)
            && [self.stale, self.returned, self.foreseen, self.settled].iter().all(|seen| *seen > steps / 100)
            && [self.cut, self.replayed, self.too_late].iter().all(|seen| *seen > steps / 1_000)
    }

    fn note(&mut self, charge: &Charge, taken: &Taken) {
        match taken {
            Taken::Granted { tokens: 0, .. } => self.returned += 1,
            Taken::Granted { ttl, windows, .. } => {
                self.granted += 1;
                self.foreseen += u64::from(windows.iter().any(|told| told.slot.is_none()));
                self.cut += u64::from(*ttl < charge.ttl);
            }
            Taken::Refused { .. } => self.refused += 1,
            Taken::Stale | Taken::Behind => self.stale += 1,
            Taken::Failed(_) => {}
        }
    }
}

/// Walks, and ends where the two differ.
pub(super) fn run(both: &mut Both, seed: u64, steps: u64) -> Result<Answers, String> {
    let mut walk = Walk::new(seed);
    let mut answers = Answers::default();
    both.forget();
    for step in 0..steps {
        let here = |difference| format!("seed {seed}, step {step}: {difference}");
        walk.step();
        if let Some(settlement) = walk.settlement() {
            match both.settle(walk.now, &settlement).map_err(here)? {
                Settled::Done => answers.settled += 1,
                Settled::Replayed => answers.replayed += 1,
                Settled::TooLate => answers.too_late += 1,
                Settled::Failed(error) => return Err(here(error.to_string())),
            }
        }
        let charge = walk.charge();
        let taken = both.take(walk.now, &charge).map_err(here)?;
        answers.note(&charge, &taken);
        if let Taken::Granted { tokens: tokens @ 1.., windows, .. } = taken {
            walk.grants.push((walk.now, undo(&charge.subjects, tokens, &windows)));
        }
    }
    Ok(answers)
}

/// Some instant that is the start of a day in every unit that is used here.
const START: i64 = 1_800_000_000_000;
/// How long the calendars' periods are here.
const DAY: i64 = 120_000;
const MONTH: i64 = 600_000;

struct Walk {
    dice: Dice,
    now: i64,
    generation: u64,
    plan: Plan,
    /// By how much the calendars' zone is off.
    zone: i64,
    /// When, and what undoes them.
    grants: Vec<(i64, Vec<Return>)>,
    tickets: Vec<Settlement>,
}

/// Plans, so that limits come, go and change.
#[derive(Clone, Copy)]
enum Plan {
    A,
    B,
    /// With calendars.
    C,
    /// With shadows.
    D,
}

impl Walk {
    fn new(seed: u64) -> Self {
        Self { dice: Dice(seed), now: START, generation: 1, plan: Plan::A, zone: 0, grants: Vec::new(), tickets: Vec::new() }
    }

    fn of_key(&mut self) -> Vec<Spec> {
        match self.plan {
            Plan::A => vec![Spec::sliding(60_000, 9), Spec::sliding(3_600_000, 90)],
            Plan::B => vec![Spec::sliding(60_000, 25)],
            Plan::C => vec![self.calendar(Unit::Day, 30), Spec::sliding(60_000, 25)],
            Plan::D => vec![shadow(Spec::sliding(60_000, 9)), Spec::sliding(3_600_000, 90)],
        }
    }

    fn of_owner(&mut self) -> Vec<Spec> {
        match self.plan {
            Plan::A => vec![Spec::sliding(60_000, 40)],
            Plan::B => vec![Spec::sliding(86_400_000, 900), Spec::sliding(60_000, 20)],
            Plan::C => vec![self.calendar(Unit::Month, 120)],
            Plan::D => vec![shadow(self.calendar(Unit::Day, 10)), Spec::sliding(60_000, 40)],
        }
    }

    /// The period that the taker thinks it is, which may be one before or after.
    fn calendar(&mut self, unit: Unit, most: u32) -> Spec {
        let length = if unit == Unit::Day { DAY } else { MONTH };
        let thinks = self.now - self.zone + self.dice.one_of(&[0, 0, 0, 0, 0, 1_000, -1_000, -length, -2 * length]);
        let from = thinks - (thinks - START).rem_euclid(length) + self.zone;
        let [from, until, next_until] = [from, from + length, from + 2 * length].map(StoreTime);
        Spec { most, span: Span::Calendar(Period { unit, from, until, next_until }), force: Force::Enforced }
    }

    /// Time goes on: mostly little, now and then by a whole window, seldom back.
    fn step(&mut self) {
        let span = self.dice.one_of(&[1, 3_750, 3_750, 60_000, 50, 2_000, 112_500, 120_000]);
        let times = if self.dice.below(12) == 0 { self.dice.one_of(&[2, 4, 16, 32]) } else { 1 };
        let beside = self.dice.one_of(&[-1, 0, 0, 0, 1]);
        match self.dice.below(20) {
            0..=9 => {}
            10..=16 => self.now += (span * times + beside).max(0),
            // to the very end of a day, or beside it
            17 => self.now += DAY - (self.now - START - self.zone).rem_euclid(DAY) + beside,
            _ => self.now -= self.dice.one_of(&[0, 0, 1, 3_750, 60_000]),
        }
        if self.dice.below(40) == 0 {
            self.plan = self.dice.one_of(&[Plan::A, Plan::B, Plan::C, Plan::C, Plan::D]);
            self.generation += 1;
        }
        if self.dice.below(100) == 0 {
            self.zone = self.dice.one_of(&[0, 30_000, 60_000]);
        }
    }

    fn charge(&mut self) -> Charge {
        let key = name(Some(self.dice.one_of(&["key_1", "key_2"])));
        let (of_key, of_owner) = (self.of_key(), self.of_owner());
        let subjects = match self.dice.below(8) {
            0 => vec![self.subject(key, of_key)],
            1 => vec![self.subject(name(None), of_owner)],
            _ => vec![self.subject(key, of_key), self.subject(name(None), of_owner)],
        };
        let returns = self.returns();
        let (want, cost) = match self.dice.below(24) {
            0 | 1 => (0, 0),
            2 | 3 => (30, 30),
            4 => (5, 0),
            _ => self.dice.one_of(&[(1, 1), (2, 1), (8, 1), (5, 5), (20, 3)]),
        };
        let ttl = Duration::from_millis(self.dice.one_of(&[0, 50, 50, 2_000, 3_750]));
        let generations = if self.dice.below(16) == 0 { Generations::Confirmed } else { Generations::Heard };
        Charge { subjects, want, cost, ttl, share: self.dice.one_of(&[1, 1, 2, 3, 8]), generations, returns }
    }

    fn subject(&mut self, name: SubjectName, windows: Vec<Spec>) -> Subject {
        let behind = u64::from(self.dice.below(20) == 0);
        Subject { name, generation: self.generation - behind, windows }
    }

    /// Tokens of grants that were seen: all of them, some, or more; once in a while to a slot that never was.
    fn returns(&mut self) -> Vec<Return> {
        let mut returns = Vec::new();
        while self.dice.below(6) == 0 && !self.grants.is_empty() {
            let at = self.newest(self.grants.len());
            for grant in self.grants.swap_remove(at).1 {
                let tokens = self.dice.one_of(&[grant.tokens, grant.tokens.div_ceil(2), grant.tokens + 3]);
                let slot = grant.slot + self.dice.one_of(&[0, 0, 0, 0, 1]);
                returns.push(Return { tokens, slot, ..grant });
            }
        }
        returns
    }

    /// Of a grant that was seen, or one that was made before; some are as old as a ticket may be, or older.
    fn settlement(&mut self) -> Option<Settlement> {
        match self.dice.below(30) {
            0..=2 if !self.grants.is_empty() => {
                let at = self.newest(self.grants.len());
                let (granted, returns) = self.grants.swap_remove(at);
                let minted = StoreTime(self.dice.one_of(&[granted, granted, granted, self.now - 600_000, self.now - 599_999]));
                let mut id = [0; 16];
                id[8..].copy_from_slice(&(self.tickets.len() as u64).to_be_bytes());
                let settlement = Settlement { ticket: TicketId(id), minted, returns };
                self.tickets.push(settlement.clone());
                (!settlement.returns.is_empty()).then_some(settlement)
            }
            3 if !self.tickets.is_empty() => {
                let at = self.newest(self.tickets.len());
                let again = self.tickets[at].clone();
                (!again.returns.is_empty()).then_some(again)
            }
            _ => None,
        }
    }

    /// One of the last twelve.
    fn newest(&mut self, count: usize) -> usize {
        count - 1 - usize::try_from(self.dice.below(count.min(12) as u64)).unwrap()
    }
}

fn shadow(spec: Spec) -> Spec {
    Spec { force: Force::Shadow, ..spec }
}

/// Numbers that look random: a Weyl sequence, scrambled.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 31)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
        ((mixed ^ (mixed >> 32)).wrapping_mul(0xD6E8_FEB8_6659_FD93) >> 33) % end
    }

    fn one_of<T: Copy>(&mut self, of: &[T]) -> T {
        of[usize::try_from(self.below(of.len() as u64)).unwrap()]
    }
}
