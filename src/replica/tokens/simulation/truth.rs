//! The checker: who spent what when, on one clock, whatever anybody counted.

use std::collections::HashMap;

use crate::domain::window::WindowId;
use crate::store::SubjectName;

/// Every spending, by the window that has to count it.
#[derive(Default)]
pub(super) struct Truth {
    spent: HashMap<(SubjectName, WindowId), Vec<Spending>>,
    pub tokens: u64,
}

#[derive(Debug, Clone, Copy)]
struct Spending {
    /// In microseconds.
    at: u64,
    tokens: u32,
    /// What the window may hold at that instant.
    most: u32,
}

const DAY: i64 = 86_400_000;

impl Truth {
    pub(super) fn spent(&mut self, window: (SubjectName, WindowId), at: u64, tokens: u32, most: u32) {
        self.spent.entry(window).or_default().push(Spending { at, tokens, most });
    }

    /// What was spent in a calendar window since the last midnight that anything was spent after.
    pub(super) fn total_of_the_last_day(&self, window: &(SubjectName, WindowId), base: i64) -> u64 {
        let spent = self.spent.get(window).into_iter().flatten();
        let last = spent.clone().map(|spending| day(base, spending.at)).max();
        spent.filter(|spending| Some(day(base, spending.at)) == last).map(|spending| u64::from(spending.tokens)).sum()
    }

    pub(super) fn windows(&self) -> impl Iterator<Item = &(SubjectName, WindowId)> {
        self.spent.keys()
    }

    /// Of each window that held more than its limit, when it first did. `base`: the store's time at the start.
    pub(super) fn violations(&self, base: i64) -> Vec<String> {
        let of = |(window, spent): (&(SubjectName, WindowId), &Vec<Spending>)| {
            // an instant is in a window with another that is less than the window's length before it
            let is_over = |first: &Spending, at: &Spending| match window.1 {
                WindowId(length) if !window.1.is_calendar() => first.at + u64::from(length) * 1000 <= at.at,
                _ => day(base, first.at) != day(base, at.at),
            };
            let (mut from, mut held) = (0, 0);
            spent.iter().find_map(|now| {
                held += u64::from(now.tokens);
                while is_over(&spent[from], now) {
                    held -= u64::from(spent[from].tokens);
                    from += 1;
                }
                (held > u64::from(now.most)).then(|| format!("{window:?} holds {held} of {} at {} µs", now.most, now.at))
            })
        };
        self.spent.iter().filter_map(of).collect()
    }
}

fn day(base: i64, at: u64) -> i64 {
    (base + (at / 1000) as i64).div_euclid(DAY)
}
