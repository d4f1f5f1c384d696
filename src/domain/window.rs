//! Sliding windows that never over-admit: slots of grants, each counted in full until the last of its tokens can no longer have been
//! spent inside the window. The script `take.lua` holds the same rule; a differential test keeps the two equal.
//!
//! Why it holds: take the last grant that led to an admission in a window (x−W, x]. Every admission in that window came from a grant no
//! later than that one and was spent later than x−W, so its slot was still counted then, and the sum after it was at most N.

use super::limit::Limit;
use super::time::StoreTime;

/// The counted past of one subject (a key or an owner), all its windows together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Windows {
    /// The latest instant seen: time never runs backwards for a subject.
    pub latest: StoreTime,
    pub windows: Vec<Window>,
}

/// The counted past of one limit, known by its length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    pub length_ms: u32,
    /// Oldest first.
    pub slots: Vec<Slot>,
}

/// A piece of the past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// When its first grant was made; names it within its window.
    pub start: i64,
    /// The latest instant at which one of its tokens may be spent.
    pub last: i64,
    pub count: u32,
}

/// What a taker knows of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spec {
    pub length_ms: u32,
    pub most: u32,
    /// How long a slot takes grants.
    pub slot_ms: u32,
}

/// What is asked of the windows of one or more subjects together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    pub now: StoreTime,
    /// How many tokens would be welcome.
    pub want: u32,
    /// Fewer than these are of no use.
    pub cost: u32,
    /// How long the tokens may be spent.
    pub ttl_ms: u32,
    /// At most one `share`-th of what is left goes to one taker, the cost apart.
    pub share: u32,
}

/// The windows' answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Granted {
        /// Between cost and want.
        tokens: u32,
        /// The start of the slot they were counted in, of each window in the order asked.
        slots: Vec<i64>,
        /// What is left of each window, in the order asked.
        left: Vec<u32>,
    },
    /// Nothing was taken from any window.
    Refused {
        /// The earliest instant at which the cost fits in every window if nobody else asks; `None`: it never will.
        retry_at: Option<StoreTime>,
        left: Vec<u32>,
    },
}

impl From<&Limit> for Spec {
    fn from(limit: &Limit) -> Self {
        Self { length_ms: limit.length_ms, most: limit.most, slot_ms: limit.slot_ms() }
    }
}

/// Takes tokens from every window of every subject, all or nothing.
pub fn take(subjects: &mut [(&mut Windows, &[Spec])], ask: &Ask) -> Answer {
    let now = subjects.iter().map(|(windows, _)| windows.latest.0).fold(ask.now.0, i64::max);
    for (windows, specs) in subjects.iter_mut() {
        windows.advance(now, specs);
    }
    let asked = || subjects.iter().flat_map(|(windows, specs)| specs.iter().map(|spec| (windows.window(spec.length_ms), spec)));
    let left: Vec<u32> = asked().map(|(window, spec)| spec.most.saturating_sub(sum(window))).collect();
    let room = left.iter().copied().min().unwrap_or(u32::MAX);
    if room < ask.cost {
        let retry_at = asked().map(|(window, spec)| fits_at(window, spec, ask.cost, now)).try_fold(now, |at, fits| Some(at.max(fits?)));
        return Answer::Refused { retry_at: retry_at.map(StoreTime), left };
    }
    let tokens = ask.want.min(ask.cost.max(room / ask.share.max(1)));
    let last = now + i64::from(ask.ttl_ms);
    let mut slots = Vec::new();
    for (windows, specs) in subjects.iter_mut() {
        for spec in *specs {
            slots.push(windows.count(spec, now, last, tokens));
        }
    }
    Answer::Granted { tokens, slots, left: left.iter().map(|left| left - tokens).collect() }
}

impl Windows {
    /// Takes back tokens that were never spent. A slot that is gone, or holds fewer, is left as it is or emptied.
    pub fn give_back(&mut self, length_ms: u32, start: i64, tokens: u32) {
        let window = self.windows.iter_mut().find(|window| window.length_ms == length_ms);
        if let Some(slot) = window.and_then(|window| window.slots.iter_mut().find(|slot| slot.start == start)) {
            slot.count = slot.count.saturating_sub(tokens);
        }
    }

    /// When nothing of the past counts any more.
    #[must_use]
    pub fn over_at(&self) -> StoreTime {
        let ends = self.windows.iter().flat_map(|window| window.slots.iter().map(|slot| slot.last + i64::from(window.length_ms)));
        StoreTime(ends.max().unwrap_or(self.latest.0))
    }

    /// Drops what no longer counts and makes room for windows not seen before.
    fn advance(&mut self, now: i64, specs: &[Spec]) {
        self.latest = StoreTime(now);
        for window in &mut self.windows {
            let length = i64::from(window.length_ms);
            window.slots.retain(|slot| slot.count > 0 && slot.last > now - length);
        }
        for spec in specs {
            if self.window(spec.length_ms).is_empty() && !self.windows.iter().any(|window| window.length_ms == spec.length_ms) {
                self.windows.push(Window { length_ms: spec.length_ms, slots: Vec::new() });
            }
        }
        self.windows.retain(|window| !window.slots.is_empty() || specs.iter().any(|spec| spec.length_ms == window.length_ms));
    }

    fn window(&self, length_ms: u32) -> &[Slot] {
        self.windows.iter().find(|window| window.length_ms == length_ms).map_or(&[], |window| &window.slots)
    }

    /// Counts tokens in the newest slot while that is young, else in a new one, and names it.
    fn count(&mut self, spec: &Spec, now: i64, last: i64, tokens: u32) -> i64 {
        let Some(window) = self.windows.iter_mut().find(|window| window.length_ms == spec.length_ms) else { return now };
        match window.slots.last_mut() {
            Some(slot) if now - slot.start < i64::from(spec.slot_ms.max(1)) => {
                slot.count += tokens;
                slot.last = slot.last.max(last);
                slot.start
            }
            _ => {
                window.slots.push(Slot { start: now, last, count: tokens });
                now
            }
        }
    }
}

fn sum(slots: &[Slot]) -> u32 {
    slots.iter().map(|slot| slot.count).fold(0, u32::saturating_add)
}

/// The earliest instant at which `cost` fits in the window: enough slots are dropped by then.
fn fits_at(slots: &[Slot], spec: &Spec, cost: u32, now: i64) -> Option<i64> {
    let mut over = (i64::from(sum(slots)) + i64::from(cost)) - i64::from(spec.most);
    if over <= 0 {
        return Some(now);
    }
    let mut by_end: Vec<&Slot> = slots.iter().collect();
    by_end.sort_by_key(|slot| slot.last);
    for slot in by_end {
        over -= i64::from(slot.count);
        if over <= 0 {
            return Some(slot.last + i64::from(spec.length_ms));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Spec = Spec { length_ms: 60_000, most: 5, slot_ms: 0 };

    fn ask(now: i64, want: u32) -> Ask {
        Ask { now: StoreTime(now), want, cost: 1, ttl_ms: 50, share: 1 }
    }

    fn one(windows: &mut Windows, spec: Spec, ask: &Ask) -> Answer {
        take(&mut [(windows, &[spec])], ask)
    }

    #[test]
    fn a_slot_counts_in_full_until_its_last_token_leaves_the_window() {
        let mut windows = Windows::default();
        assert!(matches!(one(&mut windows, MINUTE, &ask(1_000, 5)), Answer::Granted { tokens: 5, .. }));
        let refused = Answer::Refused { retry_at: Some(StoreTime(61_050)), left: vec![0] };
        assert_eq!(one(&mut windows, MINUTE, &ask(61_049, 1)), refused);
        assert!(matches!(one(&mut windows, MINUTE, &ask(61_050, 1)), Answer::Granted { tokens: 1, .. }));
    }

    #[test]
    fn a_refusal_by_one_window_takes_nothing_from_the_others() {
        let hour = Spec { length_ms: 3_600_000, most: 100, slot_ms: 112_500 };
        let (mut key, mut owner) = (Windows::default(), Windows::default());
        for _ in 0..5 {
            take(&mut [(&mut key, &[MINUTE, hour]), (&mut owner, &[hour])], &ask(0, 1));
        }
        let answer = take(&mut [(&mut key, &[MINUTE, hour]), (&mut owner, &[hour])], &ask(0, 1));
        assert_eq!(answer, Answer::Refused { retry_at: Some(StoreTime(60_050)), left: vec![0, 95, 95] });
        assert_eq!(sum(owner.window(3_600_000)), 5);
    }

    #[test]
    fn a_grant_is_a_share_of_the_room_and_never_less_than_the_cost() {
        let spec = Spec { length_ms: 60_000, most: 100, slot_ms: 3_750 };
        let mut windows = Windows::default();
        let ask = Ask { share: 4, cost: 1, ..ask(0, 80) };
        let granted: Vec<u32> = std::iter::from_fn(|| match one(&mut windows, spec, &ask) {
            Answer::Granted { tokens, .. } => Some(tokens),
            Answer::Refused { .. } => None,
        })
        .collect();
        assert_eq!(granted.iter().sum::<u32>(), 100);
        assert_eq!(granted[..4], [25, 18, 14, 10]);
        assert_eq!(*granted.last().unwrap(), 1);
    }

    #[test]
    fn a_cost_above_the_limit_never_fits() {
        let answer = one(&mut Windows::default(), MINUTE, &Ask { cost: 6, ..ask(0, 6) });
        assert_eq!(answer, Answer::Refused { retry_at: None, left: vec![5] });
    }

    #[test]
    fn what_is_given_back_can_be_taken_again_and_never_more_than_was_taken() {
        let mut windows = Windows::default();
        one(&mut windows, MINUTE, &ask(7, 5));
        windows.give_back(60_000, 7, 2);
        assert!(matches!(one(&mut windows, MINUTE, &ask(8, 5)), Answer::Granted { tokens: 2, .. }));
        windows.give_back(60_000, 7, 99);
        windows.give_back(60_000, 12_345, 99);
        assert!(matches!(one(&mut windows, MINUTE, &ask(9, 5)), Answer::Granted { tokens: 3, .. }));
    }

    #[test]
    fn time_that_runs_backwards_is_taken_as_standing_still() {
        let mut windows = Windows::default();
        one(&mut windows, MINUTE, &ask(100_000, 5));
        assert!(matches!(one(&mut windows, MINUTE, &ask(0, 1)), Answer::Refused { .. }));
        assert_eq!(windows.latest, StoreTime(100_000));
    }
}
