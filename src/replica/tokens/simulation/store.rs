//! The store: the rule of windows, with generations as every engine keeps them.

use std::collections::HashMap;
use std::time::Duration;

use super::mutants::Mutant;
use crate::domain::time::StoreTime;
use crate::domain::window::{self, Answer, Ask, Spec, WindowId, Windows};
use crate::store::{Charge, Generations, Return, SubjectName, Taken};

pub(super) struct Store {
    kept: HashMap<SubjectName, (u64, Windows)>,
    mutant: Option<Mutant>,
    once: Duration,
    /// Charges that were answered, those that only returned something apart.
    pub calls: usize,
    pub granted: u32,
}

impl Store {
    pub(super) fn new(mutant: Option<Mutant>, once: Duration) -> Self {
        Self { kept: HashMap::new(), mutant, once, calls: 0, granted: 0 }
    }

    pub(super) fn take(&mut self, charge: &Charge, now: StoreTime) -> Taken {
        self.give_back(&charge.returns);
        if self.mutant == Some(Mutant::ReturnsAreMadeTwice) {
            self.give_back(&charge.returns);
        }
        if charge.want == 0 {
            return Taken::Granted { tokens: 0, ttl: Duration::ZERO, windows: Vec::new() };
        }
        self.calls += 1;
        let mut kept: Vec<(u64, Windows)> =
            charge.subjects.iter().map(|subject| self.kept.get(&subject.name).cloned().unwrap_or_default()).collect();
        if charge.generations == Generations::Confirmed {
            for (generation, _) in &mut kept {
                *generation = 0;
            }
        }
        let stale = charge.subjects.iter().zip(&kept).any(|(subject, (generation, _))| subject.generation < *generation);
        for (subject, (generation, _)) in charge.subjects.iter().zip(&mut kept) {
            *generation = subject.generation.max(*generation);
        }
        let is_short = self.mutant == Some(Mutant::OneOffsAreForgottenAtOnce) && charge.ttl == self.once;
        let ttl_ms = u32::try_from(charge.ttl.as_nanos().div_ceil(1_000_000)).unwrap();
        let counted_ms = if is_short { 0 } else { ttl_ms };
        let ask = Ask { now, want: charge.want, cost: charge.cost, ttl_ms: counted_ms, share: charge.share };
        let answer = if stale { Answer::Behind } else { asked(&mut kept, charge, &ask) };
        for (subject, kept) in charge.subjects.iter().zip(kept) {
            self.kept.insert(subject.name.clone(), kept);
        }
        match answer {
            Answer::Granted { tokens, ttl_ms: counted_ms, windows } => {
                self.granted += tokens;
                let ttl_ms = if is_short { ttl_ms } else { counted_ms };
                Taken::Granted { tokens, ttl: Duration::from_millis(ttl_ms.into()), windows }
            }
            Answer::Refused { retry_at, windows } => Taken::Refused { retry_in: retry_at.map(|at| now.until(at)), windows },
            Answer::Behind => Taken::Behind,
        }
    }

    pub(super) fn give_back(&mut self, returns: &[Return]) {
        for back in returns {
            if let Some((_, windows)) = self.kept.get_mut(&back.subject) {
                windows.give_back(back.window, back.slot, back.tokens);
            }
        }
    }

    /// What a window counts, the last that was seen of it.
    pub(super) fn count(&self, subject: &SubjectName, id: WindowId) -> u32 {
        let windows = self.kept.get(subject).into_iter().flat_map(|(_, windows)| &windows.windows);
        windows.filter(|window| window.id == id).flat_map(|window| &window.slots).map(|slot| slot.count).sum()
    }
}

fn asked(kept: &mut [(u64, Windows)], charge: &Charge, ask: &Ask) -> Answer {
    let windows = kept.iter_mut().map(|(_, windows)| windows);
    let mut subjects: Vec<(&mut Windows, &[Spec])> =
        windows.zip(&charge.subjects).map(|(windows, subject)| (windows, subject.windows.as_slice())).collect();
    window::take(&mut subjects, ask)
}
