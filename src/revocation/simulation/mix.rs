//! What a schedule is made of.

use std::time::Duration;

use super::dice::Dice;
use crate::revocation::Level;

pub(super) const SECOND: u64 = 1_000_000;
/// L.
pub(super) const LEASE: u64 = 5 * SECOND;

/// Which faults prevail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Campaign {
    /// Anything.
    Mixed,
    /// Replicas are cut off, messages are late.
    Network,
    /// Processes stop, start and overlap.
    Processes,
    /// Primaries change.
    Failovers,
    /// One node, whose backup is restored.
    Backups,
    /// Replicas are cut off for about a lease, what they ask meanwhile comes late, and checks are held up.
    Answers,
    /// Primaries change, and durability takes its time.
    Slow,
}

impl Campaign {
    pub(super) const ALL: [Self; 7] =
        [Self::Mixed, Self::Network, Self::Processes, Self::Failovers, Self::Backups, Self::Answers, Self::Slow];
}

/// One schedule's share of everything. Spans are in microseconds, shares in permille.
#[derive(Debug, Clone)]
pub(super) struct Mix {
    /// How long replicas are cut off, at least and at most, and how long they may not hear of a new primary.
    pub(super) cut: (u64, u64),
    pub(super) unaware: u64,
    pub(super) level: Level,
    pub(super) nodes: usize,
    pub(super) lease: Duration,
    pub(super) max_lag: u64,
    pub(super) min_replicas: u32,
    pub(super) horizon: u64,
    /// Entries kept, and brought at once.
    pub(super) keep: usize,
    pub(super) page: usize,
    pub(super) lost: u64,
    pub(super) duplicated: u64,
    pub(super) slow: u64,
    pub(super) slowest: u64,
    /// Whether answers are heard that came after they were given up, or came twice.
    pub(super) late: bool,
    /// Of checks: held up between their steps, and finding nothing in the memory.
    pub(super) held: u64,
    pub(super) evicted: u64,
    pub(super) changes: u64,
    /// How long a node waits for durability.
    pub(super) patience: u64,
    pub(super) faults: Vec<(FaultKind, u64)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FaultKind {
    /// Messages between a replica and the nodes are lost or held.
    CutLife,
    /// A node's replication is held up.
    CutLink,
    /// A node is cut off from the other nodes.
    Isolate,
    Failover,
    /// A promotion that its primary never heard of, and that is taken back.
    Flap,
    Pause,
    Suspend,
    Crash,
    /// A replica is started anew while its former life still goes on.
    Overlap,
    RestartNode,
    Restore,
}

use FaultKind::{Crash, CutLife, CutLink, Failover, Flap, Isolate, Overlap, Pause, RestartNode, Restore, Suspend};

impl Mix {
    pub(super) fn draw(campaign: Campaign, dice: &mut Dice) -> Self {
        let single = match campaign {
            Campaign::Backups => true,
            Campaign::Failovers | Campaign::Slow => false,
            Campaign::Mixed => dice.chance(250),
            Campaign::Network | Campaign::Processes | Campaign::Answers => dice.chance(500),
        };
        let some = |dice: &mut Dice, share: u64, most: u64| if dice.chance(share) { dice.between(1, most + 1) } else { 0 };
        let slow = some(dice, 400, 60);
        let mix = Self {
            cut: (SECOND / 10, 9 * SECOND),
            unaware: 4 * SECOND,
            level: if single { Level::Single } else { Level::Replicated },
            nodes: if single { 1 } else { 3 },
            lease: Duration::from_micros(LEASE),
            max_lag: dice.between(1, 4) * SECOND,
            min_replicas: dice.between(1, 3) as u32,
            horizon: dice.between(16, 30) * SECOND,
            keep: if dice.chance(200) { dice.between(1, 6) as usize } else { 1000 },
            page: if dice.chance(200) { dice.between(1, 3) as usize } else { 1000 },
            lost: some(dice, 300, 80),
            duplicated: some(dice, 300, 80),
            slow,
            slowest: dice.between(SECOND / 10, 8 * SECOND),
            late: dice.chance(300),
            held: some(dice, 500, 300),
            evicted: some(dice, 500, 400),
            patience: dice.between(SECOND / 2, 6 * SECOND),
            changes: dice.between(2, 7),
            faults: Self::faults(campaign, single, dice),
        };
        mix.bent(campaign, dice)
    }

    /// What the narrower campaigns have in common.
    fn bent(self, campaign: Campaign, dice: &mut Dice) -> Self {
        match campaign {
            Campaign::Answers => Self {
                slow: dice.between(50, 400),
                slowest: dice.between(SECOND / 2, 4 * SECOND),
                late: dice.chance(700),
                held: 400,
                evicted: 0,
                cut: (9 * SECOND / 2, 7 * SECOND),
                ..self
            },
            Campaign::Slow => {
                let patience = dice.between(4 * SECOND, 9 * SECOND);
                Self { max_lag: dice.between(3, 5) * SECOND, min_replicas: 1, patience, unaware: 9 * SECOND, slow: 0, ..self }
            }
            _ => self,
        }
    }

    fn faults(campaign: Campaign, single: bool, dice: &mut Dice) -> Vec<(FaultKind, u64)> {
        let shares: &[(FaultKind, u64)] = match campaign {
            Campaign::Mixed => &[
                (CutLife, 400),
                (CutLink, 300),
                (Isolate, 250),
                (Failover, 350),
                (Flap, 100),
                (Pause, 250),
                (Suspend, 200),
                (Crash, 200),
                (Overlap, 200),
                (RestartNode, 200),
                (Restore, 20),
            ],
            Campaign::Network => &[(CutLife, 900), (CutLink, 300), (Isolate, 300), (RestartNode, 100)],
            Campaign::Processes => &[(CutLife, 400), (Pause, 500), (Suspend, 500), (Crash, 400), (Overlap, 700)],
            Campaign::Failovers => {
                &[(CutLife, 300), (CutLink, 500), (Isolate, 500), (Failover, 900), (Flap, 300), (Overlap, 300), (Crash, 100)]
            }
            Campaign::Answers => &[(CutLife, 1000), (Isolate, 100), (RestartNode, 100)],
            Campaign::Slow => &[(CutLife, 200), (CutLink, 300), (Failover, 800), (Flap, 700), (Overlap, 500), (Crash, 300)],
            Campaign::Backups => &[(CutLife, 300), (RestartNode, 300), (Restore, 900), (Crash, 200)],
        };
        let applies = |kind: FaultKind| match kind {
            CutLink | Isolate | Failover | Flap => !single,
            RestartNode | Restore => single,
            _ => true,
        };
        let mut faults = Vec::new();
        for (kind, share) in shares.iter().filter(|(kind, _)| applies(*kind)) {
            if dice.chance(*share) {
                faults.push((*kind, dice.between(1, 4)));
            }
        }
        faults
    }
}
