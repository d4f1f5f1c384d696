//! How limits are attacked: each pattern goes for what some way of counting forgets too soon.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::clients::{Attacker, Clients, any, millis};
use super::table::{Limit, Owner, Per};

/// One of the patterns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pattern {
    /// All at once just before the clock's turn and all at once after it, and on for a window, after one without anything: what fixed windows
    /// and weighted ones forget.
    Turn,
    /// All at once, and again as soon as that may be forgotten.
    Again,
    /// A little, so that tokens are held that nobody spends; idle for a window; then all at once.
    Hoard,
    /// Some at once, now and then.
    Bursts,
    /// Three times as much as the limit, all the time.
    Load,
}

pub const ALL: [Pattern; 5] = [Pattern::Turn, Pattern::Again, Pattern::Hoard, Pattern::Bursts, Pattern::Load];

/// A run of a pattern against one limit.
struct Aim {
    keys: Range<usize>,
    most: usize,
    window: Duration,
}

/// Goes through the patterns against the limits of one owner until the run is over. `nth`: where to begin, so that not all do the same.
pub async fn attack(clients: Arc<Clients>, owner: Owner, patterns: &[Pattern], nth: usize, until: Instant) {
    let mut attacker = Attacker::new(&clients, until);
    for turn in nth.. {
        if attacker.is_over() {
            break;
        }
        let limit = owner.plan.limits[any(0..owner.plan.limits.len())];
        let aim = Aim::at(&owner, &limit);
        match patterns[turn % patterns.len()] {
            Pattern::Turn => aim.turn(&mut attacker).await,
            Pattern::Again => aim.again(&mut attacker).await,
            Pattern::Hoard => aim.hoard(&mut attacker).await,
            Pattern::Bursts => aim.bursts(&mut attacker).await,
            Pattern::Load => attacker.ask(&aim.keys, aim.most * 6, aim.window * 2).await,
        }
    }
    attacker.done().await;
}

impl Aim {
    fn at(owner: &Owner, limit: &Limit) -> Self {
        let keys = match limit.per {
            Per::Owner => owner.keys.clone(),
            Per::Key => {
                let key = any(owner.keys.clone());
                key..key + 1
            }
        };
        Self { keys, most: limit.most, window: limit.window }
    }

    async fn turn(&self, attacker: &mut Attacker) {
        let lead = millis(100..200);
        attacker.idle(until_turn(self.window).saturating_sub(lead)).await;
        attacker.ask(&self.keys, self.above(), lead).await;
        attacker.ask(&self.keys, self.above(), lead).await;
        attacker.ask(&self.keys, self.most * 2, self.window.saturating_sub(lead * 2)).await;
        attacker.idle(self.window).await;
    }

    async fn again(&self, attacker: &mut Attacker) {
        for _ in 0..3 {
            let begun = Instant::now();
            attacker.ask(&self.keys, self.above(), millis(10..200)).await;
            let early = millis(0..100);
            attacker.idle((self.window.saturating_sub(begun.elapsed())).saturating_sub(early)).await;
            attacker.ask(&self.keys, self.above(), early * 2).await;
        }
    }

    async fn hoard(&self, attacker: &mut Attacker) {
        attacker.ask(&self.keys, self.most * 2 / 3, self.window / 4).await;
        attacker.idle(self.window + millis(0..300)).await;
        attacker.ask(&self.keys, self.most * 3, millis(100..300)).await;
        attacker.idle(self.window).await;
    }

    async fn bursts(&self, attacker: &mut Attacker) {
        let begun = Instant::now();
        while begun.elapsed() < self.window * 3 && !attacker.is_over() {
            attacker.ask(&self.keys, any(1..self.most / 2 + 2), millis(0..20)).await;
            attacker.idle(millis(1..usize::try_from(self.window.as_millis()).unwrap() / 3)).await;
        }
    }

    /// More than may pass at once.
    fn above(&self) -> usize {
        self.most + self.most / 4 + 2
    }
}

/// Until the next multiple of a window on the clock that Redis has too.
fn until_turn(window: Duration) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let into = Duration::from_millis(u64::try_from(now.as_millis() % window.as_millis()).unwrap());
    window.saturating_sub(into)
}
