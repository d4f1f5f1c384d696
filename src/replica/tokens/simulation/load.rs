//! When checks come.

use super::mix::{Mix, Pattern, SECOND, sliding};
use crate::domain::limit::Per;
use crate::domain::window::Force;
use crate::revocation::simulation::dice::Dice;

/// A check of a key at an instant, in microseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival {
    pub at: u64,
    pub key: usize,
}

/// In the order of time.
pub(super) fn arrivals(mix: &Mix, dice: &mut Dice) -> Vec<Arrival> {
    let mut all: Vec<Arrival> = (0..mix.owners * mix.keys_each).flat_map(|key| of_key(mix, key, dice)).collect();
    all.sort_by_key(|arrival| arrival.at);
    all.truncate(mix.most_checks);
    all
}

fn of_key(mix: &Mix, key: usize, dice: &mut Dice) -> Vec<Arrival> {
    let (most, length) = tightest(mix);
    let mut times = Vec::new();
    match mix.pattern {
        Pattern::Rate(factor) => {
            let pause = length as f64 / most as f64 / factor;
            let mut at = 0.0;
            while (at as u64) < mix.length {
                times.push(at as u64);
                // exponential: what many independent callers make
                at -= pause * ((dice.between(1, 1 << 40) as f64) / (1u64 << 40) as f64).ln();
            }
        }
        Pattern::Bursts => {
            let mut at = dice.below(length);
            while at < mix.length {
                let size = dice.below(2 * most + 2);
                let spread = dice.any_span(SECOND / 2).max(1);
                times.extend((0..size).map(|_| at + dice.below(spread)));
                at += dice.between(1, length);
            }
        }
        Pattern::Boundary => {
            for turn in (1..=mix.length / length).map(|turn| turn * length) {
                let near = dice.between(1, 1 + length / 20);
                times.extend((0..2 * most).map(|_| turn.saturating_sub(near) + dice.below(near / 2 + 1)));
                times.extend((0..2 * most).map(|_| turn + dice.below(near)));
            }
        }
    }
    times.into_iter().filter(|at| *at < mix.length).map(|at| Arrival { at, key }).collect()
}

/// Of the limits that slide, what one key may use of that which allows least in its time: how many in how many microseconds.
fn tightest(mix: &Mix) -> (u64, u64) {
    let enforced = mix.limits.iter().filter(|limit| limit.force == Force::Enforced);
    let of = enforced.filter_map(|limit| {
        let keys = if limit.per == Per::Owner { mix.keys_each as u64 } else { 1 };
        Some(((u64::from(limit.most) / keys).max(1), u64::from(sliding(limit)?) * 1000))
    });
    of.min_by(|a, b| (a.0 * b.1).cmp(&(b.0 * a.1))).unwrap_or((200, 2 * SECOND))
}
