//! Windows that never over-admit. A sliding window is slots of grants, each counted in full until the last of its tokens can no longer have
//! been spent inside the window; a calendar one is the count of one period. The script `take.lua` holds the same rule; a differential test
//! keeps the two equal.
//!
//! Why it holds: take the last grant that led to an admission in a window (x−W, x]. Every admission in that window came from a grant no
//! later than that one and was spent later than x−W, so its slot was still counted then, and the sum after it was at most N. Of a calendar
//! period: no token outlives the period that it was counted in.

use super::calendar::{Period, Unit};
use super::time::StoreTime;

/// The counted past of one subject (a key or an owner), all its windows together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Windows {
    /// The latest instant seen: time never runs backwards for a subject.
    pub latest: StoreTime,
    pub windows: Vec<Window>,
}

/// The counted past of one limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    pub id: WindowId,
    /// Oldest first. Of a calendar window: the period that it is now, and any other time zone's until that is over, whole.
    pub slots: Vec<Slot>,
}

/// Which of a subject's windows: of sliding ones the length in milliseconds, of calendar ones a number beyond every length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WindowId(pub u32);

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
    pub most: u32,
    pub span: Span,
    pub force: Force,
}

/// Over what time a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// Any window of this length; a slot takes grants for `slot_ms`.
    Sliding { length_ms: u32, slot_ms: u32 },
    /// The period that it is now, and the one after.
    Calendar(Period),
}

/// Whether a limit that is exceeded refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Force {
    #[default]
    Enforced,
    /// It counts what it would admit, and says of the rest that it would refuse it.
    Shadow,
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
        /// How long they may be spent: less than was asked for where a period ends before. 0 without tokens.
        ttl_ms: u32,
        /// Of each window in the order asked.
        windows: Vec<Told>,
    },
    /// Nothing was taken from any window.
    Refused {
        /// The earliest instant at which the cost fits in every enforced window if nobody else asks; `None`: it never will.
        retry_at: Option<StoreTime>,
        windows: Vec<Told>,
    },
    /// It is later than the periods that the taker knows.
    Behind,
}

/// How one window stands after the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// The start of the slot that the tokens were counted in; `None`: none were, as in a shadow that would have refused.
    pub slot: Option<i64>,
    pub left: u32,
    /// In so many milliseconds some of what is counted is forgotten; 0 where nothing is counted.
    pub more_in_ms: u32,
}

impl WindowId {
    #[must_use]
    pub fn sliding(length_ms: u32) -> Self {
        Self(length_ms)
    }

    #[must_use]
    pub fn calendar(unit: Unit) -> Self {
        Self(match unit {
            Unit::Day => 4_000_000_001,
            Unit::Week => 4_000_000_002,
            Unit::Month => 4_000_000_003,
        })
    }

    /// How long after its last token a slot still counts.
    fn length(self) -> i64 {
        if self.is_calendar() { 0 } else { i64::from(self.0) }
    }

    #[must_use]
    pub fn is_calendar(self) -> bool {
        self.0 > 4_000_000_000
    }
}

impl Spec {
    /// Of an enforced limit that slides.
    #[must_use]
    pub fn sliding(length_ms: u32, most: u32) -> Self {
        Self { most, span: Span::Sliding { length_ms, slot_ms: slot_ms(length_ms, most) }, force: Force::Enforced }
    }

    #[must_use]
    pub fn id(&self) -> WindowId {
        match self.span {
            Span::Sliding { length_ms, .. } => WindowId::sliding(length_ms),
            Span::Calendar(period) => WindowId::calendar(period.unit),
        }
    }

    /// When tokens that are granted now must be spent.
    fn ends_at(&self, now: i64) -> Option<i64> {
        match self.span {
            Span::Sliding { .. } => None,
            Span::Calendar(period) => Some(period.at(StoreTime(now)).map_or(now, |(_, until)| until.0)),
        }
    }
}

/// In how many slots the past of a sliding window is kept: more of them forget sooner what is over.
#[must_use]
pub fn slots(length_ms: u32) -> u32 {
    match length_ms {
        0..=60_000 => 16,
        60_001..=3_600_000 => 32,
        _ => 48,
    }
}

/// How long a slot takes grants, in milliseconds. 0 where every grant can have a slot of its own: an exact log.
#[must_use]
pub fn slot_ms(length_ms: u32, most: u32) -> u32 {
    if most <= slots(length_ms) { 0 } else { length_ms / slots(length_ms) }
}

/// Takes tokens from every window of every subject, all or nothing; shadows take part where they have room, and refuse nothing.
pub fn take(subjects: &mut [(&mut Windows, &[Spec])], ask: &Ask) -> Answer {
    let now = subjects.iter().map(|(windows, _)| windows.latest.0).fold(ask.now.0, i64::max);
    let behind = |spec: &Spec| matches!(spec.span, Span::Calendar(period) if period.at(StoreTime(now)).is_none());
    if subjects.iter().flat_map(|(_, specs)| specs.iter()).any(behind) {
        return Answer::Behind;
    }
    for (windows, _) in subjects.iter_mut() {
        windows.advance(now);
    }
    let asked = || subjects.iter().flat_map(|(windows, specs)| specs.iter().map(|spec| (windows.window(spec.id()), spec)));
    let left: Vec<u32> = asked().map(|(window, spec)| spec.most.saturating_sub(sum(window))).collect();
    let untouched = || asked().zip(&left).map(|((window, spec), left)| told(window, spec, None, *left, now)).collect();
    let enforced = || asked().zip(&left).filter(|((_, spec), _)| spec.force == Force::Enforced);
    if enforced().any(|(_, left)| *left < ask.cost) {
        let retry_at = enforced().try_fold(now, |at, ((window, spec), _)| Some(at.max(fits_at(window, spec, ask.cost, now)?)));
        return Answer::Refused { retry_at: retry_at.map(StoreTime), windows: untouched() };
    }
    let has_room = |left: &u32| *left >= ask.cost;
    let room = left.iter().copied().filter(has_room).min().unwrap_or(u32::MAX);
    let tokens = ask.want.min(ask.cost.max(room / ask.share.max(1)));
    if tokens == 0 {
        return Answer::Granted { tokens, ttl_ms: 0, windows: untouched() };
    }
    let until = asked().filter_map(|(_, spec)| spec.ends_at(now)).fold(now + i64::from(ask.ttl_ms), i64::min);
    let (mut windows, mut all_left) = (Vec::with_capacity(left.len()), left.into_iter());
    for (subject, specs) in subjects.iter_mut() {
        for (spec, left) in specs.iter().zip(&mut all_left) {
            let slot = has_room(&left).then(|| subject.count(spec, now, until, tokens));
            let left = if slot.is_some() { left - tokens } else { left };
            windows.push(told(subject.window(spec.id()), spec, slot, left, now));
        }
    }
    Answer::Granted { tokens, ttl_ms: u32::try_from(until - now).unwrap_or(0), windows }
}

impl Windows {
    /// Takes back tokens that were never spent. A slot that is gone, or holds fewer, is left as it is or emptied.
    pub fn give_back(&mut self, id: WindowId, start: i64, tokens: u32) {
        let window = self.windows.iter_mut().find(|window| window.id == id);
        if let Some(slot) = window.and_then(|window| window.slots.iter_mut().find(|slot| slot.start == start)) {
            slot.count = slot.count.saturating_sub(tokens);
        }
    }

    /// When nothing of the past counts any more.
    #[must_use]
    pub fn over_at(&self) -> StoreTime {
        let ends = self.windows.iter().flat_map(|window| window.slots.iter().map(|slot| slot.last + window.id.length()));
        StoreTime(ends.max().unwrap_or(self.latest.0))
    }

    /// Drops what no longer counts.
    fn advance(&mut self, now: i64) {
        self.latest = StoreTime(now);
        for window in &mut self.windows {
            window.slots.retain(|slot| slot.count > 0 && slot.last > now - window.id.length());
        }
        self.windows.retain(|window| !window.slots.is_empty());
    }

    fn window(&self, id: WindowId) -> &[Slot] {
        self.windows.iter().find(|window| window.id == id).map_or(&[], |window| &window.slots)
    }

    /// Counts tokens in the newest slot while that is young, or in that of the period, else in a new one, and names it.
    fn count(&mut self, spec: &Spec, now: i64, until: i64, tokens: u32) -> i64 {
        let slots = self.slots(spec.id());
        let (found, start, last) = match spec.span {
            Span::Sliding { slot_ms, .. } => {
                let young = |slot: &&mut Slot| now - slot.start < i64::from(slot_ms.max(1));
                (slots.last_mut().filter(young), now, until)
            }
            Span::Calendar(period) => {
                let (from, until) = period.at(StoreTime(now)).map_or((now, now), |(from, until)| (from.0, until.0));
                (slots.iter_mut().find(|slot| slot.start == from), from, until)
            }
        };
        if let Some(slot) = found {
            slot.count += tokens;
            slot.last = slot.last.max(last);
            return slot.start;
        }
        slots.push(Slot { start, last, count: tokens });
        start
    }

    /// Of a window that may be new.
    fn slots(&mut self, id: WindowId) -> &mut Vec<Slot> {
        let at = self.windows.iter().position(|window| window.id == id).unwrap_or_else(|| {
            self.windows.push(Window { id, slots: Vec::new() });
            self.windows.len() - 1
        });
        &mut self.windows[at].slots
    }
}

fn sum(slots: &[Slot]) -> u32 {
    slots.iter().map(|slot| slot.count).fold(0, u32::saturating_add)
}

fn told(slots: &[Slot], spec: &Spec, slot: Option<i64>, left: u32, now: i64) -> Told {
    let oldest = slots.iter().map(|slot| slot.last + spec.id().length()).min();
    Told { slot, left, more_in_ms: oldest.map_or(0, |at| u32::try_from(at - now).unwrap_or(u32::MAX)) }
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
            return Some(slot.last + spec.id().length());
        }
    }
    None
}
