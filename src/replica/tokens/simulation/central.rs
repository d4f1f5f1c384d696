//! Other ways to limit, in the same world, asked at once and for nothing: what ours is measured against.

use super::load::Arrival;

/// An exact log: what a limit allows at most.
pub(super) fn exact_log(arrivals: &[Arrival], most: usize, length: u64) -> Vec<u64> {
    let mut admitted: Vec<u64> = Vec::new();
    for Arrival { at, .. } in arrivals {
        let is_over = admitted.len() < most || admitted[admitted.len() - most] + length <= *at;
        if is_over {
            admitted.push(*at);
        }
    }
    admitted
}

/// A count that begins anew with every length.
pub(super) fn fixed_window(arrivals: &[Arrival], most: usize, length: u64) -> Vec<u64> {
    let (mut turn, mut count, mut admitted) = (0, 0, Vec::new());
    for Arrival { at, .. } in arrivals {
        if at / length != turn {
            (turn, count) = (at / length, 0);
        }
        if count < most {
            count += 1;
            admitted.push(*at);
        }
    }
    admitted
}

/// The same, with the former count weighed by what of it is still in the window.
pub(super) fn two_buckets(arrivals: &[Arrival], most: usize, length: u64) -> Vec<u64> {
    let (mut turn, mut counts, mut admitted) = (0, [0, 0], Vec::new());
    for Arrival { at, .. } in arrivals {
        let now = at / length;
        if now != turn {
            counts = [if now == turn + 1 { counts[1] } else { 0 }, 0];
            turn = now;
        }
        let weight = 1.0 - (at % length) as f64 / length as f64;
        if f64::from(counts[0]) * weight + f64::from(counts[1]) < most as f64 {
            counts[1] += 1;
            admitted.push(*at);
        }
    }
    admitted
}

/// The most in any true window.
pub(super) fn worst(admitted: &[u64], length: u64) -> usize {
    let mut from = 0;
    let held = admitted.iter().enumerate().map(|(at, now)| {
        while admitted[from] + length <= *now {
            from += 1;
        }
        at + 1 - from
    });
    held.max().unwrap_or(0)
}
