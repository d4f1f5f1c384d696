//! Tokens that are taken and spent, and the windows that they were spent in.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use keyward::clock::Clock as _;
use keyward::domain::window::Spec;
use keyward::store::embedded::Embedded;
use keyward::store::{Store as _, StoreError, Taken, undo};

use super::super::records::{charge, spec};
use super::{Loss, Seen, World, ms};

/// A token, where and when (on the boot clock, which no power cut stops here).
pub(super) struct Spent {
    owner: u64,
    key: u64,
    at_ms: u64,
    /// Of the ticket that it can be settled with.
    pub(super) ticket: u64,
}

impl World {
    /// A few takes at once, by two keys of two owners.
    pub(super) async fn take(&mut self, store: &Embedded, seen: &mut Seen) {
        let of: Vec<(u64, u64)> = (0..=self.dice.below(6)).map(|_| (self.dice.below(2), self.dice.below(2))).collect();
        let charges: Vec<_> = of.iter().map(|(owner, key)| vec![charge(*owner, *key, of_key(), of_owner())]).collect();
        let answers = join_all(charges.iter().map(|charges| store.take(charges))).await;
        for ((owner, key), answer) in of.into_iter().zip(answers) {
            match answer.map(|taken| taken.into_iter().next()) {
                Ok(Some(Taken::Granted { tokens, windows, .. })) => {
                    seen.grants += 1;
                    let at_ms = self.spend_time();
                    let ticket = self.mint(undo(&charge(owner, key, of_key(), of_owner()).subjects, tokens, &windows));
                    self.spent.extend((0..tokens).map(|_| Spent { owner, key, at_ms, ticket }));
                }
                Ok(_) => seen.refusals += 1,
                Err(StoreError::Unavailable(_)) => {}
                Err(other) => self.lose(Loss::Store, &format!("{other}")),
            }
        }
    }

    /// Between now and the deadline of a charge that was sent just now.
    fn spend_time(&mut self) -> u64 {
        let sent = self.clock.boot();
        let deadline = sent.deadline(charge(0, 0, of_key(), of_owner()).ttl);
        let (sent, deadline) = (ms(sent.0), ms(deadline.0));
        sent + self.dice.below(deadline - sent)
    }

    /// Takes all there is, so that every token forgotten is one too many.
    pub(super) async fn burst(&mut self, store: &Embedded, seen: &mut Seen) {
        for _ in 0..12 {
            self.take(store, seen).await;
        }
        self.clock.pass(Duration::from_millis(self.dice.below(6_000)));
        for _ in 0..6 {
            self.take(store, seen).await;
        }
    }

    pub(super) fn measure_windows(&mut self) {
        let mut subjects: BTreeMap<(u64, Option<u64>), Vec<u64>> = BTreeMap::new();
        for Spent { owner, key, at_ms, .. } in &self.spent {
            subjects.entry((*owner, Some(*key))).or_default().push(*at_ms);
            subjects.entry((*owner, None)).or_default().push(*at_ms);
        }
        for (name, mut times) in subjects {
            times.sort_unstable();
            let specs = if name.1.is_some() { of_key() } else { of_owner() };
            for spec in specs {
                let within = |end: &u64| times.iter().filter(|at| **at <= *end && **at + u64::from(spec.id().0) > *end).count();
                let most = times.iter().map(within).max().unwrap_or(0);
                if most > spec.most as usize {
                    self.lose(Loss::Window, &format!("{most} in {spec:?} of {name:?}"));
                }
            }
        }
    }
}

fn of_key() -> Vec<Spec> {
    vec![spec(24, 10), spec(60, 60)]
}

fn of_owner() -> Vec<Spec> {
    vec![spec(40, 10)]
}
