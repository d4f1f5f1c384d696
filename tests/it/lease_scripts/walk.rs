//! The walk: the same for the same seed.

use std::time::Duration;

use keyward::revocation::{At, Holder, Log, Mark, Renewal, Terms};

use super::both::Both;

/// How often each answer was seen.
#[derive(Debug, Default)]
pub(super) struct Seen {
    entries: u64,
    jumps: u64,
    lost: u64,
    rolled_back: u64,
}

impl Seen {
    /// Whether every answer was seen often enough to say something.
    pub(super) fn is_balanced(&self, steps: u64) -> bool {
        [self.entries, self.jumps, self.lost, self.rolled_back].iter().all(|seen| *seen > steps / 40)
    }
}

/// Walks, and ends where the two differ.
pub(super) fn run(both: &mut Both, seed: u64, steps: u64) -> Result<Seen, String> {
    let (mut walk, mut seen) = (Walk { dice: seed, strange: Vec::new(), lost: None }, Seen::default());
    for step in 0..steps {
        walk.step(both, &mut seen).map_err(|difference| format!("seed {seed}, step {step}: {difference}"))?;
    }
    Ok(seen)
}

struct Walk {
    dice: u64,
    /// Places that were in the log when a backup was restored: of other logs, most of them.
    strange: Vec<At>,
    /// What was named as secured when the log was found rolled back.
    lost: Option<At>,
}

impl Walk {
    fn step(&mut self, both: &mut Both, seen: &mut Seen) -> Result<(), String> {
        match self.below(100) {
            0..20 => {
                let (changes, mark) = (1 + self.below(3), self.next());
                both.commit(changes, mark);
                if self.below(2) == 0 {
                    both.secure();
                }
            }
            20..24 => both.trim(self.index(8)),
            24..28 => both.back_up(),
            28..30 => {
                self.strange.extend(both.model.places().skip(1));
                let newest = self.strange.len().saturating_sub(40);
                self.strange.drain(..newest);
                both.restore();
            }
            30..35 => both.resume(),
            35..50 => both.acknowledge(&self.holder(), self.place(both))?,
            50..60 => {
                let (holder, beside) = (self.holder(), self.below(3));
                let renewals = both.model.holders().into_iter().find(|(other, _)| *other == holder).map_or(0, |(_, entry)| entry.renewals);
                both.dismiss(&holder, (renewals + beside).saturating_sub(1))?;
            }
            _ => self.renew(both, seen)?,
        }
        Ok(())
    }

    fn renew(&mut self, both: &mut Both, seen: &mut Seen) -> Result<(), String> {
        let applied = if self.below(8) == 0 { None } else { Some(self.place(both)) };
        let secured = match (self.below(16), self.lost) {
            (0 | 1, _) => self.place(both),
            (2, Some(lost)) => lost,
            _ => both.model.secured,
        };
        let terms = Terms { lease: Duration::from_millis(1_000 + 500 * self.below(9)) };
        match both.renew(&Renewal { holder: self.holder(), number: 1 + self.below(1000), terms, applied, secured })? {
            Log::Entries { .. } => seen.entries += 1,
            Log::Jump { .. } => seen.jumps += 1,
            Log::Lost { .. } => seen.lost += 1,
            Log::RolledBack { .. } => {
                seen.rolled_back += 1;
                self.lost = Some(secured);
            }
        }
        Ok(())
    }

    /// Mostly one of the last places of this log; sometimes any of it, one of another log, or one that is in none.
    fn place(&mut self, both: &Both) -> At {
        let (places, head) = (both.model.places().collect::<Vec<_>>(), both.model.head());
        match self.below(20) {
            0..12 => places[places.len() - 1 - self.index(places.len().min(9))],
            12..16 => places[self.index(places.len())],
            16..18 if !self.strange.is_empty() => {
                let index = self.index(self.strange.len());
                self.strange[index]
            }
            18 if head.position > 0 => At { mark: Mark(self.next()), ..head },
            _ => At { position: head.position + 1 + self.below(2), mark: Mark(self.next()) },
        }
    }

    /// One of two lives of one of two replicas.
    fn holder(&mut self) -> Holder {
        let replica = ["a", "b"][self.index(2)];
        Holder { replica: replica.into(), incarnation: 1 + self.below(2) }
    }

    fn index(&mut self, count: usize) -> usize {
        usize::try_from(self.below(count as u64)).unwrap()
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// `SplitMix64`.
    fn next(&mut self) -> u64 {
        self.dice = self.dice.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.dice;
        bits = (bits ^ bits >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ bits >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ bits >> 31
    }
}
