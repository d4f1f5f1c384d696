//! A long random walk, the same for the same seed. Time goes in steps of exactly a slot, a window or a lease, and one millisecond beside.

use std::time::Duration;

use keyward::domain::window::Spec;
use keyward::store::{Charge, Return, Subject, SubjectName, Taken, undo};

use super::both::Both;
use super::fixed::name;

/// How often each answer was seen.
#[derive(Debug, Default)]
pub(super) struct Answers {
    granted: u64,
    refused: u64,
    stale: u64,
    returned: u64,
}

impl Answers {
    /// Whether every answer was seen often enough to say something.
    pub(super) fn are_balanced(&self, steps: u64) -> bool {
        [self.granted, self.refused].iter().all(|seen| *seen > steps / 10)
            && [self.stale, self.returned].iter().all(|seen| *seen > steps / 100)
    }
}

/// Walks, and ends where the two differ.
pub(super) fn run(both: &mut Both, seed: u64, steps: u64) -> Result<Answers, String> {
    let mut walk = Walk { dice: Dice(seed), now: 1_800_000_000_000, generation: 1, plan: Plan::A, grants: Vec::new() };
    let mut answers = Answers::default();
    both.forget();
    for step in 0..steps {
        walk.step();
        let charge = walk.charge();
        let taken = both.take(walk.now, &charge).map_err(|difference| format!("seed {seed}, step {step}: {difference}"))?;
        match &taken {
            Taken::Granted { tokens: 0, .. } => answers.returned += 1,
            Taken::Granted { tokens, windows, .. } => {
                answers.granted += 1;
                walk.grants.extend(undo(&charge.subjects, *tokens, windows));
            }
            Taken::Refused { .. } => answers.refused += 1,
            Taken::Stale => answers.stale += 1,
            Taken::Failed(error) => return Err(format!("seed {seed}, step {step}: {error}")),
        }
    }
    Ok(answers)
}

struct Walk {
    dice: Dice,
    now: i64,
    generation: u64,
    plan: Plan,
    grants: Vec<Return>,
}

/// Two plans, so that limits come, go and change.
#[derive(Clone, Copy)]
enum Plan {
    A,
    B,
}

impl Plan {
    fn of_key(self) -> Vec<Spec> {
        match self {
            Self::A => vec![Spec::sliding(60_000, 9), Spec::sliding(3_600_000, 90)],
            Self::B => vec![Spec::sliding(60_000, 25)],
        }
    }

    fn of_owner(self) -> Vec<Spec> {
        match self {
            Self::A => vec![Spec::sliding(60_000, 40)],
            Self::B => vec![Spec::sliding(86_400_000, 900), Spec::sliding(60_000, 20)],
        }
    }
}

impl Walk {
    /// Time goes on: mostly little, now and then by a whole window, seldom back.
    fn step(&mut self) {
        let span = self.dice.one_of(&[1, 3_750, 3_750, 60_000, 50, 2_000, 112_500]);
        let times = if self.dice.below(12) == 0 { self.dice.one_of(&[2, 4, 16, 32]) } else { 1 };
        let beside = self.dice.one_of(&[-1, 0, 0, 0, 1]);
        match self.dice.below(10) {
            0..=4 => {}
            5..=8 => self.now += (span * times + beside).max(0),
            _ => self.now -= self.dice.one_of(&[0, 0, 1, 3_750, 60_000]),
        }
        if self.dice.below(40) == 0 {
            self.plan = if self.dice.below(2) == 0 { Plan::A } else { Plan::B };
            self.generation += 1;
        }
    }

    fn charge(&mut self) -> Charge {
        let key = name(Some(self.dice.one_of(&["key_1", "key_2"])));
        let subjects = match self.dice.below(8) {
            0 => vec![self.subject(key, self.plan.of_key())],
            1 => vec![self.subject(name(None), self.plan.of_owner())],
            _ => vec![self.subject(key, self.plan.of_key()), self.subject(name(None), self.plan.of_owner())],
        };
        let returns = self.returns();
        let (want, cost) = match self.dice.below(12) {
            0 => (0, 0),
            1 => (30, 30),
            _ => self.dice.one_of(&[(1, 1), (2, 1), (8, 1), (5, 5), (20, 3)]),
        };
        let ttl = Duration::from_millis(self.dice.one_of(&[0, 50, 50, 2_000, 3_750]));
        Charge { subjects, want, cost, ttl, share: self.dice.one_of(&[1, 1, 2, 3, 8]), returns }
    }

    fn subject(&mut self, name: SubjectName, windows: Vec<Spec>) -> Subject {
        let behind = u64::from(self.dice.below(20) == 0);
        Subject { name, generation: self.generation - behind, windows }
    }

    /// Tokens of grants that were seen: all of them, some, or more; once in a while to a slot that never was.
    fn returns(&mut self) -> Vec<Return> {
        let mut returns = Vec::new();
        while self.dice.below(4) == 0 && !self.grants.is_empty() {
            let newest = self.grants.len();
            let at = newest - 1 - usize::try_from(self.dice.below(newest.min(12) as u64)).unwrap();
            let grant = self.grants.swap_remove(at);
            let tokens = self.dice.one_of(&[grant.tokens, grant.tokens.div_ceil(2), grant.tokens + 3]);
            let slot = grant.slot + self.dice.one_of(&[0, 0, 0, 0, 1]);
            returns.push(Return { tokens, slot, ..grant });
        }
        returns
    }
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
